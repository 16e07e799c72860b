/** What an endpoint has handled, and what it is handling. @module */
import type { Awaitable } from "../../src/values/awaitable.ts";
import { Heap } from "../../src/values/heap.ts";
import { UuidRing } from "./uuid_ring.ts";

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
/** One that is known by its text. */
interface Other {
  readonly messageId: string;
  readonly keepUntil: number;
}

/**
 * The inbox of one endpoint. Each message is there once: under the unit that handles it, so that one does at a time, or
 * under the time until which it is known to be handled.
 */
export class Inbox {
  /** Those that are being handled, and those that were and are not in the ring. */
  readonly #messages = new Map<string, Handling | number>();
  /** Those that were, as nearly all are: a UUID put off never, and kept no shorter than the one before. */
  readonly #ring = new UuidRing();
  readonly #others = new Heap<Other>((a, b) => a.keepUntil < b.keepUntil);
  readonly #waiting = new Map<string, Waiting[]>();

  /** How many are known to be handled. */
  get size(): number {
    return this.#ring.size + this.#others.size;
  }

  /** Takes a message for a unit; false: it was handled before; `undefined`: another has it. */
  tryEnter(messageId: string, unit: Handling): boolean | undefined {
    const known = this.#messages.get(messageId);
    if (known !== undefined) return typeof known === "number" ? false : undefined;
    if (isFirst(messageId) && this.#ring.has(messageId)) return false;
    this.#messages.set(messageId, unit);
    return true;
  }

  /**
   * The same, once no other has it.
   *
   * @param scope whose signal ends the wait, which then rejects with its reason
   */
  enter(messageId: string, unit: Handling, scope: { readonly signal: AbortSignal }): Awaitable<boolean> {
    const known = this.#messages.get(messageId);
    if (typeof known === "object") {
      known.awaited();
      // That may have been its end.
      if (this.#messages.get(messageId) === known) return this.#wait(messageId, unit, scope.signal);
    }
    return this.tryEnter(messageId, unit) ?? this.enter(messageId, unit, scope);
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
    if (keepUntil >= this.#ring.latest && isFirst(messageId) && this.#ring.add(messageId, keepUntil)) {
      this.#messages.delete(messageId);
    } else {
      this.#messages.set(messageId, keepUntil);
      this.#others.push({ messageId, keepUntil });
    }
    if (this.#waiting.size === 0) return;
    for (const { resolve } of this.#waiting.get(messageId) ?? []) resolve(false);
    this.#waiting.delete(messageId);
  }

  /** Forgets those that are kept no longer, at most so many; gives how many it forgot. */
  sweep(limit: number, now: number): number {
    let count = this.#ring.sweep(limit, now);
    for (let next = this.#others.peek(); next !== undefined && count < limit; next = this.#others.peek()) {
      if (next.keepUntil >= now) break;
      this.#others.pop();
      this.#messages.delete(next.messageId);
      count++;
    }
    return count;
  }
}

/** Whether it is 36 characters that were never put off: most likely a UUID, and all that tells it from others. */
function isFirst(messageId: string): boolean {
  return messageId.length === 38 && messageId.endsWith("#0");
}
