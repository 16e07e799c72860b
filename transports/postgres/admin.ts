/** For operators. @module */
import { TopologyError } from "../../src/errors/transport.ts";
import type { Admin, Delivery, Receiver, Sink } from "../../src/spi/transport.ts";
import { News } from "./news.ts";
import { maxClaim } from "./message_statements.ts";
import { type Place, start } from "./messages.ts";
import type { PostgresReceiver } from "./receiver.ts";
import type { Services } from "./services.ts";
import { Taker } from "./taker.ts";
import type { Queue } from "./topology.ts";
import { sessionOf } from "./transacting.ts";

/** `Transport.admin` of queues in a database. */
export class PostgresAdmin implements Admin {
  readonly #services: (doing: string) => Services;
  readonly #receivers: Set<PostgresReceiver>;

  /**
   * @param services throws unless the transport is open
   * @param receivers those of the transport, closed with it
   */
  constructor(services: (doing: string) => Services, receivers: Set<PostgresReceiver>) {
    this.#services = services;
    this.#receivers = receivers;
  }

  async count(queue: string): Promise<{ waiting: number; active: number; delayed: number }> {
    const services = this.#services(`count "queue:${queue}"`);
    const { id } = await found(services, queue);
    return await services.messages.count(services.database, id);
  }

  async browse(
    queue: string,
    from: string | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly Delivery[]; readonly next: string | undefined }> {
    const services = this.#services(`browse "queue:${queue}"`);
    const { id } = await found(services, queue);
    const most = Math.min(limit, maxClaim - 1); // and one more tells whether there are others
    const rows = await services.messages.browse(services.database, id, after(from), most + 1);
    const page = rows.slice(0, most);
    const last = page.at(-1);
    return {
      items: page.map(({ delivery, deliveries }) => ({ ...delivery, deliveryCount: deliveries + 1 })),
      next: rows.length <= most ? undefined : last === undefined ? from : `${last.rank}:${last.place}`,
    };
  }

  async take(queue: string, sink: Sink, credit: number): Promise<Receiver & { readonly done: Promise<void> }> {
    const doing = `take from "queue:${queue}"`;
    const services = this.#services(doing);
    const of = await found(services, queue);
    const last = await dueAndLast(services, of);
    this.#services(doing); // it may have been closed meanwhile
    const taker = new Taker(services, of, sink, credit, this.#receivers, last);
    taker.start();
    return taker;
  }

  async purge(queue: string): Promise<number> {
    const services = this.#services(`purge "queue:${queue}"`);
    const of = await found(services, queue);
    return await services.messages.purge(services.database, of.id, await dueAndLast(services, of));
  }
}

/** Makes free what is due, and gives the last place. */
async function dueAndLast({ database, messages, announce }: Services, { id }: Queue): Promise<number> {
  for (let all = false; !all;) {
    const news = new News();
    all = await messages.enter(database, id, news);
    announce(news);
  }
  return await messages.last(database);
}

async function found({ database, entities }: Services, name: string): Promise<Queue> {
  const queue = await entities.queue(sessionOf(database), name);
  if (queue === undefined) throw TopologyError.missing(`queue:${name}`);
  return queue;
}

function after(token: string | undefined): Place {
  if (token === undefined) return start;
  const [rank = 0, place = 0] = token.split(":").map(Number);
  return { rank, place };
}
