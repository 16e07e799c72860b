/** Stops an endpoint for a while when too much fails. @module */
import type { Clock } from "../spi/clock.ts";
import { type Duration, formatDuration } from "../values/duration.ts";
import { createErrorFilter, type ErrorPredicate, type RetryFilter } from "./error_filter.ts";
import { FailureWindow } from "./failure_window.ts";
import type { Gate } from "./gate.ts";
import { fraction, positiveInteger, positiveMilliseconds } from "./gate_options.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/**
 * When an endpoint is stopped because its messages fail, and for how long. Attempts are messages, retries included; an
 * error that the filter leaves out is no failure.
 */
export interface KillSwitchOptions extends RetryFilter {
  /** The attempts that there must have been, for the fraction to mean something. 100. */
  readonly activationThreshold?: number;
  /** The fraction of attempts that must have failed, > 0, ≤ 1. 0.15. */
  readonly tripThreshold?: number;
  /** Over which failures are counted, to a tenth of it. 1 m. */
  readonly trackingPeriod?: Duration;
  /** How long the endpoint then takes nothing. 1 m. */
  readonly restartTimeout?: Duration;
}

/** What {@linkcode KillSwitchOptions} may name. */
const optionNames: OptionNames<KillSwitchOptions> = {
  activationThreshold: true,
  tripThreshold: true,
  trackingPeriod: true,
  restartTimeout: true,
  handle: true,
  ignore: true,
};

/**
 * Makes a kill switch. It trips on the failure that reaches both thresholds: the endpoint takes nothing more, and its
 * health is degraded; what is in flight goes on. After `restartTimeout` the endpoint goes on as if new. Unlike a circuit
 * breaker it does not probe. What had started before it tripped is not counted after it.
 *
 * @param changed called when the endpoint may go on
 * @throws {ConfigurationError} if an option cannot work
 */
export function createKillSwitch(options: KillSwitchOptions, clock: Clock, changed: () => void): Gate {
  checkOptionNames(options, optionNames, "a kill switch");
  return new KillSwitch(options, clock, changed);
}

class KillSwitch implements Gate {
  readonly name = "kill switch";
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #counts: ErrorPredicate;
  readonly #window: FailureWindow;
  readonly #activationThreshold: number;
  readonly #tripThreshold: number;
  readonly #restartTimeout: number;

  #reason: string | undefined;
  #cancel: (() => void) | undefined;
  #isDisposed = false;
  /** The last that started at all, and the last that started before the restart. */
  #last = -Infinity;
  #stale = -Infinity;

  constructor(options: KillSwitchOptions, clock: Clock, changed: () => void) {
    const of = "of a kill switch";
    this.#clock = clock;
    this.#changed = changed;
    this.#counts = createErrorFilter(options, "a kill switch");
    this.#window = new FailureWindow(
      positiveMilliseconds(options.trackingPeriod ?? "1m", `{ trackingPeriod } ${of}`),
      clock,
    );
    this.#activationThreshold = positiveInteger(options.activationThreshold ?? 100, `{ activationThreshold } ${of}`);
    this.#tripThreshold = fraction(options.tripThreshold ?? 0.15, `{ tripThreshold } ${of}`);
    this.#restartTimeout = positiveMilliseconds(options.restartTimeout ?? "1m", `{ restartTimeout } ${of}`);
  }

  open(): boolean {
    return this.#reason === undefined;
  }

  get blocking(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  started(sequence: number): void {
    this.#last = sequence;
  }

  finished(sequence: number, error: Error | undefined, counted: boolean): void {
    if (!counted || this.#reason !== undefined || sequence <= this.#stale) return;
    const failed = error !== undefined && this.#counts(error);
    this.#window.record(failed);
    const { attempts, failures } = this.#window;
    if (!failed || attempts < this.#activationThreshold || failures / attempts < this.#tripThreshold) return;
    this.#reason = `the kill switch has tripped: ${failures} of ${attempts} messages failed, the last with ` +
      `${`${error.name}: ${error.message}`.slice(0, 200)}. ` +
      `The endpoint restarts after ${formatDuration(this.#restartTimeout)}`;
    if (this.#isDisposed) return;
    this.#cancel = this.#clock.at(this.#clock.now() + this.#restartTimeout, () => this.#restart());
  }

  close(): void {
    this.#isDisposed = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #restart(): void {
    this.#cancel = undefined;
    this.#reason = undefined;
    this.#stale = this.#last;
    this.#window.clear();
    this.#changed();
  }
}
