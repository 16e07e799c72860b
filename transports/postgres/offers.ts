/** Messages that whoever sends them hands to a receiver of its own process, in the commit that writes them. @module */
import type { Delivery, Outgoing } from "../../src/spi/transport.ts";
import { type Held, rankOf } from "./message.ts";
import type { Queue } from "./topology.ts";

/** A message that was written as leased. */
export interface Handed extends Held {
  /** Minus its priority. */
  readonly rank: number;
  readonly delivery: Delivery;
}

/** A receiver to whom messages can be handed. */
export interface Taking {
  readonly queue: Queue;
  /** How many it would take at once, having found nothing that waits. */
  readonly hungry: number;
  /** Keeps room for what is being written for it; negative: gives that back. */
  reserve(count: number): void;
  /** Takes what was written for it, leased until then by this process' clock. */
  handed(all: readonly Handed[], until: number): void;
}

/** What one flight hands over: so a message costs no second commit before it is handled. */
export class Offers {
  readonly #reserved = new Map<Taking, number>();
  readonly #handed = new Map<Taking, Handed[]>();
  /** Rooms by queue. */
  readonly rooms = new Map<number, number>();

  /** @param most how many messages there are, at most as many are reserved of each */
  constructor(receivers: Iterable<Taking>, most: number) {
    for (const receiver of receivers) {
      // Whoever keeps the order of keys is told of what is first of its own.
      const room = receiver.queue.ordered ? 0 : Math.min(receiver.hungry, most);
      if (room <= 0) continue;
      receiver.reserve(room);
      this.#reserved.set(receiver, room);
      this.rooms.set(receiver.queue.id, (this.rooms.get(receiver.queue.id) ?? 0) + room);
    }
  }

  /** A message was written for one of them; the one with the most room gets it. */
  hand(queue: number, place: number, { frame, key, priority }: Outgoing, via: string): void {
    let best: Taking | undefined;
    for (const [receiver, room] of this.#reserved) {
      if (receiver.queue.id === queue && room > (best === undefined ? 0 : this.#reserved.get(best) ?? 0)) {
        best = receiver;
      }
    }
    if (best === undefined) return; // its queue was made anew meanwhile: the lease runs out
    this.#reserved.set(best, (this.#reserved.get(best) ?? 0) - 1);
    best.reserve(-1);
    const handed = { place, rank: rankOf(priority), deliveries: 1, delivery: { frame, key, via, deliveryCount: 1 } };
    const list = this.#handed.get(best);
    if (list === undefined) this.#handed.set(best, [handed]);
    else list.push(handed);
  }

  /** All is written: they get theirs, and the room that was kept in vain. */
  committed(until: number): void {
    this.undone();
    for (const [receiver, handed] of this.#handed) receiver.handed(handed, until);
  }

  /** Gives back all rooms. */
  undone(): void {
    for (const [receiver, room] of this.#reserved) receiver.reserve(-room);
    this.#reserved.clear();
  }
}
