/** What a unit keeps other units of its process from. @module */
import type { KeyedLocks } from "./keyed_locks.ts";

/** The locks that one unit holds, until it gives all back. */
export class HeldLocks {
  readonly #locks: KeyedLocks;
  readonly #names: string[];
  #holdsSaga = false;
  #over = false;

  /** @param names of those that it holds */
  constructor(locks: KeyedLocks, names: readonly string[]) {
    this.#locks = locks;
    this.#names = [...names];
  }

  /** Waits for an instance, unless that might be for ever. Whoever waits checks afterwards whether the unit is over. */
  async lockSaga(bus: string, saga: string, id: string, signal: AbortSignal): Promise<void> {
    const name = `saga ${JSON.stringify([bus, saga, id])}`;
    if (this.#names.includes(name)) return;
    if (!this.#locks.tryAcquire(name)) {
      // With one in hand it waits for no other, so that no two units wait for each other; `commit` finds the conflict.
      if (this.#holdsSaga) return;
      await this.#locks.acquire(name, signal);
      if (this.#over) return this.#locks.release(name);
    }
    this.#names.push(name);
    this.#holdsSaga = true;
  }

  /** Gives all back: the unit is over. */
  release(): void {
    this.#over = true;
    for (const name of this.#names) this.#locks.release(name);
    this.#names.length = 0;
  }
}
