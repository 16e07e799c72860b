/** Tries at once, or after a short wait, while the delivery is held. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { exponentialBackoff, incrementalBackoff } from "../values/backoff.ts";
import { type Duration, formatDuration, milliseconds } from "../values/duration.ts";
import type { Random } from "../values/random.ts";
import { createErrorFilter, type RetryFilter } from "./error_filter.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/** Opaque; made by {@linkcode retry}. A retry holds the delivery and its place: for waits of minutes, `redeliver`. */
export interface RetryPolicy {
  /** Keeps object literals out. */
  readonly "~policy": "made by retry.…";
}

/** Waits that grow by a step. */
export interface IncrementalRetry extends RetryFilter {
  /** How many retries: the handler runs once more than that. */
  readonly limit: number;
  /** Before the first retry. */
  readonly initial: Duration;
  /** By which each wait is longer than the one before. */
  readonly step: Duration;
  /** Never exceeded. Left out: no wait is cut. */
  readonly max?: Duration;
}

/** Waits that double, with jitter. */
export interface ExponentialRetry extends RetryFilter {
  /** How many retries: the handler runs once more than that. */
  readonly limit: number;
  /** Before the first retry, > 0, before jitter. */
  readonly min: Duration;
  /** Never exceeded, jitter included. */
  readonly max: Duration;
  /** A fraction of the wait: 0.2, the default, is ± 20 %. */
  readonly jitter?: number;
}

/** The policies. `limit` and `n` count retries: the handler runs once more than that; 0 is none. */
export interface Retry {
  /** `n` retries without a wait. */
  immediate(n: number, filter?: RetryFilter): RetryPolicy;
  /** `n` retries, the same wait before each. */
  interval(n: number, wait: Duration, filter?: RetryFilter): RetryPolicy;
  /** A retry after each of the waits. */
  intervals(waits: readonly Duration[], filter?: RetryFilter): RetryPolicy;
  /** Waits that grow by a step. */
  incremental(options: IncrementalRetry): RetryPolicy;
  /** Waits that double, with jitter, so that what failed together does not come back together. */
  exponential(options: ExponentialRetry): RetryPolicy;
}

/** What {@linkcode IncrementalRetry} may name. */
const incrementalNames: OptionNames<IncrementalRetry> = {
  limit: true,
  initial: true,
  step: true,
  max: true,
  handle: true,
  ignore: true,
};
/** What {@linkcode ExponentialRetry} may name. */
const exponentialNames: OptionNames<ExponentialRetry> = {
  limit: true,
  min: true,
  max: true,
  jitter: true,
  handle: true,
  ignore: true,
};

/** How long to wait before a retry, 0 being the first; asked for no more than the limit. */
type Waits = (retry: number, random: Random) => number;
interface Rule {
  readonly limit: number;
  readonly waits: Waits;
  readonly counts: (error: Error) => boolean;
  readonly text: string;
}
/** Registered, so that a policy of another copy of the package works. */
const ruleKey: unique symbol = Symbol.for("@hero/messaging/retry-policy");
interface MadePolicy extends RetryPolicy {
  readonly [ruleKey]: Rule;
}

/**
 * Makes retry policies, for an endpoint's `retry`. All throw a `ConfigurationError` (of which `InvalidDurationError` is
 * one) for what cannot work: when the policy is made, not when it is needed.
 *
 * Invalid input (`InvalidMessageError`, `UnreadableMessageError` and their like) is never retried, whatever the policy:
 * it would fail again.
 *
 * @example
 * ```ts
 * import { retry } from "@hero/messaging";
 *
 * retry.immediate(2);
 * retry.intervals(["100ms", "1s", "5s"], { ignore: [RangeError] });
 * retry.exponential({ limit: 5, min: "100ms", max: "30s", handle: [(error) => error.name === "TimeoutError"] });
 * ```
 */
