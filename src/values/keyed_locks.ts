/** Locks by name, within a process. @module */
import { LinkedList } from "./linked_list.ts";
import { LoneMap } from "./lone_map.ts";

/** Locks by name: who asks first has it first, and a name that nobody holds costs nothing. */
export class KeyedLocks {
  /** By name, those who wait for it, if any does; a name that is not there is free. */
  readonly #held = new LoneMap<LinkedList<() => void> | undefined>();

  /** How many are held. */
  get size(): number {
    return this.#held.size;
  }

  /** Whether somebody has it. */
  has(name: string): boolean {
    return this.#held.has(name);
  }

  /** Whether somebody waits for it. */
  isAwaited(name: string): boolean {
    const waiting = this.#held.get(name);
    return waiting !== undefined && waiting.size > 0;
  }

  /** Takes a lock if it is free; gives whether it did. */
  tryAcquire(name: string): boolean {
    if (this.#held.has(name)) return false;
    this.#held.set(name, undefined);
    return true;
  }

  /**
   * Takes a lock, once it is free.
   *
   * @returns resolves when it is held; rejects with the signal's reason when that aborts first
   */
  acquire(name: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.tryAcquire(name)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiting = this.#held.get(name) ?? new LinkedList();
      this.#held.set(name, waiting);
      const link = waiting.pushBack(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
      const abort = (): void => {
        waiting.remove(link);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Gives a lock back, to whoever has waited longest. To be called once by who holds it. */
  release(name: string): void {
    const next = this.#held.get(name)?.popFront();
    if (next === undefined) this.#held.delete(name);
    else next.item();
  }
}
