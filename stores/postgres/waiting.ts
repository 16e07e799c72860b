/** Who waits for a connection. @module */
import { StoreBusyError } from "../../src/errors/store.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { type Link, LinkedList } from "../../src/values/linked_list.ts";
import type { DeadlineClock } from "../../src/values/deadlines.ts";
import { elapsing } from "../../src/values/elapsing.ts";
import { storeName } from "./errors.ts";

/** How long nobody's turn may come. */
export interface Patience {
  readonly clock: Clock;
  readonly ms: number;
  /** The database, as errors say it. */
  readonly where: string;
}

/** One who waits. */
export interface Waiting {
  readonly reject: (reason: unknown) => void;
}

/** A place among those who wait. */
interface Place<W> {
  readonly waiter: W;
  readonly since: number;
}

/**
 * Those who wait, first come, first served. Where nobody's turn comes for too long, those who hold what is waited for
 * may wait for it themselves: all who have waited for that long are told so. As long as it goes on, everybody's turn
 * comes.
 */
export class WaitingLine<W extends Waiting> {
  readonly #patience: Patience;
  readonly #time: DeadlineClock;
  readonly #connections: number;
  readonly #places = new LinkedList<Place<W>>();
  #turnAt = -Infinity;
  #disarm: (() => void) | undefined;

  /** @param connections how many there are, as errors say it */
  constructor(patience: Patience, connections: number) {
    this.#patience = patience;
    this.#time = elapsing(patience.clock, patience.clock.timeouts);
    this.#connections = connections;
  }

  /** How many there are. */
  get size(): number {
    return this.#places.size;
  }

  /** Who is first. */
  get first(): W | undefined {
    return this.#places.first?.item.waiter;
  }

  /** Adds one; gives what takes it out: false, if it was not there any more. */
  add(waiter: W): () => boolean {
    const since = this.#time.now();
    const link: Link<Place<W>> = this.#places.pushBack({ waiter, since });
    if (this.#disarm === undefined) this.#arm(since);
    return () => this.#places.remove(link);
  }

  /** Takes out the first, whose turn has come. */
  shift(): void {
    if (this.#places.popFront() !== undefined) this.#turnAt = this.#time.now();
  }

  /** Nobody's turn comes any more. */
  end(reason: unknown): void {
    this.#disarm?.();
    for (const { waiter } of this.#places) waiter.reject(reason);
  }

  #arm(since: number): void {
    const { ms } = this.#patience;
    // One timer for all, that stays where nobody waits any more: most waits are short.
    this.#disarm = this.#time.at(Math.max(since, this.#turnAt) + ms, () => this.#look());
  }

  #look(): void {
    const { ms, where } = this.#patience;
    this.#disarm = undefined;
    const now = this.#time.now();
    for (let first = this.#places.first; first !== undefined; first = this.#places.first) {
      const { since, waiter } = first.item;
      if (Math.max(since, this.#turnAt) + ms > now) return this.#arm(since);
      this.#places.remove(first);
      waiter.reject(new StoreBusyError(storeName, where, this.#connections, ms));
    }
  }
}
