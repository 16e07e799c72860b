/** Answers that come to a channel, without a queue. @module */
import type { Channel, ConsumeMessage } from "amqplib";
import { Buffer as NodeBuffer } from "node:buffer"; // what the client takes for a body
import { UnsupportedError } from "../../src/errors/configuration.ts";
import { ClosedError, DisconnectedError } from "../../src/errors/transport.ts";
import type { Delivery, Receiver, Settlement, Sink } from "../../src/spi/transport.ts";
import { Deque } from "../../src/values/deque.ts";
import { RabbitDelivery } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { transportName } from "./errors.ts";
import { read } from "./frame.ts";

/** What a client consumes from, and says in the property `reply-to`. The broker puts the channel's own address there. */
const pseudoQueue = "amq.rabbitmq.reply-to";
/** How often it is looked whether the message that tells the address has come. */
const mostLooks = 100;

/** Whether an address is that of a channel: the broker calls what is sent there unroutable, even if it arrives. */
export function isDirect(address: string): boolean {
  return address.startsWith(`queue:${pseudoQueue}.`);
}

/**
 * A reply source on a channel. Its address ends with the channel; answers to the old one are lost, and the sink is told.
 * The broker keeps no answer until it is settled: one that is given back is handed out anew, by this process alone.
 */
export class DirectReplies implements Receiver {
  address = "";
  readonly #connection: Connection;
  readonly #sink: Sink;
  readonly #ended: () => void;
  readonly #ready = new Deque<RabbitDelivery>();
  readonly #unsettled = new Set<Delivery>();
  #channel: Channel | undefined;
  #credit: number;
  #opening = false;
  #stopped = false;
  #scheduled = false;

  /** @param ended it takes nothing any more */
  constructor(connection: Connection, sink: Sink, credit: number, ended: () => void) {
    this.#connection = connection;
    this.#sink = sink;
    this.#credit = credit;
    this.#ended = ended;
  }

  /** Begins to take, and has an address. */
  async start(): Promise<void> {
    await this.#open();
  }

  /** The connection is there: takes again, under another address. */
  kick(): void {
    if (this.#opening || this.#stopped || this.#channel !== undefined || !this.#connection.ready) return;
    this.#open().then(() => this.#sink.readdressed(), () => {}); // the connection is gone again: it kicks
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    for (const { delivery, outcome } of batch) {
      if (!this.#unsettled.has(delivery)) continue;
      if (outcome === "again" || outcome === "move") {
        return Promise.reject(
          new UnsupportedError(transportName, `the outcome "${outcome}" of an answer`, "Accept it, and send another"),
        );
      }
      this.#unsettled.delete(delivery);
      if (outcome !== "release" || this.#stopped) continue;
      const { frame, key, via = "", deliveryCount = 1, unreadable } = delivery;
      const reading = { frame, key, via, deliveryCount, unreadable, expiresAt: undefined, dueAt: undefined };
      this.#ready.pushFront(new RabbitDelivery(reading, via, undefined, deliveryCount + 1));
    }
    this.#pump();
    return Promise.resolve();
  }

  credit(total: number): void {
    this.#credit = total;
    this.#pump();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#ready.clear();
    this.#ended();
    await this.#channel?.close().catch(() => {}); // the connection has ended it
  }

  async #open(): Promise<void> {
    this.#opening = true;
    try {
      const channel = await this.#connection.channel();
      channel.on("close", () => {
        if (this.#channel !== channel) return;
        this.#channel = undefined;
        queueMicrotask(() => this.kick()); // then it is known whether the connection has ended, too
      });
      await channel.consume(pseudoQueue, (message) => this.#came(message), { noAck: true });
      this.address = `queue:${await addressOf(channel)}`;
      if (this.#stopped) throw new ClosedError(`the transport "${transportName}"`);
      this.#channel = channel;
    } finally {
      this.#opening = false;
    }
  }

  #came(message: ConsumeMessage | null): void {
    if (message === null || this.#stopped) return;
    const reading = read(message);
    this.#ready.pushBack(new RabbitDelivery(reading, reading.via ?? `queue:${message.fields.routingKey}`, undefined));
    this.#pump();
  }

  #pump(): void {
    if (this.#scheduled || this.#ready.size === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const batch: RabbitDelivery[] = [];
      while (!this.#stopped && this.#unsettled.size < this.#credit) {
        const delivery = this.#ready.popFront();
        if (delivery === undefined) break;
        this.#unsettled.add(delivery);
        batch.push(delivery);
      }
      if (batch.length > 0) this.#sink.deliver(batch);
    });
  }
}

/** The broker tells it to receivers alone: so the channel sends itself a message. */
async function addressOf(channel: Channel): Promise<string> {
  const { queue } = await channel.assertQueue("", { exclusive: true, durable: false });
  channel.publish("", queue, NodeBuffer.alloc(0), { replyTo: pseudoQueue });
  for (let look = 0; look < mostLooks; look++) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) continue;
    await channel.deleteQueue(queue);
    return String(message.properties.replyTo);
  }
  throw new DisconnectedError(transportName, `learn the address of its answers`);
}
