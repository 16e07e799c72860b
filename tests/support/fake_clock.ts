/** A clock that a test moves by hand: for what is synchronous; the harness' virtual clock also awaits handlers. */
import type { Clock } from "../../src/spi/clock.ts";

interface Timer {
  readonly time: number;
  readonly run: () => void;
}

/** Starts at `start`, and stands until it is moved. */
export class FakeClock implements Clock {
  #now: number;
  /** By how much what it says was set back. */
  #back = 0;
  /** In order of creation. */
  readonly #timers: Set<Timer> = new Set();

  constructor(start = Date.UTC(2025, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now - this.#back;
  }

  at(time: number, run: () => void): () => void {
    const timer = { time: time + this.#back, run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Says an earlier time from now on; what waits already comes when as long has passed as there was to wait. */
  setBack(ms: number): void {
    this.#back += ms;
  }

  /** How many timers wait: 0 when all was cleaned up. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Moves on, and runs what becomes due, each at its time: by time, then in order of creation. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.time);
      next.run();
    }
    this.#now = end;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.time <= end && (first === undefined || timer.time < first.time)) first = timer;
    }
    return first;
  }
}
