/** The system's time. @module */

/** Time as the library sees it: the `Clock` of `src/spi/clock.ts`, which stands below this folder. */
export interface SystemClock {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs once, never before `time`, however far off; soon, if it is past. The result cancels. */
  at(time: number, run: () => void): () => void;
}

/** What a clock is made of; a test gives its own. */
export interface Timers {
  /** Epoch milliseconds. */
  now(): number;
  /** As `setTimeout`. */
  set(run: () => void, delayInMs: number): unknown;
  /** As `clearTimeout`, with what `set` gave. */
  clear(timer: unknown): void;
}

/** A timer's longest delay: beyond it, runtimes fire after 1 ms. */
const longest = 2 ** 31 - 1;

/**
 * A clock on timers. A wait longer than a timer holds is cut into several. A timer that goes off before its time by
 * the clock (some runtimes are 1 ms early; or the clock was set back) is set again.
 */
export function createSystemClock(timers: Timers): SystemClock {
  return {
    now: () => timers.now(),
    at(time, run) {
      let timer: unknown;
      let done = false;
      const wait = (): void => {
        const left = time - timers.now();
        timer = timers.set(wake, left > longest ? longest : left > 1 ? Math.ceil(left) : left > 0 ? 1 : 0);
      };
      const wake = (): void => {
        if (done) return;
        if (timers.now() < time) return wait();
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
  set: (run, delayInMs) => setTimeout(run, delayInMs),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
});
