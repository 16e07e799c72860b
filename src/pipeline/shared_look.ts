/** The time, looked at once for what is done together. @module */
import type { Clock } from "../spi/clock.ts";

/** A look at the clock costs as much as much else of a small message: what is handled in one go shares one. */
export class SharedLook {
  readonly #clock: Clock;
  #shared = false;
  #now: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The time, or what it was when it was first asked for since {@linkcode SharedLook.share}. */
  now(): number {
    return this.#shared ? this.#now ??= this.#clock.now() : this.#clock.now();
  }

  /** From now on, until {@linkcode SharedLook.end}, one look is for all: to be called around what waits for nothing. */
  share(): void {
    this.#shared = true;
  }
  end(): void {
    this.#shared = false;
    this.#now = undefined;
  }
}
