/** Points in time. @module */
import { InvalidInstantError } from "../errors/configuration.ts";

/** A point in time. `Temporal.Instant` and `Temporal.ZonedDateTime` fit without being named, so no lib is required. */
export type Instant = Date | { readonly epochMilliseconds: number };

/** The last that a `Date` can be. */
const last = 8.64e15;

/**
 * Turns an {@linkcode Instant} into epoch milliseconds.
 *
 * @param instant a valid `Date`, or anything with `epochMilliseconds`; past or future
 * @returns whole epoch milliseconds, rounded up: nothing that waits for it begins early
 * @throws {InvalidInstantError} if it is none: an invalid `Date`, a number, a text
 * @example
 * ```ts
 * import { epochMilliseconds } from "./instant.ts";
 *
 * epochMilliseconds(new Date("2025-01-01T00:00:00Z")); // 1735689600000
 * ```
 */
export function epochMilliseconds(instant: Instant): number {
  const given: unknown = instant;
  if (typeof given !== "object" || given === null) {
    throw new InvalidInstantError(given, `it is ${given === null ? "null" : `a ${typeof given}`}`);
  }
  const time = isDate(given)
    ? Date.prototype.getTime.call(given)
    : "epochMilliseconds" in given
    ? given.epochMilliseconds
    : undefined;
  if (typeof time !== "number") throw new InvalidInstantError(given, "it has no epochMilliseconds that is a number");
  if (!(Math.abs(time) <= last)) throw new InvalidInstantError(given, "it is not a time that a Date can hold");
  // Adding 0 makes 0 of -0.
  return Math.ceil(time) + 0;
}

/** Also a `Date` of another realm. */
function isDate(value: object): value is Date {
  return value instanceof Date || Object.prototype.toString.call(value) === "[object Date]";
}
