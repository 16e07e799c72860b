/** What failures to send mean for a stored row. @module */
import { StoppedError } from "../errors/lifecycle.ts";
import { UnreadableMessageError } from "../errors/receiving.ts";
import { BackpressureError, MessageTooLargeError, NotConfirmedError, UnroutableError } from "../errors/sending.ts";
import {
  OutcomeUnknownError,
  StoreBusyError,
  StoreFullError,
  StoreLockedError,
  StoreReadOnlyError,
  StoreUnavailableError,
  UnreadableRowError,
  WriterHeldError,
} from "../errors/store.ts";
import { AccessRefusedError, ClosedError, CredentialsError, DisconnectedError } from "../errors/transport.ts";

/** Sending it again would end the same way. */
export function isRefused(error: Error): boolean {
  return error instanceof UnroutableError || error instanceof MessageTooLargeError ||
    error instanceof AccessRefusedError || error instanceof UnreadableMessageError ||
    error instanceof UnreadableRowError;
}

const outages: readonly (abstract new (...args: never[]) => Error)[] = [
  DisconnectedError,
  CredentialsError,
  ClosedError,
  StoppedError,
  // It is there, and takes nothing, whatever the message.
  BackpressureError,
  NotConfirmedError,
  // Of a transport that is a database.
  OutcomeUnknownError,
  StoreBusyError,
  StoreFullError,
  StoreLockedError,
  StoreReadOnlyError,
  StoreUnavailableError,
  WriterHeldError,
];

/** Nothing is wrong with the row: it waits as long as it takes. */
export function isOutage(error: Error): boolean {
  return outages.some((kind) => error instanceof kind);
}
