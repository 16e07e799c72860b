/** What is delivered and not settled. @module */
import type { Message } from "./message.ts";

/** The unsettled messages of a queue, in order of delivery. The list runs through the messages: none costs an object. */
export class InFlight {
  #first: Message | undefined;
  #last: Message | undefined;
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** From now on `owner` may settle it. */
  add(message: Message, owner: object): void {
    message.owner = owner;
    message.earlier = this.#last;
    if (this.#last === undefined) this.#first = message;
    else this.#last.later = message;
    this.#last = message;
    this.#size++;
  }

  /** It is settled, or lost. */
  remove(message: Message): void {
    if (message.earlier === undefined) this.#first = message.later;
    else message.earlier.later = message.later;
    if (message.later === undefined) this.#last = message.earlier;
    else message.later.earlier = message.earlier;
    // Whoever keeps a settled delivery must not keep its neighbours with it.
    message.owner = message.earlier = message.later = undefined;
    this.#size--;
  }

  /** Those of one owner, or all. */
  of(owner?: object): readonly Message[] {
    const found: Message[] = [];
    for (let each = this.#first; each !== undefined; each = each.later) {
      if (owner === undefined || each.owner === owner) found.push(each);
    }
    return found;
  }
}
