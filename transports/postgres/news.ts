/** What a transaction brings to receivers. @module */

/** The queues that have something new, by id, and when: epoch milliseconds. */
export class News {
  readonly #times = new Map<number, number>();

  /** Of several times of a queue the earliest counts. */
  add(queue: number, at: number): void {
    const known = this.#times.get(queue);
    if (known === undefined || at < known) this.#times.set(queue, at);
  }

  /** By queue. */
  get times(): Iterable<readonly [queue: number, at: number]> {
    return this.#times;
  }
}
