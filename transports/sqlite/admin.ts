/** For operators. @module */
import { TopologyError } from "../../src/errors/transport.ts";
import type { Admin, Delivery, Receiver, Sink } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import { deliveryOf, nowhere, type Row } from "./message.ts";
import { News } from "./news.ts";
import type { SqliteReceiver } from "./receiver.ts";
import type { Services } from "./services.ts";
import { Taker } from "./taker.ts";
import type { Queue } from "./topology.ts";

const start: Pick<Row, "rank" | "place"> = { rank: -Number.MAX_SAFE_INTEGER, place: 0 };

/** `Transport.admin` of queues in a file. */
export class SqliteAdmin implements Admin {
  readonly #services: (doing: string) => Services;
  readonly #receivers: Set<SqliteReceiver>;

  /**
   * @param services throws unless the transport is open
   * @param receivers those of the transport, closed with it
   */
  constructor(services: (doing: string) => Services, receivers: Set<SqliteReceiver>) {
    this.#services = services;
    this.#receivers = receivers;
  }

  async count(queue: string): Promise<{ waiting: number; active: number; delayed: number }> {
    const services = this.#services(`count "queue:${queue}"`);
    return await this.#read(
      services,
      queue,
      (reader, found) => services.messages.count(reader, found, Math.floor(services.session.clock.now())),
    );
  }

  async browse(
    queue: string,
    from: string | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly Delivery[]; readonly next: string | undefined }> {
    const services = this.#services(`browse "queue:${queue}"`);
    const rows = await this.#read(
      services,
      queue,
      (reader, found) =>
        services.messages.browse(reader, found.id, after(from), limit + 1, Math.floor(services.session.clock.now())),
    );
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    return {
      items: items.map((row) => deliveryOf({ ...row, deliveries: row.deliveries + 1 })),
      next: rows.length <= limit ? undefined : last === undefined ? from : `${last.rank}:${last.place}`,
    };
  }

  async take(queue: string, sink: Sink, credit: number): Promise<Receiver & { readonly done: Promise<void> }> {
    const doing = `take from "queue:${queue}"`;
    const services = this.#services(doing);
    const found = await this.#read(services, queue, (_, found) => found);
    const last = await dueAndLast(services, found);
    this.#services(doing); // it may have been closed meanwhile
    const taker = new Taker(services, found, sink, credit, this.#receivers, last);
    taker.start();
    return taker;
  }

  async purge(queue: string): Promise<number> {
    const services = this.#services(`purge "queue:${queue}"`);
    const { session, messages, announce } = services;
    const found = await this.#read(services, queue, (_, found) => found);
    const last = await dueAndLast(services, found);
    for (let count = 0;;) {
      // In pieces, so that others write in between.
      const { purged, news } = await session.writer.write((connection) => {
        const news = new News();
        return { news, purged: messages.purge(connection, found, last, session.clock.now(), news) };
      });
      announce(news);
      count += purged;
      if (purged === 0) return count;
    }
  }

  #read<Result>(
    { session, entities }: Services,
    name: string,
    work: (reader: Connection, queue: Queue) => Result,
  ): Promise<Result> {
    return session.read((reader) => {
      entities.refresh(reader);
      const queue = entities.queue(reader, name);
      if (queue === undefined) throw TopologyError.missing(`queue:${name}`);
      return work(reader, queue);
    });
  }
}

/** Makes free what is due, in pieces, and gives the last place. */
async function dueAndLast({ session, entities, messages, announce }: Services, { id }: Queue): Promise<number> {
  for (;;) {
    const { all, last, news } = await session.writer.writeLax((connection) => {
      const [now, news] = [session.clock.now(), new News()];
      entities.refresh(connection);
      const all = [nowhere, id].map((queue) => messages.promote(connection, queue, now, news));
      return { all: all.every(Boolean), last: messages.last(connection), news };
    });
    announce(news);
    if (all) return last;
  }
}

function after(token: string | undefined): Pick<Row, "rank" | "place"> {
  if (token === undefined) return start;
  const [rank = 0, place = 0] = token.split(":").map(Number);
  return { rank, place };
}
