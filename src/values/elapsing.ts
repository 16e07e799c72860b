/** Time as it passes, whatever a clock is set to. @module */
import type { DeadlineClock } from "./deadlines.ts";

/** A clock that also measures: the `Clock` of `src/spi/clock.ts` is one. */
export interface MeasuringClock extends DeadlineClock {
  /** How much time has passed since whenever. Left out: `now`. */
  elapsed?(now?: number): number;
}

/**
 * The time that passes by a clock: for timeouts, and for whatever else lasts. By a clock that somebody sets they would
 * last for an hour more, or end at once.
 *
 * @param clock that itself, where it does not measure
 * @param view of the same time, whose timers are taken
 */
export function elapsing(clock: MeasuringClock, view: DeadlineClock = clock): DeadlineClock {
  return clock.elapsed === undefined ? view : new Elapsing(clock, view);
}

class Elapsing implements DeadlineClock {
  readonly #clock: MeasuringClock;
  readonly #view: DeadlineClock;
  /** By what its timers say: a tool may have replaced them, and not what measures. */
  #atLeast = -Infinity;

  constructor(clock: MeasuringClock, view: DeadlineClock) {
    this.#clock = clock;
    this.#view = view;
  }

  now(wall?: number): number {
    const elapsed = this.#clock.elapsed?.(wall) ?? 0;
    return elapsed > this.#atLeast ? elapsed : this.#atLeast;
  }

  at(time: number, run: () => void): () => void {
    return this.#view.at(this.#view.now() + time - this.now(), () => {
      if (time > this.#atLeast) this.#atLeast = time;
      run();
    });
  }
}