export const retry: Retry = {
  immediate(n, filter = {}) {
    const limit = checkedCount(n, "n", "retry.immediate");
    return policy("retry.immediate", `immediate, ${limit} ×`, limit, () => 0, filter);
  },
  interval(n, wait, filter = {}) {
    const limit = checkedCount(n, "n", "retry.interval");
    const every = milliseconds(wait, "the wait of retry.interval");
    return policy("retry.interval", `interval, ${limit} × ${formatDuration(every)}`, limit, () => every, filter);
  },
  intervals(waits, filter = {}) {
    if (!Array.isArray(waits)) {
      throw new ConfigurationError(
        `Cannot make retry.intervals: the waits are not a list. Give one, as in ["1s", "5s"]`,
      );
    }
    // Copied: what the caller does to the list later must not change the policy.
    const all = waits.map((wait: Duration) => milliseconds(wait, "a wait of retry.intervals"));
    const text = `intervals, ${all.map(formatDuration).join(", ") || "none"}`;
    return policy("retry.intervals", text, all.length, (at) => all[at] ?? 0, filter);
  },
  incremental(options) {
    checkOptionNames(options, incrementalNames, "retry.incremental");
    const limit = checkedCount(options.limit, "limit", "retry.incremental");
    const backoff = incrementalBackoff(options);
    const initial = formatDuration(milliseconds(options.initial));
    const step = formatDuration(milliseconds(options.step));
    const text = `incremental, ${limit} × ${initial} + ${step}`;
    return policy("retry.incremental", text, limit, backoff, options);
  },
  exponential(options) {
    checkOptionNames(options, exponentialNames, "retry.exponential");
    const limit = checkedCount(options.limit, "limit", "retry.exponential");
    exponentialBackoff(options); // refuses what cannot work
    const settings = { min: milliseconds(options.min), max: milliseconds(options.max), jitter: options.jitter };
    const text = `exponential, ${limit} × ${formatDuration(settings.min)} to ${formatDuration(settings.max)}`;
    return policy("retry.exponential", text, limit, (at, random) => exponentialBackoff(settings, random)(at), options);
  },
};

/**
 * How long to wait, in whole milliseconds, before a retry.
 *
 * @param retry which: 1 is the first
 * @param error what the handler failed with this time
 * @param random for jitter
 * @returns `undefined`: give up; 0: at once
 */
export function nextWait(policy: RetryPolicy, retry: number, error: Error, random: Random): number | undefined {
  const rule = ruleOf(policy, "an endpoint");
  if (retry > rule.limit || !rule.counts(error)) return undefined;
  return rule.waits(retry - 1, random);
}

/** The policy in a few words, for `bus.describe()`: `exponential, 5 × 100ms to 30s`. */
export function describeRetry(policy: RetryPolicy): string {
  return ruleOf(policy, "an endpoint").text;
}

/**
 * Refuses, early, what was not made by {@linkcode retry}: from JavaScript anything can be given.
 *
 * @param where whose policy it is, as in `the endpoint "orders"`
 * @throws {ConfigurationError}
 */
export function checkRetryPolicy(policy: RetryPolicy, where: string): void {
  ruleOf(policy, where);
}

function policy(where: string, text: string, limit: number, waits: Waits, filter: RetryFilter): RetryPolicy {
  const made: MadePolicy = {
    "~policy": "made by retry.…",
    [ruleKey]: { limit, waits, counts: createErrorFilter(filter, where), text },
  };
  return Object.freeze(made);
}

function ruleOf(policy: RetryPolicy, where: string): Rule {
  if (typeof policy === "object" && policy !== null && ruleKey in policy) return (policy as MadePolicy)[ruleKey];
  throw new ConfigurationError(
    `Cannot use this retry policy of ${where}: it was not made by retry. Give one that is, as in retry.immediate(3)`,
  );
}

function checkedCount(count: number, name: string, where: string): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new ConfigurationError(
    `Cannot make ${where} with ${name} ${shown(count)}: it counts retries. Give a whole number ≥ 0, as in 5`,
  );
}
