/** What an endpoint has handled, and what it is handling. @module */
import { uuidIn } from "../../src/envelope/inbox_key.ts";
import type { InboxKey } from "../../src/spi/rows.ts";
import type { Awaitable } from "../../src/values/awaitable.ts";
import { Heap } from "../../src/values/heap.ts";
import { LoneMap } from "../../src/values/lone_map.ts";
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
 * The inbox of one endpoint. Each message is there once: with the unit that handles it, so that one does at a time, or
 * among those that are known to be handled.
 */
export class Inbox {
  /** Those that are being handled. */
  readonly #handling = new LoneMap<Handling>();
  /** Those that were, as nearly all are: a UUID put off never, and kept no shorter than the one before. */
  readonly #ring = new UuidRing();
  /** Those that were and are not in the ring. */
  readonly #others = new Set<string>();
  readonly #expiring = new Heap<Other>((a, b) => a.keepUntil < b.keepUntil);
  readonly #waiting = new Map<string, Waiting[]>();

  /** How many are known to be handled. */
  get size(): number {
    return this.#ring.size + this.#expiring.size;
  }

  /** Takes a message for a unit; false: it was handled before; `undefined`: another has it. */
  tryEnter(key: InboxKey, unit: Handling): boolean | undefined {
    const { messageId } = key;
    if (this.#handling.has(messageId)) return undefined;
    const first = uuidIn(key) ?? firstOf(messageId);
    if (first !== undefined && this.#ring.has(first)) return false;
    if (this.#others.size > 0 && this.#others.has(messageId)) return false;
    this.#handling.set(messageId, unit);
    return true;
  }

  /**
   * The same, once no other has it.
   *
   * @param scope whose signal ends the wait, which then rejects with its reason
   */
  enter(key: InboxKey, unit: Handling, scope: { readonly signal: AbortSignal }): Awaitable<boolean> {
    const { messageId } = key;
    const other = this.#handling.get(messageId);
    if (other !== undefined) {
      other.awaited();
      // That may have been its end.
      if (this.#handling.get(messageId) === other) return this.#wait(messageId, unit, scope.signal);
    }
    return this.tryEnter(key, unit) ?? this.enter(key, unit, scope);
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
      this.#handling.delete(messageId);
      return;
    }
    this.#handling.set(messageId, next.unit);
    if (all !== undefined && all.length > 0) next.unit.awaited();
    next.resolve(true);
  }

  /** Remembers that it was handled. To be called by the unit that has it. */
  record(key: InboxKey): void {
    const { messageId, keepUntil } = key;
    const first = keepUntil < this.#ring.latest ? undefined : uuidIn(key) ?? firstOf(messageId);
    if (first === undefined || !this.#ring.add(first, keepUntil)) {
      this.#others.add(messageId);
      this.#expiring.push({ messageId, keepUntil });
    }
    this.#handling.delete(messageId);
    if (this.#waiting.size === 0) return;
    for (const { resolve } of this.#waiting.get(messageId) ?? []) resolve(false);
    this.#waiting.delete(messageId);
  }

  /** Forgets those that are kept no longer, at most so many; gives how many it forgot. */
  sweep(limit: number, now: number): number {
    let count = this.#ring.sweep(limit, now);
    for (let next = this.#expiring.peek(); next !== undefined && count < limit; next = this.#expiring.peek()) {
      if (next.keepUntil >= now) break;
      this.#expiring.pop();
      this.#others.delete(next.messageId);
      count++;
    }
    return count;
  }
}

/** It, if it is 36 characters that were never put off, `#0`: most likely a UUID, and all that tells it from others. */
function firstOf(messageId: string): string | undefined {
  const isFirst = messageId.length === 38 && messageId.charCodeAt(36) === 0x23 && messageId.charCodeAt(37) === 0x30;
  return isFirst ? messageId : undefined;
}
