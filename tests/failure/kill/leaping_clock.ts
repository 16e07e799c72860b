/** A clock that goes as fast as the system's, and leaps. */
import { systemClock } from "../../../src/runtime/system_clock.ts";
import type { Clock } from "../../../src/spi/clock.ts";

interface Timer {
  readonly time: number;
  readonly run: () => void;
  cancel: () => void;
}

/** Real time, but for leaps; and it can stand still for ever, as it does to a process that has died. */
export class LeapingClock implements Clock {
  readonly #timers = new Set<Timer>();
  #ahead: number;
  #dead = false;

  /** @param like begins at its time */
  constructor(like?: LeapingClock) {
    this.#ahead = like === undefined ? 0 : like.#ahead;
  }

  now(): number {
    return systemClock.now() + this.#ahead;
  }

  at(time: number, run: () => void): () => void {
    const timer: Timer = { time, run, cancel: () => {} };
    this.#timers.add(timer);
    if (!this.#dead) this.#arm(timer);
    return () => {
      timer.cancel();
      this.#timers.delete(timer);
    };
  }

  /** Sets it on, in milliseconds; what is due then comes soon. */
  leap(ms: number): void {
    this.#ahead += ms;
    if (this.#dead) return;
    for (const timer of this.#timers) {
      timer.cancel();
      this.#arm(timer);
    }
  }

  /** From now on no timer comes. */
  die(): void {
    this.#dead = true;
    for (const timer of this.#timers) timer.cancel();
  }

  /** They come again. */
  revive(): void {
    this.#dead = false;
    for (const timer of this.#timers) this.#arm(timer);
  }

  #arm(timer: Timer): void {
    timer.cancel = systemClock.at(timer.time - this.#ahead, () => {
      this.#timers.delete(timer);
      timer.run();
    });
  }
}
