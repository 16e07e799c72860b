/** What is handed over while a claim is under way, which may bring what goes before it. @module */
import { before, type Found } from "./message.ts";
import type { Handed } from "./offers.ts";

/** What is to be delivered, and what goes back. */
export interface InOrder {
  readonly fit: readonly Found[];
  /** Until when all of it is leased. */
  readonly until: number;
  /** Behind others that are still in the queue. */
  readonly behind: readonly Handed[];
}

/** Keeps it until the claim has answered. */
export class Late {
  #handed: Handed[] = [];
  #until = Infinity;

  /** @param until when its lease ends */
  add(all: readonly Handed[], until: number): void {
    this.#handed.push(...all);
    this.#until = Math.min(this.#until, until);
  }

  /** Forgets all; gives how many there were. */
  clear(): number {
    const { length } = this.#handed;
    [this.#handed, this.#until] = [[], Infinity];
    return length;
  }

  /**
   * Puts it in order with what was claimed.
   *
   * @param more whether the queue has more than that
   */
  with(found: readonly Found[], until: number, more: boolean): InOrder {
    const late = this.#handed;
    if (late.length === 0) return { fit: found, until, behind: [] };
    const last = more ? found.at(-1) : undefined;
    const behind = last === undefined ? [] : late.filter((each) => before(last, each) < 0);
    const fit = late.filter((each) => !behind.includes(each));
    return { fit: [...found, ...fit.map(foundOf)].sort(before), until: Math.min(until, this.#until), behind };
  }
}

/** What was handed over, as if it had been claimed. */
export function foundOf(handed: Handed): Found {
  return { ...handed, keeps: false, expired: false };
}
