/** An open source. @module */
import { UnroutableError } from "../../src/errors/sending.ts";
import { type FrameHeaders, withHeaders } from "../../src/spi/frame.ts";
import type { Address, Receiver, Settlement, Sink } from "../../src/spi/transport.ts";
import { type Contents, Message } from "./message.ts";
import type { Consumer, Queue } from "./queue.ts";

/** What a receiver asks of its broker. */
export interface ReceiverServices {
  /** Puts the message into `queue` at `dueAt` (epoch milliseconds), or now if that is past. */
  later(queue: Queue, contents: Contents, via: Address, dueAt: number): void;
  /** Puts the message wherever `to` leads; false: that is nowhere, and nothing is done. */
  move(to: Address, contents: Contents): boolean;
  /** A settlement came too late, or is not of this receiver. */
  ineffective(): void;
  /** A queue that lived as long as its receiver. */
  remove(queue: Queue): void;
  /** A new queue for a reply source. */
  renew(queue: Queue): Queue;
}

/** What differs from receiver to receiver. */
export interface ReceiverOptions {
  readonly credit: number;
  readonly ordered: boolean;
  /** It has a new address after a reconnect. */
  readonly reply: boolean;
  /** The receivers of its transport. */
  readonly among: Set<MemoryReceiver>;
}

const stopped: Promise<void> = Promise.resolve();

/** A consumer of a queue, and its sink. */
export class MemoryReceiver implements Receiver, Consumer {
  readonly ordered: boolean;
  protected readonly services: ReceiverServices;
  protected readonly sink: Sink;
  readonly #reply: boolean;
  #queue: Queue;
  #credit: number;
  #unsettled = 0;
  #stopped = false;
  #closed = false;
  /** It is among them until it is stopped and has nothing unsettled. */
  readonly #among: Set<MemoryReceiver>;

  constructor(queue: Queue, sink: Sink, services: ReceiverServices, options: ReceiverOptions) {
    this.#queue = queue;
    this.sink = sink;
    this.services = services;
    this.#credit = options.credit;
    this.ordered = options.ordered;
    this.#reply = options.reply;
    this.#among = options.among;
    this.#among.add(this);
  }

  get address(): Address {
    return `queue:${this.#queue.name}`;
  }

  get queue(): Queue {
    return this.#queue;
  }

  get room(): number {
    return this.#stopped ? 0 : this.#credit - this.#unsettled;
  }

  get unsettled(): number {
    return this.#unsettled;
  }

  /** Begins to take. */
  start(): void {
    this.#queue.join(this);
  }

  deliver(batch: readonly Message[]): void {
    this.#unsettled += batch.length;
    this.sink.deliver(batch);
  }

  settle(batch: readonly Settlement[]): void | Promise<void> {
    let failure: Error | undefined;
    for (const settlement of batch) {
      const { delivery } = settlement;
      if (!(delivery instanceof Message) || delivery.owner !== this) {
        this.services.ineffective();
        continue;
      }
      switch (settlement.outcome) {
        case "accept":
          this.#settled(delivery);
          break;
        case "release":
          this.#settled(delivery);
          this.#queue.putBack(delivery, settlement.untouched !== true);
          break;
        case "again":
          this.#settled(delivery);
          this.services.later(this.#queue, copy(delivery, settlement.headers), delivery.via, settlement.dueAt);
          break;
        case "move": {
          // What is parked must not expire where it is parked: only its envelope still says when it would have.
          const moved = { ...copy(delivery, settlement.headers), expiresAt: undefined };
          if (this.services.move(settlement.to, moved)) this.#settled(delivery);
          else failure ??= new UnroutableError("a moved message", settlement.to);
          break;
        }
        default:
          settlement satisfies never;
      }
    }
    this.wake();
    if (failure !== undefined) return Promise.reject(failure);
  }

  credit(total: number): void {
    this.#credit = total;
    this.wake();
  }

  stop(): Promise<void> {
    if (this.#stopped) return stopped;
    this.#stopped = true;
    this.left();
    if (this.#unsettled === 0) this.#among.delete(this);
    return stopped;
  }

  /** Ends for good: what is unsettled goes back. The sink hears of it if there is a reason. */
  close(reason: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    const lost = this.#giveBack();
    void this.stop();
    if (reason !== undefined && lost.length > 0) this.sink.lost(lost, reason);
  }

  /** The connection has broken, and is there again. */
  reconnect(reason: Error): void {
    const lost = this.#giveBack();
    if (lost.length > 0) this.sink.lost(lost, reason);
    if (!this.#reply || this.#stopped) return;
    this.#queue.leave(this);
    this.#queue = this.services.renew(this.#queue);
    this.#queue.join(this);
    this.sink.readdressed();
  }

  /** It takes no more from its queue. */
  protected left(): void {
    this.#queue.leave(this);
    if (!this.#queue.durable) this.services.remove(this.#queue);
  }

  /** There may be something to take. */
  protected wake(): void {
    this.#queue.wake();
  }

  #settled(message: Message): void {
    this.#queue.settled(message);
    if (--this.#unsettled === 0 && this.#stopped) this.#among.delete(this);
  }

  #giveBack(): readonly Message[] {
    const lost = this.#queue.unsettled(this);
    for (const message of lost) {
      this.#settled(message);
      this.#queue.putBack(message);
    }
    return lost;
  }
}

function copy(message: Message, headers: FrameHeaders): Contents {
  return {
    frame: withHeaders(message.frame, { ...message.frame.headers, ...headers }),
    key: message.key,
    priority: message.priority,
    expiresAt: message.expiresAt,
  };
}
