/** Stops taking messages while most of them fail, and probes. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import type { Clock } from "../spi/clock.ts";
import { type Duration, formatDuration } from "../values/duration.ts";
import { createErrorFilter, type ErrorPredicate, type RetryFilter } from "./error_filter.ts";
import { FailureWindow } from "./failure_window.ts";
import type { Gate } from "./gate.ts";
import { fraction, positiveInteger, positiveMilliseconds } from "./gate_options.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/**
 * When an endpoint stops taking messages because they fail, and how it finds out that they no longer do. Attempts are
 * messages, retries included; an error that the filter leaves out is no failure.
 */
export interface CircuitBreakerOptions extends RetryFilter {
  /** Over which failures are counted, to a tenth of it. 1 m. */
  readonly trackingPeriod?: Duration;
  /** The fraction of attempts that must have failed for it to open, > 0, ≤ 1. 0.15. */
  readonly tripThreshold?: number;
  /** The attempts that there must have been, for the fraction to mean something. 10. */
  readonly activeThreshold?: number;
  /**
   * How long it stays open. A list: the first time, the second time in a row, and so on; then the last again. 1 m.
   */
  readonly resetInterval?: Duration | readonly Duration[];
  /** How many messages are let through then, side by side; all must succeed for it to close. 1. */
  readonly probes?: number;
}

/** What {@linkcode CircuitBreakerOptions} may name. */
const optionNames: OptionNames<CircuitBreakerOptions> = {
  trackingPeriod: true,
  tripThreshold: true,
  activeThreshold: true,
  resetInterval: true,
  probes: true,
  handle: true,
  ignore: true,
};

/**
 * Makes a circuit breaker. Closed: everything passes. It opens on the failure that reaches both thresholds: nothing
 * starts, the broker is asked for nothing, what came waits unsettled. After `resetInterval` it is half-open: `probes`
 * pass. All succeed: it closes, and counts anew; one fails: it opens again, for the next interval. What had started
 * before it opened says nothing any more, however late it finishes.
 *
 * @param changed called when time has let probes through
 * @throws {ConfigurationError} if an option cannot work
 */
export function createCircuitBreaker(options: CircuitBreakerOptions, clock: Clock, changed: () => void): Gate {
  checkOptionNames(options, optionNames, "a circuit breaker");
  return new CircuitBreaker(options, clock, changed);
}

class CircuitBreaker implements Gate {
  readonly name = "circuit breaker";
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #counts: ErrorPredicate;
  readonly #window: FailureWindow;
  readonly #tripThreshold: number;
  readonly #activeThreshold: number;
  readonly #resetIntervals: readonly number[];
  readonly #probes: number;

  #state: "closed" | "open" | "half-open" = "closed";
  #cancel: (() => void) | undefined;
  #isDisposed = false;
  /** The last that started at all, and the last that started before the breaker was last half-open. */
  #last = -Infinity;
  #stale = -Infinity;
  /** In a row, without having been closed between them. */
  #openings = 0;
  #probing = 0;
  #passed = 0;
  #why = "";

  constructor(options: CircuitBreakerOptions, clock: Clock, changed: () => void) {
    const of = "of a circuit breaker";
    this.#clock = clock;
    this.#changed = changed;
    this.#counts = createErrorFilter(options, "a circuit breaker");
    this.#window = new FailureWindow(
      positiveMilliseconds(options.trackingPeriod ?? "1m", `{ trackingPeriod } ${of}`),
      clock,
    );
    this.#tripThreshold = fraction(options.tripThreshold ?? 0.15, `{ tripThreshold } ${of}`);
    this.#activeThreshold = positiveInteger(options.activeThreshold ?? 10, `{ activeThreshold } ${of}`);
    this.#probes = positiveInteger(options.probes ?? 1, `{ probes } ${of}`);
    this.#resetIntervals = [options.resetInterval ?? "1m"].flat()
      .map((interval: Duration) => positiveMilliseconds(interval, `{ resetInterval } ${of}`));
    if (this.#resetIntervals.length === 0) {
      throw new ConfigurationError(
        `Cannot use an empty list as { resetInterval } ${of}. Give one, as in ["10s", "1m"]`,
      );
    }
  }

  open(): boolean {
    if (this.#state === "closed") return true;
    return this.#state === "half-open" && this.#probing + this.#passed < this.#probes;
  }

  get blocking(): boolean {
    return !this.open();
  }

  get reason(): string | undefined {
    if (this.#state === "closed") return undefined;
    return `the circuit breaker is ${this.#state}: ${this.#why}`;
  }

  started(sequence: number): void {
    this.#last = sequence;
    if (this.#state === "half-open") this.#probing++;
  }

  finished(sequence: number, error: Error | undefined, counted: boolean): void {
    if (this.#state === "open" || sequence <= this.#stale) return;
    const failed = error !== undefined && counted && this.#counts(error);
    if (this.#state === "half-open") {
      this.#probing--;
      if (failed) this.#trip(`a probe failed: ${said(error)}`);
      else if (counted && ++this.#passed >= this.#probes) this.#close();
      return;
    }
    if (!counted) return;
    this.#window.record(failed);
    const { attempts, failures } = this.#window;
    if (failed && attempts >= this.#activeThreshold && failures / attempts >= this.#tripThreshold) {
      this.#trip(`${failures} of ${attempts} messages failed, the last with ${said(error)}`);
    }
  }

  close(): void {
    this.#isDisposed = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #trip(why: string): void {
    const interval = this.#resetIntervals[Math.min(this.#openings, this.#resetIntervals.length - 1)] ?? 0;
    this.#openings++;
    this.#state = "open";
    this.#why = `${why}. It lets ${this.#probes} through after ${formatDuration(interval)}`;
    if (this.#isDisposed) return;
    this.#cancel = this.#clock.at(this.#clock.now() + interval, () => this.#halfOpen());
  }

  #halfOpen(): void {
    this.#cancel = undefined;
    this.#state = "half-open";
    this.#stale = this.#last;
    this.#probing = 0;
    this.#passed = 0;
    this.#changed();
  }

  #close(): void {
    this.#state = "closed";
    this.#openings = 0;
    this.#window.clear();
  }
}

function said(error: Error): string {
  return `${error.name}: ${error.message}`.slice(0, 200);
}
