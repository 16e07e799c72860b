/** For operators. @module */
import type { Channel, ConsumeMessage } from "amqplib";
import { UnsupportedError } from "../../src/errors/configuration.ts";
import { HeroError } from "../../src/errors/hero_error.ts";
import type { Admin, Delivery, Receiver, Sink } from "../../src/spi/transport.ts";
import { viaOf } from "./addresses.ts";
import { lookAt, Looks } from "./browsing.ts";
import { RabbitDelivery } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { delayedFor } from "./delays.ts";
import { codeOf, codes, textOf, toTyped, transportName } from "./errors.ts";
import { read } from "./frame.ts";
import { noDeliveryLimit } from "./queue_options.ts";
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
  readonly #looks = new Looks(() => this.#services("browse").clock);

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

  /**
   * A quorum queue counts what is looked at as a return: pages that follow soon are of the same look.
   *
   * @throws {UnsupportedError} if looking often would have the queue drop what is in it
   */
  async browse(
    queue: string,
    from: string | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly Delivery[]; readonly next: string | undefined }> {
    const { connection, clock } = this.#services(`browse "queue:${queue}"`);
    const [place = "0", name = ""] = from?.split(" ") ?? [];
    const start = Number(place);
    let look = this.#looks.get(name);
    let kept: string | undefined = name;
    try {
      if (look === undefined || start >= look.start + look.messages.length) {
        this.#looks.drop(name);
        kept = undefined;
        await checkReturns(connection, queue);
        look = await lookAt(connection, clock, queue, start, limit);
      }
    } catch (error) {
      throw error instanceof HeroError ? error : toTyped(error, `queue:${queue}`, "browse");
    }
    const items = look.messages.slice(start - look.start, start - look.start + limit)
      .map((message) => seen(message, queue));
    const end = start + items.length;
    // A page that is not full may be the end of what was kept, not of what is there.
    const more = items.length > 0 && end < look.total &&
      (items.length === limit || end === look.start + look.messages.length);
    if (!more) this.#looks.drop(name);
    return { items, next: more ? `${end} ${kept ?? this.#looks.keep(look)}` : undefined };
  }

  /** Nothing is kept any more. */
  close(): void {
    this.#looks.clear();
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

/** From how many returns on a queue may be looked at: whoever lists what failed does not do so as often. */
const leastReturns = 100;

/** @throws {UnsupportedError} if a queue drops what was looked at a few times */
async function checkReturns(connection: Connection, queue: string): Promise<void> {
  const returns = await returnsOf(connection, queue);
  if (returns === undefined || returns >= leastReturns) return;
  throw new UnsupportedError(
    transportName,
    `looking at "${queue}": each look counts as a delivery there, and it drops what was returned more than ${returns} times`,
    `Declare it without a delivery limit, as a bus does for its error queues: once it is empty, delete it and run ` +
      `bus.deploy("apply")`,
  );
}

/** After how many returns a queue gives a message up; `undefined`: it does not, or it is not known. */
async function returnsOf(connection: Connection, queue: string): Promise<number | undefined> {
  try {
    await connection.with(async (channel) => {
      await channel.checkQueue(queue);
      // What is there is not changed by that; the broker says how it differs.
      await channel.assertQueue(queue, {
        arguments: { "x-queue-type": "quorum", "x-delivery-limit": noDeliveryLimit },
      });
    });
  } catch (error) {
    if (codeOf(error) === codes.notFound || codeOf(error) === undefined) throw error;
    const [, current = ""] = /inequivalent arg 'x-delivery-limit' .* but current is (.*)$/.exec(textOf(error)) ?? [];
    const [, value] = /'(\d+)'/.exec(current) ?? [];
    if (value !== undefined) return Number(value);
    // From RabbitMQ 4 on it has one all the same.
    return current.startsWith("none") && Number(connection.version?.split(".")[0]) >= 4 ? 20 : undefined;
  }
  return undefined;
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
