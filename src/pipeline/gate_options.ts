/** Checks what gates are made with. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { type Duration, milliseconds } from "../values/duration.ts";

/** @throws {ConfigurationError} unless a whole number ≥ 1; `what` as in `{ probes } of a circuit breaker` */
export function positiveInteger(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new ConfigurationError(`Cannot use ${shown(value)} as ${what}. Give a whole number ≥ 1`);
}

/** @throws {ConfigurationError} unless > 0 and ≤ 1 */
export function fraction(value: number, what: string): number {
  if (typeof value === "number" && value > 0 && value <= 1) return value;
  throw new ConfigurationError(
    `Cannot use ${shown(value)} as ${what}: it is a fraction. Give a number above 0, and 1 at most, as in 0.15`,
  );
}

/** @throws {ConfigurationError} unless > 0, in whole milliseconds; `InvalidDurationError` if it is no duration */
export function positiveMilliseconds(value: Duration, what: string): number {
  const duration = milliseconds(value, what);
  if (duration > 0) return duration;
  throw new ConfigurationError(`Cannot use ${JSON.stringify(value)} as ${what}. Give a duration above 0, as in "1m"`);
}
