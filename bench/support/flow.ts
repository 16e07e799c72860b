/** How work is handed out, and how its end is known. @module */

/** Does `act` for every number below `count`, `width` at a time. */
export async function abreast(width: number, count: number, act: (i: number) => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: Math.min(width, count) }, async (_, first) => {
    for (let i = first; i < count; i += width) await act(i);
  }));
}

/** Counts what is consumed, and tells when all of it is. */
export class Consumed {
  #left = 0;
  #done: () => void = () => {};
  /** Called when no more than this many are left. */
  #resumeAt = -1;
  #resume: () => void = () => {};

  /** Resolves at the `count`th {@linkcode Consumed.one} from now. */
  expect(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => this.#done = resolve);
  }

  /** Resolves when no more than `left` of what is expected is left. */
  until(left: number): Promise<void> {
    this.#resumeAt = left;
    return new Promise((resolve) => this.#resume = resolve);
  }

  /** One is. */
  one(): void {
    this.#left--;
    if (this.#left === this.#resumeAt) this.#resume();
    if (this.#left === 0) this.#done();
  }
}
