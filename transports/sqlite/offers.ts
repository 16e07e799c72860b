/** Messages that whoever sends them hands to a receiver of its own process, in the commit that writes them. @module */
import type { Address, Outgoing } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { Messages } from "./messages.ts";
import type { Queue } from "./topology.ts";

/** A message that was written as leased. */
export interface Handed {
  readonly place: number;
  readonly outgoing: Outgoing;
  readonly via: Address;
}

/** A receiver to whom messages can be handed. */
export interface Taking {
  readonly queue: Queue;
  /** How many it would take at once, having found nothing that waits. */
  readonly hungry: number;
  /** Keeps room for what is being written for it; negative: gives that back. */
  reserve(count: number): void;
  /** Takes what was written for it, leased until then. */
  handed(all: readonly Handed[], until: number): void;
}

/** What one transaction hands over: so a message costs no second commit before it is handled. */
export class Offers {
  /** Until when what is handed over is leased. */
  readonly until: number;
  readonly #messages: Messages;
  readonly #receivers: Iterable<Taking>;
  /** By queue, those that wait for messages; none where something waits already, which goes first. */
  readonly #hungry = new Map<number, readonly Taking[]>();
  readonly #handed = new Map<Taking, Handed[]>();

  /** @param receivers of the transport */
  constructor(messages: Messages, receivers: Iterable<Taking>, until: number) {
    this.#messages = messages;
    this.#receivers = receivers;
    this.until = until;
  }

  /** The receiver with the most room that waits for a message of this queue. */
  receiver(connection: Connection, queue: Queue): Taking | undefined {
    let hungry = this.#hungry.get(queue.id);
    if (hungry === undefined) {
      const all = [...this.#receivers].filter((each) => each.queue.id === queue.id && each.hungry > 0);
      hungry = all.length > 0 && !this.#messages.anyWaiting(connection, queue.id) ? all : [];
      this.#hungry.set(queue.id, hungry);
    }
    let best: Taking | undefined;
    for (const each of hungry) if (each.hungry > (best?.hungry ?? 0)) best = each;
    return best;
  }

  hand(receiver: Taking, handed: Handed): void {
    receiver.reserve(1);
    const list = this.#handed.get(receiver);
    if (list === undefined) this.#handed.set(receiver, [handed]);
    else list.push(handed);
  }

  /** All is written. */
  committed(): void {
    for (const [receiver, handed] of this.#handed) {
      receiver.reserve(-handed.length);
      receiver.handed(handed, this.until);
    }
    this.#handed.clear();
  }

  /** Nothing is. */
  undone(): void {
    for (const [receiver, { length }] of this.#handed) receiver.reserve(-length);
    this.#handed.clear();
  }
}
