/** How long to wait before trying again. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { type Duration, milliseconds } from "./duration.ts";
import type { Random } from "./random.ts";

/** How long to wait, in whole milliseconds, before a retry: 0 is the first. */
export type Backoff = (retry: number) => number;

/** Waits that grow by a step. */
export interface IncrementalBackoff {
  /** The first wait. */
  readonly initial: Duration;
  /** How much longer each wait is than the one before. */
  readonly step: Duration;
  /** Never exceeded. Left out: as long as a duration may be. */
  readonly max?: Duration | undefined;
}

/** Waits that double. */
export interface ExponentialBackoff {
  /** Of the first, > 0. */
  readonly min: Duration;
  /** Never exceeded, jitter included. */
  readonly max: Duration;
  /** A fraction of the wait, 0 to 1: 0.2, the default, is ± 20 %. */
  readonly jitter?: number | undefined;
}

/**
 * `initial`, then `step` longer each time, up to `max`.
 *
 * @throws {ConfigurationError} if `initial` is above `max`
 */
export function incrementalBackoff(options: IncrementalBackoff): Backoff {
  const initial = milliseconds(options.initial, "{ initial } of a backoff");
  const step = milliseconds(options.step, "{ step } of a backoff");
  const max = options.max === undefined ? Number.MAX_SAFE_INTEGER : milliseconds(options.max, "{ max } of a backoff");
  ordered("incremental", "initial", initial, max);
  return (retry) => Math.min(max, initial + step * retry);
}

/**
 * `min`, then twice as long each time, up to `max`. Jitter spreads each wait evenly around that, so that what failed
 * together does not come back together; at the top it takes from below alone, as clipping would gather half of the
 * waits at `max`.
 *
 * @param random where jitter comes from; injected, so that a seed decides it
 * @throws {ConfigurationError} if `max` is left out or below `min`, `min` is 0, or `jitter` is not within 0 to 1
 */
export function exponentialBackoff(options: ExponentialBackoff, random: Random = Math.random): Backoff {
  // From JavaScript it can be left out, and the waits would grow without end.
  if ((options.max as Duration | undefined) === undefined) {
    throw new ConfigurationError(`Cannot back off exponentially without a limit. Give { max }, as in max: "30s"`);
  }
  const min = milliseconds(options.min, "{ min } of a backoff");
  const max = milliseconds(options.max, "{ max } of a backoff");
  const jitter = options.jitter ?? 0.2;
  if (min === 0) {
    throw new ConfigurationError(`Cannot double a wait of 0 ms. Give a { min } above 0, as in min: "100ms"`);
  }
  ordered("exponential", "min", min, max);
  if (!(jitter >= 0 && jitter <= 1)) {
    throw new ConfigurationError(
      `Cannot use ${jitter} as jitter: it is a fraction of the wait. Give 0 to 1, as in 0.2`,
    );
  }
  return (retry) => {
    // 2^2000 is Infinity, which the smaller of both is not.
    const wait = Math.min(max, min * 2 ** retry);
    if (jitter === 0) return wait;
    const low = wait * (1 - jitter);
    const high = Math.min(max, wait * (1 + jitter));
    return Math.min(max, Math.ceil(low + (high - low) * random()));
  };
}

function ordered(kind: string, name: string, low: number, max: number): void {
  if (low > max) {
    throw new ConfigurationError(
      `Cannot back off by ${kind} waits whose ${name}, ${low} ms, is above their max, ${max} ms. Give a larger { max }`,
    );
  }
}
