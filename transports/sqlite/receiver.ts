/** An open source. @module */
import type { QueueOwner } from "../../src/leasing/own_queue.ts";
import type { Address, Delivery, Receiver, Settlement, Sink, Source } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import { Claims, type ClaimsOwner } from "./claims.ts";
import type { Lease } from "./lease.ts";
import { deliveryOf, type Row } from "./message.ts";
import { News } from "./news.ts";
import type { Handed, Taking } from "./offers.ts";
import { SqliteOwnQueue } from "./own_queue.ts";
import { retryMs, type Services } from "./services.ts";
import type { Queue } from "./topology.ts";

/** After so much the event loop turns, where handlers are done at once: a claim counts like so many messages. */
const [maxWork, claimCost] = [256, 16] as const;

/** Takes from a queue, as many as there is room for. What becomes of that is its {@linkcode Claims}' matter. */
export class SqliteReceiver implements Receiver, Taking, ClaimsOwner, QueueOwner<Queue> {
  protected readonly services: Services;
  readonly #sink: Sink;
  readonly #among: Set<SqliteReceiver>;
  /** What it has taken. */
  readonly claims: Claims;
  #queue: Queue;
  #credit: number;
  /** The take under way. */
  #taking: Promise<void> | undefined;
  /** Something may have come since it looked. */
  #news = false;
  /** The last claim gave all that it had asked for: there is more, probably. */
  #full = false;
  /** Room that is kept for what is being written for it. */
  #reserved = 0;
  /** What was taken since the event loop has turned. */
  #work = 0;
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;
  readonly #own: SqliteOwnQueue | undefined;
  #stopped: Promise<void> | undefined;

  /** @param among the receivers of its transport: it is one of them until it has stopped and holds nothing */
  constructor(
    services: Services,
    queue: Queue,
    source: Pick<Source, "credit" | "holdMs" | "topics">,
    sink: Sink,
    among: Set<SqliteReceiver>,
  ) {
    this.services = services;
    this.#sink = sink;
    this.#queue = queue;
    this.#credit = source.credit;
    this.#among = among;
    this.claims = new Claims(services, this, sink, source.holdMs);
    if (queue.lifetime !== "durable") this.#own = new SqliteOwnQueue(services, queue, source.topics, this);
    among.add(this);
  }

  get address(): Address {
    return `queue:${this.#queue.name}`;
  }
  get queue(): Queue {
    return this.#queue;
  }
  /** Whether it takes no more, and its queue was its own: what it has goes nowhere else. */
  get abandoned(): boolean {
    return this.#stopped !== undefined && this.#queue.lifetime !== "durable";
  }
  /** How many more it may hold. */
  get room(): number {
    return this.#stopped !== undefined ? 0 : this.#credit - this.claims.unsettled - this.#reserved;
  }
  /** As {@linkcode Taking.hungry}. */
  get hungry(): number {
    return this.#taking === undefined && this.takesOffers ? this.room : 0;
  }
  /** Whether it takes what was not there when it began. */
  protected get takesOffers(): boolean {
    return true;
  }

  /** As {@linkcode Taking.reserve}. */
  reserve(count: number): void {
    this.#reserved += count;
  }

  /** As {@linkcode Taking.handed}. */
  handed(all: readonly Handed[], until: number): void {
    const deliveries = all.map(({ place, outgoing: { frame, key }, via }) => {
      const delivery: Delivery = { frame, key, via, deliveryCount: 1 };
      return { place, deliveries: 1, delivery };
    });
    this.claims.deliver(deliveries, until);
  }

  /** Whether it is a receiver of that transport. */
  isOf(services: Services): boolean {
    return this.services === services;
  }

  /** Begins to take. */
  start(): void {
    this.#own?.start();
    this.wake();
  }

  /** Something may be there at a time. */
  expect(at: number): void {
    if (this.room <= 0) return; // it looks when there is room
    if (at <= this.services.session.clock.now()) this.wake();
    else this.#arm(at);
  }

