/** A clock that somebody sets, as a machine's: its timers go by the time that has passed. */
import type { Clock } from "../../src/spi/clock.ts";
import { FakeClock } from "./fake_clock.ts";

/** Stands until it is moved. */
export class SettableClock implements Clock {
  readonly #time = new FakeClock();
  #ahead = 0;

  now(): number {
    return this.#time.now() + this.#ahead;
  }
  elapsed(): number {
    return this.#time.now();
  }
  at(time: number, run: () => void): () => void {
    return this.#time.at(time - this.#ahead, run);
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#time.waiting;
  }
  /** Time passes. */
  advance(ms: number): void {
    this.#time.advance(ms);
  }
  /** Somebody sets it on, or back. */
  set(byMs: number): void {
    this.#ahead += byMs;
  }
}
