/** What failures to send mean for a stored row. @module */
import { StoppedError } from "../errors/lifecycle.ts";
import { UnreadableMessageError } from "../errors/receiving.ts";
import { BackpressureError, MessageTooLargeError, UnroutableError } from "../errors/sending.ts";
import { UnreadableRowError } from "../errors/store.ts";
import { AccessRefusedError, ClosedError, DisconnectedError } from "../errors/transport.ts";

/** Sending it again would end the same way. */
export function isRefused(error: Error): boolean {
  return error instanceof UnroutableError || error instanceof MessageTooLargeError ||
    error instanceof AccessRefusedError || error instanceof UnreadableMessageError ||
    error instanceof UnreadableRowError;
}

/** Nothing is wrong with the row: it waits as long as it takes. */
export function isOutage(error: Error): boolean {
  return error instanceof DisconnectedError || error instanceof BackpressureError || error instanceof ClosedError ||
    error instanceof StoppedError;
}
