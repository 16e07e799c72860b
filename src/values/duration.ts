/** Lengths of time. @module */
import { InvalidDurationError } from "../errors/configuration.ts";

/** Milliseconds, or a number with a unit: `"250ms"`, `"5s"`, `"1.5h"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** As far as a `Date` reaches: a longer wait has no end that could be written. */
const longest = 8.64e15;
const pattern = /^(\d{1,20})(?:\.(\d{1,20}))?(ms|s|m|h|d)$/;
const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Turns a {@linkcode Duration} into milliseconds.
 *
 * @param duration milliseconds, finite and ≥ 0, or digits with a unit: `"250ms"`, `"1.5h"`
 * @param use for the error: what it is given as, as in `{ timeout } of the endpoint "orders"`
 * @returns whole milliseconds, rounded up: no wait ends early
 * @throws {InvalidDurationError} if negative, not finite, malformed (`"5 s"`, `"1e3s"`) or longer than 8.64e15 ms
 * @example
 * ```ts
 * import { milliseconds } from "./duration.ts";
 *
 * milliseconds("1.5s"); // 1500
 * ```
 */
export function milliseconds(duration: Duration, use?: string): number {
  if (typeof duration === "number") {
    if (!Number.isFinite(duration)) throw new InvalidDurationError(duration, "it is not finite", use);
    if (duration < 0) throw new InvalidDurationError(duration, "it is negative", use);
    // Adding 0 makes 0 of -0, which would show in texts and comparisons.
    return bounded(duration, Math.ceil(duration) + 0, use);
  }
  if (typeof duration !== "string") throw new InvalidDurationError(duration, undefined, use);
  const match = pattern.exec(duration);
  if (match === null) {
    throw new InvalidDurationError(
      duration,
      (duration as string).startsWith("-") ? "it is negative" : "it is not digits with a unit, ms, s, m, h or d",
      use,
    );
  }
  const [, whole = "", fraction, unit = ""] = match;
  const size = units[unit] ?? NaN;
  return bounded(duration, fraction === undefined ? Number(whole) * size : exact(whole, fraction, size), use);
}

/**
 * Writes milliseconds in the largest unit that takes them whole: `90_000` → `"90s"`.
 *
 * @param duration whole milliseconds, ≥ 0
 * @returns what {@linkcode milliseconds} reads back as the same
 */
export function formatDuration(duration: number): Duration & string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const size = units[unit] ?? NaN;
    if (duration >= size && duration % size === 0) return `${duration / size}${unit}`;
  }
  return `${duration}ms`;
}

/** Decimal, as doubles would make 3,961 ms of `"0.0011h"`. */
function exact(whole: string, fraction: string, unit: number): number {
  const scale = 10n ** BigInt(fraction.length);
  return Number((BigInt(whole + fraction) * BigInt(unit) + scale - 1n) / scale);
}

function bounded(given: unknown, duration: number, use: string | undefined): number {
  if (duration > longest) {
    throw new InvalidDurationError(given, "it is longer than 8.64e15 ms, some 273,000 years", use);
  }
  return duration;
}
