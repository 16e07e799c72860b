/** Taking what a queue has, once. @module */
import type { Receiver, Sink } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { Row } from "./message.ts";
import type { News } from "./news.ts";
import { SqliteReceiver } from "./receiver.ts";
import type { Services } from "./services.ts";
import type { Queue } from "./topology.ts";

/** A receiver that gets each message once that was there when it began, and ends then. */
export class Taker extends SqliteReceiver implements Receiver {
  readonly done: Promise<void>;
  readonly #last: number;
  readonly #end: () => void;
  /** The last that was taken. */
  #after: Pick<Row, "rank" | "place"> = { rank: -Number.MAX_SAFE_INTEGER, place: 0 };
  #drained = false;

  /** @param last the last place that counts */
  constructor(
    services: Services,
    queue: Queue,
    sink: Sink,
    credit: number,
    among: Set<SqliteReceiver>,
    last: number,
  ) {
    super(services, queue, { credit, holdMs: Infinity, topics: [] }, sink, among);
    this.#last = last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#end = resolve;
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#drained = true;
    this.idle();
  }

  protected override get takesOffers(): boolean {
    return false;
  }

  protected override look(connection: Connection, now: number): number {
    const [row] = this.services.messages.browse(connection, this.queue.id, this.#after, 1, now, this.#last);
    if (row !== undefined) return now;
    this.#drained = true;
    queueMicrotask(() => this.idle());
    return Infinity;
  }

  protected override claim(
    connection: Connection,
    limit: number,
    until: number,
    now: number,
    news: News,
  ): readonly Row[] {
    return this.services.messages.take(connection, this.queue, this.#after, this.#last, limit, until, now, news);
  }

  protected override claimed(rows: readonly Row[]): void {
    const last = rows.at(-1);
    if (last === undefined) return;
    const { rank, place } = last;
    this.#after = { rank, place };
  }

  protected override idle(): void {
    if (!this.#drained || this.claims.size > 0) return;
    this.#end();
    void super.stop();
  }
}
