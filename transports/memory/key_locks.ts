/** Not two of one key in flight. @module */
import { Heap } from "../../src/values/heap.ts";
import { type Message, precedes } from "./message.ts";

interface Lock {
  flying: number;
  /** Made when first needed. */
  parked: Heap<Message> | undefined;
}

/**
 * The keys of a queue with an ordered receiver. A message whose key is in flight is parked beside the queue, so that
 * others pass; each is parked at most once for each that goes before it.
 */
export class KeyLocks {
  readonly #locks = new Map<string, Lock>();
  /** How many are parked. */
  parked = 0;

  /** Whether the message may go now; else it is parked. */
  claim(key: string, message: Message): boolean {
    const lock = this.#locks.get(key);
    if (lock === undefined) {
      this.#locks.set(key, { flying: 1, parked: undefined });
      return true;
    }
    if (lock.flying > 0) {
      lock.parked ??= new Heap(precedes);
      lock.parked.push(message);
      this.parked++;
      return false;
    }
    lock.flying++;
    return true;
  }

  /** Counts one in flight that was there before the locks, or goes past them. */
  add(key: string): void {
    const lock = this.#locks.get(key);
    if (lock === undefined) this.#locks.set(key, { flying: 1, parked: undefined });
    else lock.flying++;
  }

  /** One in flight is no more. Gives the next of its key, which is to go back to its place in the queue. */
  release(key: string): Message | undefined {
    const lock = this.#locks.get(key);
    if (lock === undefined) return undefined;
    lock.flying--;
    return this.#next(key, lock);
  }

  /** One that waited in the queue was dropped: had it been the next of its key, another takes its place. */
  dropped(key: string): Message | undefined {
    const lock = this.#locks.get(key);
    return lock === undefined ? undefined : this.#next(key, lock);
  }

  /** All that are parked, in no order. */
  *waiting(): Generator<Message> {
    for (const lock of this.#locks.values()) yield* lock.parked?.items ?? [];
  }

  /** Takes all that are parked; what is in flight keeps its locks. */
  clear(): readonly Message[] {
    const all = [...this.waiting()];
    for (const [key, lock] of this.#locks) {
      lock.parked = undefined;
      if (lock.flying === 0) this.#locks.delete(key);
    }
    this.parked = 0;
    return all;
  }

  #next(key: string, lock: Lock): Message | undefined {
    if (lock.flying > 0) return undefined;
    const next = lock.parked?.pop();
    if (next === undefined) this.#locks.delete(key);
    else this.parked--;
    return next;
  }
}
