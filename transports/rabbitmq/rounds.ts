/** What is looked at until it is as it should be. @module */
import type { Clock } from "../../src/spi/clock.ts";
import { exponentialBackoff } from "../../src/values/backoff.ts";

const backoff = exponentialBackoff({ min: "100ms", max: "10s", jitter: 0.3 });

/** Does one thing, never twice at a time: whoever asks meanwhile has it done again. */
export class Rounds {
  readonly #clock: Clock;
  readonly #round: () => Promise<void>;
  #running: Promise<void> | undefined;
  #again = false;
  #failures = 0;
  #endWait: (() => void) | undefined;

  constructor(clock: Clock, round: () => Promise<void>) {
    this.#clock = clock;
    this.#round = round;
  }

  /** Whether it is being done. */
  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Does it, after what is being done. Fails as that does. */
  async run(): Promise<void> {
    while (this.#running !== undefined) {
      this.#again = true;
      await this.#running.catch(() => {});
    }
    this.#running = this.#all();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Has what is being done done again; `false`: nothing is. */
  join(): boolean {
    if (this.#running === undefined) return false;
    this.#again = true;
    return true;
  }

  /** It went well: the next failure is the first. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** It failed: calls `run` later, and later with each failure. */
  later(run: () => void): void {
    const cancel = this.#clock.at(this.#clock.now() + backoff(this.#failures++), () => {
      this.#endWait = undefined;
      run();
    });
    this.#endWait = () => {
      this.#endWait = undefined;
      cancel();
    };
  }

  /** Nothing is called later any more. */
  endWait(): void {
    this.#endWait?.();
  }

  async #all(): Promise<void> {
    do {
      this.#again = false;
      await this.#round();
    } while (this.#again);
  }
}
