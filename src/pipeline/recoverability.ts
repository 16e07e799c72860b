/** The caller's own rule for what failed. @module */
import type { Duration } from "../values/duration.ts";

/**
 * What to do, now, with a message whose handler threw:
 * - `"retry"`: run the handler again, at once, with the delivery held
 * - `"error"`: give it up: publish its fault, and move it to `<endpoint>_error`
 * - `"discard"`: take it from the queue as if it had been handled; counted, no fault
 */
export type RecoveryNow = "retry" | "error" | "discard";

/** Or again later, through the broker: the message gives up its place in the queue meanwhile. */
export type Recovery = RecoveryNow | {
  /** How long; 0 is the end of the queue. */
  readonly delay: Duration;
};

/**
 * The caller's own rule, in place of `retry` and `redeliver`. Asked after each failure, but not for invalid input
 * (`InvalidMessageError`, `UnreadableMessageError` and their like), which goes to the error queue at once. One that
 * throws, or says none of these, is taken to have said `"error"`.
 *
 * @param error what the handler threw, as an `Error`
 * @param attempt which failed, from 1, counted over retries and redeliveries
 * @example
 * ```ts
 * import type { Recoverability } from "@hero/messaging";
 *
 * export const rule: Recoverability = (error, attempt) =>
 *   error instanceof RangeError ? "error" : attempt < 3 ? "retry" : attempt < 6 ? { delay: "1m" } : "error";
 * ```
 */
export type Recoverability<R extends Recovery = Recovery> = (error: Error, attempt: number) => R;
