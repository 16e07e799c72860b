/** For operators. @module */
import { TopologyError } from "../../src/errors/transport.ts";
import type { Admin, Delivery, Receiver, Sink } from "../../src/spi/transport.ts";
import type { Broker } from "./broker.ts";
import { Message } from "./message.ts";
import type { Queue } from "./queue.ts";
import type { MemoryReceiver } from "./receiver.ts";
import { Taker } from "./taker.ts";

/** `Transport.admin` of a memory transport. */
export class MemoryAdmin implements Admin {
  readonly #broker: Broker;
  readonly #check: (doing: string) => void;
  readonly #receivers: Set<MemoryReceiver>;

  /**
   * @param check throws unless the transport is open
   * @param receivers those of the transport, closed with it
   */
  constructor(broker: Broker, check: (doing: string) => void, receivers: Set<MemoryReceiver>) {
    this.#broker = broker;
    this.#check = check;
    this.#receivers = receivers;
  }

  // Async, so that what is thrown is a rejection.
  // deno-lint-ignore require-await
  async count(queue: string): Promise<{ waiting: number; active: number; delayed: number }> {
    const found = this.#queue(queue, "count");
    found.dropExpired();
    return { waiting: found.waiting, active: found.active, delayed: this.#broker.delayed(queue) };
  }

  // deno-lint-ignore require-await
  async browse(
    queue: string,
    from: string | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly Delivery[]; readonly next: string | undefined }> {
    const found = this.#queue(queue, "browse");
    const items: Message[] = [];
    for (const message of found.browse(from === undefined ? undefined : after(from))) {
      const last = items.at(-1);
      if (items.length >= limit) {
        return { items, next: last === undefined ? from : `${last.priority}:${last.position}` };
      }
      items.push(new Message(message, message.via, message.position, message.deliveryCount)); // which nobody can settle
    }
    return { items, next: undefined };
  }

  // deno-lint-ignore require-await
  async take(queue: string, sink: Sink, credit: number): Promise<Receiver & { readonly done: Promise<void> }> {
    const taker = new Taker(this.#queue(queue, "take from"), sink, this.#broker, credit, this.#receivers);
    taker.start();
    return taker;
  }

  // deno-lint-ignore require-await
  async purge(queue: string): Promise<number> {
    return this.#queue(queue, "purge").drain().length;
  }

  #queue(name: string, doing: string): Queue {
    this.#check(`${doing} "queue:${name}"`);
    const queue = this.#broker.entities.queue(name);
    if (queue === undefined) throw TopologyError.missing(`queue:${name}`);
    return queue;
  }
}

function after(token: string): (message: Message) => boolean {
  const [priority = 0, position = 0] = token.split(":").map(Number);
  return (message) => message.priority < priority || (message.priority === priority && message.position > position);
}
