/** What the options of a send come to. @module */
import type { Trace } from "../envelope/envelope.ts";
import { checkHeaders, type Headers, noHeaders } from "../envelope/headers.ts";
import type { Rest } from "../envelope/sent_envelope.ts";
import { milliseconds } from "../values/duration.ts";
import type { Special } from "./draft.ts";
import type { OutgoingOptions } from "./outgoing_message.ts";
import type { SendOptions } from "./sending.ts";

/** Epoch milliseconds; `undefined`: now. */
export function dueTime({ delay }: SendOptions<unknown>, { dueAt }: Special, now: number): number | undefined {
  const due = dueAt ?? (delay === undefined ? undefined : now + milliseconds(delay, "{ delay }"));
  return due === undefined || due <= now ? undefined : due;
}

/** `undefined` for the common message, which says none of it. */
export function rest(
  correlationId: string | undefined,
  initiatorId: string | undefined,
  { requestId, responseAddress }: Special,
  expiresAt: number | undefined,
  trace: Trace | undefined,
): Rest | undefined {
  const common = correlationId === undefined && initiatorId === undefined && requestId === undefined &&
    expiresAt === undefined && trace === undefined;
  return common ? undefined : { correlationId, initiatorId, requestId, responseAddress, expiresAt, trace };
}

/** `undefined` for the common message, which says none of it. */
export function outgoingOptions(
  key: string | undefined,
  priority: number | undefined,
  dueAt: number | undefined,
): OutgoingOptions | undefined {
  return key === undefined && priority === undefined && dueAt === undefined ? undefined : { key, priority, dueAt };
}

/** What flows on, and over it what was given. */
export function merge(given: Headers | undefined, flowing: Headers | undefined, contract: string): Headers {
  if (given === undefined) return flowing ?? noHeaders;
  checkHeaders(given, contract);
  return flowing === undefined || flowing === noHeaders ? given : { ...flowing, ...given };
}