  /** Something may be there. */
  wake(): void {
    this.#news = true;
    if (this.#taking !== undefined || this.room <= 0) return;
    this.#taking = this.#take().finally(() => {
      this.#taking = undefined;
      if (this.#news) this.wake();
    });
  }

  credit(total: number): void {
    this.#credit = total;
    this.wake();
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    return this.claims.settle(batch);
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /** Takes no more; resolves once the file has what is being settled. */
  async flush(): Promise<void> {
    await this.stop();
    await this.claims.flush();
  }

  /** Ends for good. Gives what is to go back; the sink hears of it if there is a reason. */
  close(reason: Error | undefined): readonly Lease[] {
    void this.stop().catch(() => {});
    return this.claims.close(reason);
  }

  /** As {@linkcode QueueOwner.renewed}: what was there is gone. */
  renewed(queue: Queue): void {
    this.claims.loseAll();
    this.#queue = queue;
    this.#sink.readdressed();
    this.wake();
  }

  /** As {@linkcode ClaimsOwner.emptied}. */
  emptied(): void {
    this.idle();
    if (this.#stopped === undefined) return;
    this.claims.end();
    this.#among.delete(this);
  }

  /** When there may be something to take; not after now: there is. */
  protected look(connection: Connection, now: number): number {
    return this.services.messages.next(connection, this.#queue.id, now);
  }

  /** Takes so many. */
  protected claim(connection: Connection, limit: number, until: number, now: number, news: News): readonly Row[] {
    return this.services.messages.claim(connection, this.#queue, limit, until, now, news);
  }

  /** A claim has given these. */
  protected claimed(_rows: readonly Row[]): void {}

  /** Nothing is unsettled. */
  protected idle(): void {}

  async #take(): Promise<void> {
    const { session, announce, leaseMs, turn } = this.services;
    const { clock, writer, read } = session;
    try {
      while (this.room > 0) {
        this.#news = false;
        if (!this.#full) {
          const at = await read((reader) => {
            this.services.entities.refresh(reader);
            return this.look(reader, clock.now());
          });
          if (this.room <= 0) break;
          if (at > clock.now()) {
            this.#arm(at);
            break;
          }
        }
        const wanted = this.room;
        const until = Math.ceil(clock.now() + leaseMs);
        const { rows, news } = await writer.writeLax((connection) => {
          const news = new News();
          this.services.entities.refresh(connection);
          return { news, rows: this.claim(connection, wanted, until, clock.now(), news) };
        });
        this.#full = rows.length >= wanted;
        this.services.worked();
        this.claimed(rows);
        this.#deliver(rows, until);
        announce(news);
        this.#work += claimCost + rows.length;
        if (this.#work < maxWork) continue;
        await turn();
        this.#work = 0;
      }
    } catch (error) {
      if (this.#stopped !== undefined) return;
      this.#full = false;
      this.services.failed(error);
      this.#arm(clock.now() + retryMs);
    }
  }

  #deliver(rows: readonly Row[], until: number): void {
    const all = rows.map((row) => ({ place: row.place, deliveries: row.deliveries, delivery: deliveryOf(row) }));
    this.claims.deliver(all, until);
  }

  async #stop(): Promise<void> {
    this.#disarm?.();
    this.#armedFor = Infinity;
    this.#own?.stop();
    await undefined; // from here on it counts as stopped
    await this.#taking;
    await this.#own?.remove();
    if (this.claims.size === 0) this.emptied();
  }

  #arm(at: number): void {
    if (at >= this.#armedFor || at === Infinity || this.#stopped !== undefined) return;
    this.#disarm?.();
    this.#armedFor = at;
    const { clock } = this.services.session;
    this.#disarm = (clock.background ?? clock).at(at, () => {
      this.#armedFor = Infinity;
      this.wake();
    });
  }
}
