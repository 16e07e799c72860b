/** How soon a receiver's flights follow one another. @module */
import type { Clock } from "../../src/spi/clock.ts";

/** A flight begins so long after the one before, unless there is a hurry: in milliseconds. */
const apartMs = 5;

/** Keeps flights apart, so that fewer of them carry more: each is a commit, and a message to the server and back. */
export class Pace {
  readonly #clock: Clock;
  #next = 0;
  #go: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock.background ?? clock;
  }

  /** Whether somebody waits for a turn. */
  get waits(): boolean {
    return this.#go !== undefined;
  }

  /** Resolves when it is time for the next flight; at once if there is a hurry. One at a time. */
  async turn(hurries: boolean): Promise<void> {
    const now = this.#clock.now();
    if (!hurries && now < this.#next) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#go = resolve;
      // Where the clock was set back, the next is not further off than ever.
      const cancel = this.#clock.at(Math.min(this.#next, now + apartMs), resolve);
      await promise;
      cancel();
      this.#go = undefined;
    }
    this.#next = this.#clock.now() + apartMs;
  }

  /** There is a hurry now. */
  hurry(): void {
    this.#go?.();
  }
}
