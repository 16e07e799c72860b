/** What an endpoint has handled, and what it is handling. @module */
import type { Awaitable } from "../../src/values/awaitable.ts";
import { Deque } from "../../src/values/deque.ts";
import { Heap } from "../../src/values/heap.ts";

/** A unit that handles messages. */
export interface Handling {
  /** Others wait for it: it is to end as soon as its signal aborts, and not when it is next asked for something. */
  awaited(): void;
}
/** Who waits for a message that another handles. */
interface Waiting {
  readonly unit: Handling;
  readonly resolve: (entered: boolean) => void;
}
/** One that is not in the order in which the others came. */
interface Straggler {
  readonly messageId: string;
  readonly keepUntil: number;
}

/**
 * The inbox of one endpoint. Each message is there once: under the unit that handles it, so that one does at a time, or
 * under the time until which it is known to be handled.
 */
export class Inbox {
  readonly #messages = new Map<string, Handling | number>();
  /** Those that were handled, as far as each is kept no shorter than the one before. */
  readonly #byAge = new Deque<string>();
  readonly #stragglers = new Heap<Straggler>((a, b) => a.keepUntil < b.keepUntil);
  #latest = -Infinity;
  readonly #waiting = new Map<string, Waiting[]>();

  /** How many are known to be handled. */
  get size(): number {
    return this.#byAge.size + this.#stragglers.size;
  }

  /**
   * Takes a message for a unit, once no other has it; false: it was handled before.
   *
   * @param signal ends the wait, which then rejects with its reason; made when it is first read
   */
  enter(messageId: string, unit: Handling, scope: { readonly signal: AbortSignal }): Awaitable<boolean> {
    const known = this.#messages.get(messageId);
    if (known === undefined) {
      this.#messages.set(messageId, unit);
      return true;
    }
    if (typeof known === "number") return false;
    known.awaited();
    // That may have been its end.
    return this.#messages.get(messageId) === known
      ? this.#wait(messageId, unit, scope.signal)
      : this.enter(messageId, unit, scope);
  }

  #wait(messageId: string, unit: Handling, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        const all = this.#waiting.get(messageId)?.filter((each) => each !== waiting) ?? [];
        if (all.length === 0) this.#waiting.delete(messageId);
        else this.#waiting.set(messageId, all);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        unit,
        resolve: (entered) => {
          signal.removeEventListener("abort", abort);
          resolve(entered);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      const others = this.#waiting.get(messageId);
      if (others === undefined) this.#waiting.set(messageId, [waiting]);
      else others.push(waiting);
    });
  }

  /** Gives a message back, unhandled, to whoever has waited longest. To be called by the unit that has it. */
  leave(messageId: string): void {
    const all = this.#waiting.get(messageId);
    const next = all?.shift();
    if (all?.length === 0) this.#waiting.delete(messageId);
    if (next === undefined) {
      this.#messages.delete(messageId);
      return;
    }
    this.#messages.set(messageId, next.unit);
    if (all !== undefined && all.length > 0) next.unit.awaited();
    next.resolve(true);
  }

  /**
   * Remembers that it was handled. To be called by the unit that has it.
   *
   * @param keepUntil epoch milliseconds
   */
  record(messageId: string, keepUntil: number): void {
    this.#messages.set(messageId, keepUntil);
    if (keepUntil < this.#latest) this.#stragglers.push({ messageId, keepUntil });
    else {
      this.#latest = keepUntil;
      this.#byAge.pushBack(messageId);
    }
    if (this.#waiting.size === 0) return;
    for (const { resolve } of this.#waiting.get(messageId) ?? []) resolve(false);
    this.#waiting.delete(messageId);
  }

  /** Forgets those that are kept no longer, at most so many; gives how many it forgot. */
  sweep(limit: number, now: number): number {
    let count = 0;
    for (let next = this.#byAge.peekFront(); next !== undefined && count < limit; next = this.#byAge.peekFront()) {
      const keepUntil = this.#messages.get(next);
      if (typeof keepUntil === "number" && keepUntil >= now) break;
      this.#byAge.popFront();
      this.#messages.delete(next);
      count++;
    }
    for (let next = this.#stragglers.peek(); next !== undefined && count < limit; next = this.#stragglers.peek()) {
      if (next.keepUntil >= now) break;
      this.#stragglers.pop();
      this.#messages.delete(next.messageId);
      count++;
    }
    return count;
  }
}
