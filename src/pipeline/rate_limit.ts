/** So many messages in so long. @module */
import type { Clock } from "../spi/clock.ts";
import type { Duration } from "../values/duration.ts";
import type { Gate } from "./gate.ts";
import { positiveInteger, positiveMilliseconds } from "./gate_options.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/** How many messages an endpoint may start, in this process, in how long. */
export interface RateLimitOptions {
  /** The most that start in any stretch of `per`, wherever it begins. */
  readonly limit: number;
  /** As in `"1s"`. */
  readonly per: Duration;
}

/** A gate whose limit can be changed while the endpoint runs. */
export interface RateLimit extends Gate {
  /** As it was set last. */
  readonly limit: number;
  /**
   * Changes the limit, at once; what has started counts.
   *
   * @throws {ConfigurationError} unless a whole number ≥ 1
   */
  setLimit(limit: number): void;
}

/** Starts less than this fraction of `per` apart share one entry: it bounds the entries and the timers. */
const grain = 1 / 1000;
/** Shorter waits than this, in milliseconds, are not worth telling the broker of, there and back. */
const worthBlocking = 1000;

/** What {@linkcode RateLimitOptions} may name. */
const optionNames: OptionNames<RateLimitOptions> = {
  limit: true,
  per: true,
};

/**
 * Makes a rate limit: a sliding window, so that, unlike with a fixed one or a token bucket, never more than `limit`
 * start within `per` of each other. A start is given back `per` after it (where starts follow each other densely, up to
 * a thousandth of `per` later), whether or not the message has finished, and is used up even if the message turned out
 * to be expired or unreadable. While the endpoint waits for a second or longer it asks the broker for nothing.
 *
 * @param changed called when, after a wait, more may start; and by `setLimit`
 * @throws {ConfigurationError} if an option cannot work
 */
export function createRateLimit(options: RateLimitOptions, clock: Clock, changed: () => void): RateLimit {
  checkOptionNames(options, optionNames, "a rate limit");
  return new SlidingRateLimit(options, clock, changed);
}

/** Starts that are given back together, `per` after the last of them. */
interface Burst {
  first: number;
  last: number;
  count: number;
}

class SlidingRateLimit implements RateLimit {
  readonly name = "rate limit";
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #per: number;
  #limit: number;

  /** Oldest first; about a thousand at most. */
  readonly #bursts: Burst[] = [];
  /** The sum of their counts. */
  #used = 0;
  #blocking = false;
  #cancel: (() => void) | undefined;
  #isDisposed = false;

  constructor(options: RateLimitOptions, clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
    this.#limit = positiveInteger(options.limit, "{ limit } of a rate limit");
    this.#per = positiveMilliseconds(options.per, "{ per } of a rate limit");
  }

  get limit(): number {
    return this.#limit;
  }

  get blocking(): boolean {
    return this.#blocking;
  }

  /** Waiting is what a limit is for. */
  get reason(): undefined {
    return undefined;
  }

  open(): boolean {
    // Looking at the bursts can wait until it matters.
    if (this.#used >= this.#limit) this.#giveBack(this.#clock.now());
    return this.#used < this.#limit;
  }

  started(_sequence: number): void {
    const now = this.#clock.now();
    this.#giveBack(now);
    const burst = this.#bursts.at(-1);
    if (burst !== undefined && now - burst.first < this.#per * grain) {
      burst.last = now;
      burst.count++;
    } else {
      this.#bursts.push({ first: now, last: now, count: 1 });
    }
    this.#used++;
    this.#wait(now);
  }

  finished(_sequence: number, _error: Error | undefined, _counted: boolean): void {}

  setLimit(limit: number): void {
    this.#limit = positiveInteger(limit, "{ limit } of a rate limit");
    if (this.#isDisposed) return;
    this.#stopWaiting();
    const now = this.#clock.now();
    this.#giveBack(now);
    this.#wait(now);
    this.#changed();
  }

  close(): void {
    this.#isDisposed = true;
    this.#stopWaiting();
  }

  #giveBack(now: number): void {
    // Where the clock was set back, none has started later than now: else all would wait for as long as that.
    const setBackMs = (this.#bursts.at(-1)?.last ?? now) - now;
    if (setBackMs > 0) {
      for (const burst of this.#bursts) {
        burst.first -= setBackMs;
        burst.last -= setBackMs;
      }
    }
    for (let oldest = this.#bursts[0]; oldest !== undefined && oldest.last + this.#per <= now;) {
      this.#used -= oldest.count;
      this.#bursts.shift();
      oldest = this.#bursts[0];
    }
  }

  /** Sees to it that somebody is told when more may start, if none may now. */
  #wait(now: number): void {
    const oldest = this.#bursts[0];
    if (oldest === undefined || this.#used < this.#limit || this.#isDisposed || this.#cancel !== undefined) return;
    const until = oldest.last + this.#per;
    this.#blocking = until - now >= worthBlocking;
    this.#cancel = this.#clock.at(until, () => {
      this.#stopWaiting();
      const later = this.#clock.now();
      this.#giveBack(later);
      // What the oldest give back is not enough where the limit was lowered.
      this.#wait(later);
      if (this.#used < this.#limit) this.#changed();
    });
  }

  #stopWaiting(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#blocking = false;
  }
}
