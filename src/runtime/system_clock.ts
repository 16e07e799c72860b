/** The system's time. @module */

/** Time as the library sees it: the `Clock` of `src/spi/clock.ts`, which stands below this folder. */
export interface SystemClock {
  /** Epoch milliseconds. */
  now(): number;
  /**
   * Runs once, never before `time`, however far off; soon, if it is past. Where the system's time is set back meanwhile,
   * it runs when as long has passed as there was until `time`. The result cancels.
   */
  at(time: number, run: () => void): () => void;
  /**
   * Milliseconds that have passed since whenever, whole ones, however the time is set meanwhile.
   *
   * @param now what `now()` has just told, if it was asked
   */
  elapsed(now?: number): number;
}

/** What a clock is made of; a test gives its own. */
export interface Timers {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds since whenever; nobody sets it. */
  elapsed(): number;
  /** As `setTimeout`. */
  set(run: () => void, delayInMs: number): unknown;
  /** As `clearTimeout`, with what `set` gave. */
  clear(timer: unknown): void;
}

/** A timer's longest delay: beyond it, runtimes fire after 1 ms. */
const longest = 2 ** 31 - 1;
/** By less than this, and this part of a wait, times differ that run at almost the same speed. */
const [leastSetBackMs, mostDrift] = [1_000, 0.001];

/**
 * How far the clock may be from what it was measured at, before it is looked whether it was set: to measure takes several
 * times as long as to ask what time it is.
 */
const measuredEveryMs = 50;

/** Tells by a clock that may be set how much time has passed. */
class Elapsed {
  readonly #timers: Timers;
  /** What time it was when it was measured last; `undefined`: never. */
  #measuredAt: number | undefined;
  /** How far that was ahead of what had passed. */
  #ahead = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  at(now: number): number {
    const since = this.#measuredAt === undefined ? Infinity : now - this.#measuredAt;
    if (since < 0 || since > measuredEveryMs) {
      this.#measuredAt = now;
      this.#ahead = now - Math.floor(this.#timers.elapsed());
    }
    return now - this.#ahead;
  }
}

/**
 * A clock on timers. A wait longer than a timer holds is cut into several. A timer that goes off before its time by
 * the clock (some runtimes are 1 ms early) is set again, unless the clock was set back: of what is waited for, most is to
 * be after some time, and not at one, and would stand still for as long as the clock was set back. Who waits for a time
 * has to look at it.
 */
export function createSystemClock(timers: Timers): SystemClock {
  const elapsed = new Elapsed(timers);
  return {
    now: () => timers.now(),
    elapsed: (now = timers.now()) => elapsed.at(now),
    at(time, run) {
      let timer: unknown;
      let done = false;
      const begun = timers.elapsed();
      const whole = time - timers.now();
      const wait = (): void => {
        const byClock = time - timers.now();
        const all = whole - (timers.elapsed() - begun);
        const left = byClock > all && all > 0 ? all : byClock;
        timer = timers.set(wake, left > longest ? longest : left > 1 ? Math.ceil(left) : left > 0 ? 1 : 0);
      };
      const wake = (): void => {
        if (done) return;
        const left = time - timers.now();
        if (left > 0) {
          const isSetBack = left > leastSetBackMs + whole * mostDrift && timers.elapsed() - begun >= whole;
          if (!isSetBack) return wait();
        }
        done = true;
        run();
      };
      wait();
      return () => {
        if (done) return;
        done = true;
        timers.clear(timer);
      };
    },
  };
}

/** The system's clock and timers, looked up at each call, so that a tool that replaces them is obeyed. */
export const systemClock: SystemClock = createSystemClock({
  now: () => Date.now(),
  elapsed: () => performance.now(),
  set: (run, delayInMs) => setTimeout(run, delayInMs),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
});
