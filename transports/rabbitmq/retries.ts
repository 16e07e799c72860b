/** What failed, until it does not. @module */
import type { Clock } from "../../src/spi/clock.ts";
import { exponentialBackoff } from "../../src/values/backoff.ts";

const backoff = exponentialBackoff({ min: "500ms", max: "1m", jitter: 0.3 });

/** Has what failed done again: all of it together, and later the more often that has failed. */
export class Retries<Item> {
  readonly #clock: Clock;
  readonly #run: (item: Item) => void;
  readonly #waiting = new Set<Item>();
  /** Those that are being done again. */
  readonly #running = new Set<Item>();
  #rounds = 0;
  #endWait: (() => void) | undefined;

  /** @param run does it once more, and says what has become of it: {@linkcode failed} or {@linkcode over} */
  constructor(clock: Clock, run: (item: Item) => void) {
    this.#clock = clock;
    this.#run = run;
  }

  /** It failed, and is done again later. */
  failed(item: Item): void {
    this.#running.delete(item);
    this.#waiting.add(item);
    this.#endWait ??= this.#clock.at(this.#clock.now() + backoff(this.#rounds++), () => {
      this.#endWait = undefined;
      const again = [...this.#waiting];
      this.#waiting.clear();
      for (const each of again) this.#running.add(each);
      for (const each of again) this.#run(each);
    });
  }

  /** These went well, or are not wanted any more. Whether that holds for all: the next failure is then the first. */
  over(...items: readonly Item[]): boolean {
    for (const item of items) {
      this.#running.delete(item);
      this.#waiting.delete(item);
    }
    if (this.#waiting.size > 0) return false;
    this.#endWait?.();
    this.#endWait = undefined;
    if (this.#running.size > 0) return false;
    this.#rounds = 0;
    return true;
  }

  /** Nothing is done again any more; gives what waited for that. */
  clear(): readonly Item[] {
    const waiting = [...this.#waiting];
    this.over(...waiting, ...this.#running);
    return waiting;
  }
}
