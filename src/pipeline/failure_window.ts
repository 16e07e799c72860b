/** How much failed of late. @module */
import type { Clock } from "../spi/clock.ts";

/** As many steps as a period is cut into. */
const steps = 10;

/**
 * Counts what succeeded and failed in the last `period`, in steps of a tenth of it: what is as old as the period is
 * never counted, and what is younger than nine tenths of it always is. Constant time and space, no timer.
 */
export class FailureWindow {
  readonly #clock: Clock;
  /** In milliseconds, of one step. */
  readonly #width: number;
  readonly #succeeded: number[];
  readonly #failed: number[];
  /** The step that is being filled: its place in the ring, and its number since the epoch. */
  #place = 0;
  #step = 0;
  #attempts = 0;
  #failures = 0;

  /** @param period in whole milliseconds, > 0 */
  constructor(period: number, clock: Clock) {
    this.#clock = clock;
    const size = Math.min(steps, period);
    this.#width = period / size;
    this.#succeeded = new Array(size).fill(0);
    this.#failed = new Array(size).fill(0);
    this.clear();
  }

  /** How many were recorded. As of the last `record`. */
  get attempts(): number {
    return this.#attempts;
  }

  /** How many of them failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts one. */
  record(failed: boolean): void {
    this.#turn();
    const counts = failed ? this.#failed : this.#succeeded;
    counts[this.#place] = (counts[this.#place] ?? 0) + 1;
    this.#attempts++;
    if (failed) this.#failures++;
  }

  /** Forgets everything. */
  clear(): void {
    this.#succeeded.fill(0);
    this.#failed.fill(0);
    this.#attempts = 0;
    this.#failures = 0;
    this.#step = this.#now();
  }

  #now(): number {
    return Math.floor(this.#clock.now() / this.#width);
  }

  #turn(): void {
    const now = this.#now();
    const size = this.#failed.length;
    // A clock that was set back turns nothing: what was counted stays a little longer.
    for (let turns = Math.min(now - this.#step, size); turns > 0; turns--) {
      this.#place = (this.#place + 1) % size;
      const succeeded = this.#succeeded[this.#place] ?? 0;
      const failed = this.#failed[this.#place] ?? 0;
      this.#attempts -= succeeded + failed;
      this.#failures -= failed;
      this.#succeeded[this.#place] = 0;
      this.#failed[this.#place] = 0;
    }
    this.#step = now;
  }
}
