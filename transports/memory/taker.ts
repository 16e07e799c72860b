/** Takes what is in a queue, once. @module */
import type { Receiver, Sink } from "../../src/spi/transport.ts";
import { Deque } from "../../src/values/deque.ts";
import type { Message } from "./message.ts";
import type { Queue } from "./queue.ts";
import { MemoryReceiver, type ReceiverServices } from "./receiver.ts";

/**
 * A receiver of what waited when it began: it sets that aside, so that what it releases goes to others and does not come
 * to it again.
 */
export class Taker extends MemoryReceiver implements Receiver {
  readonly done: Promise<void>;
  readonly #aside = new Deque<Message>();
  #pumping = false;
  #ended = false;
  #end: () => void = () => {};

  constructor(queue: Queue, sink: Sink, services: ReceiverServices, credit: number, among: Set<MemoryReceiver>) {
    super(queue, sink, services, { credit, ordered: false, reply: false, among });
    this.done = new Promise((resolve) => this.#end = resolve);
  }

  override start(): void {
    for (const message of this.queue.drain()) this.#aside.pushBack(message);
    this.queue.setAside += this.#aside.size;
    this.wake();
  }

  protected override left(): void {
    this.queue.setAside -= this.#aside.size;
    this.queue.restore(this.#aside);
    this.#aside.clear();
    this.wake();
  }

  protected override wake(): void {
    if (this.#pumping || this.#ended) return;
    this.#pumping = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    this.#pumping = false;
    const batch: Message[] = [];
    while (batch.length < this.room) {
      const message = this.#aside.popFront();
      if (message === undefined) break;
      this.queue.setAside--;
      if (this.queue.deliverDrained(message, this)) batch.push(message);
    }
    if (batch.length > 0) this.deliver(batch);
    this.queue.relieve();
    if (this.#aside.size > 0 || this.unsettled > 0) return;
    this.#ended = true;
    void this.stop();
    this.#end();
  }
}
