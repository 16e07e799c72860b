/** For operators. @module */
import type { Channel, ConsumeMessage } from "amqplib";
import type { Admin, Delivery, Receiver, Sink } from "../../src/spi/transport.ts";
import { viaOf } from "./addresses.ts";
import { lookAt } from "./browsing.ts";
import { RabbitDelivery } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { delayedFor } from "./delays.ts";
import { toTyped } from "./errors.ts";
import { read } from "./frame.ts";
import { Taker, type TakerServices } from "./taker.ts";

/** What it asks of its transport. */
interface AdminServices extends TakerServices {
  readonly connection: Connection;
  /** The queues in which the messages of a queue wait. */
  queuesOf(queue: string): readonly string[];
}

/** `Transport.admin` of RabbitMQ. */
export class RabbitAdmin implements Admin {
  readonly #services: (doing: string) => AdminServices;

  /** @param services throws unless the transport is open */
  constructor(services: (doing: string) => AdminServices) {
    this.#services = services;
  }

  async count(queue: string): Promise<{ waiting: number; active: undefined; delayed: undefined }> {
    let waiting = 0;
    for (const each of this.#services(`count "queue:${queue}"`).queuesOf(queue)) {
      waiting += (await this.#with(each, "count", (channel) => channel.checkQueue(each))).messageCount;
    }
    return { waiting, active: undefined, delayed: undefined };
  }

  /** What is looked at a quorum queue counts as a return. */
  async browse(
    queue: string,
    from: string | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly Delivery[]; readonly next: string | undefined }> {
    const { connection, clock } = this.#services(`browse "queue:${queue}"`);
    const start = from === undefined ? 0 : Number(from);
    try {
      const { messages, total } = await lookAt(connection, clock, queue, start, start + limit);
      const items = messages.map((message) => seen(message, queue));
      return { items, next: items.length === limit && total > start + limit ? String(start + limit) : undefined };
    } catch (error) {
      throw toTyped(error, `queue:${queue}`, "browse");
    }
  }

  async take(queue: string, sink: Sink, credit: number): Promise<Receiver & { readonly done: Promise<void> }> {
    const services = this.#services(`take from "queue:${queue}"`);
    const taker = new Taker(queue, sink, credit, services);
    try {
      await taker.start(await services.connection.channel());
    } catch (error) {
      throw toTyped(error, `queue:${queue}`, "take from");
    }
    return taker;
  }

  async purge(queue: string): Promise<number> {
    let purged = 0;
    for (const each of this.#services(`purge "queue:${queue}"`).queuesOf(queue)) {
      purged += (await this.#with(each, "purge", (channel) => channel.purgeQueue(each))).messageCount;
    }
    return purged;
  }

  async #with<Result>(queue: string, doing: string, use: (channel: Channel) => Promise<Result>): Promise<Result> {
    const { connection } = this.#services(`${doing} "queue:${queue}"`);
    try {
      return await connection.with(use);
    } catch (error) {
      throw toTyped(error, `queue:${queue}`, doing);
    }
  }
}

function seen(message: ConsumeMessage, queue: string): Delivery {
  const { exchange, routingKey } = message.fields;
  const reading = read(message);
  return new RabbitDelivery(
    reading,
    reading.via ?? delayedFor(exchange, routingKey) ?? viaOf(exchange, routingKey, queue),
    undefined,
  );
}
