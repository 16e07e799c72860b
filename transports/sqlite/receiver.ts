/** An open source. @module */
import { ClaimLostError } from "../../src/errors/receiving.ts";
import type { Address, Delivery, Receiver, Settlement, Sink, Source } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/database.ts";
import { type Lease, type LeaseOwner, Leases } from "./leases.ts";
import { deliveryOf, type Row } from "./message.ts";
import type { Held } from "./messages.ts";
import { News } from "./news.ts";
import type { Handed, Taking } from "./offers.ts";
import { OwnQueue, type QueueOwner } from "./own_queue.ts";
import type { Services } from "./services.ts";
import { settle, type Settling } from "./settling.ts";
import type { Queue } from "./topology.ts";

/** What is tried again waits so long, in milliseconds. */
const retryMs = 250;

/** After so much the event loop turns, where handlers are done at once: a claim counts like so many messages. */
const [maxWork, claimCost] = [256, 16] as const;

/** Takes from a queue: claims as many as there is room for, renews their leases, settles them. */
export class SqliteReceiver implements Receiver, Taking, LeaseOwner, QueueOwner {
  protected readonly services: Services;
  protected readonly sink: Sink;
  readonly #holdMs: number;
  readonly #among: Set<SqliteReceiver>;
  protected readonly leases: Leases;
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
  readonly #own: OwnQueue | undefined;
  #stopped: Promise<void> | undefined;
  readonly #settling = new Set<Promise<void>>();
  #closed = false;

  /** @param among the receivers of its transport: it is one of them until it has stopped and holds nothing */
  constructor(
    services: Services,
    queue: Queue,
    source: Pick<Source, "credit" | "holdMs" | "topics">,
    sink: Sink,
    among: Set<SqliteReceiver>,
  ) {
    this.services = services;
    this.sink = sink;
    this.#queue = queue;
    this.#credit = source.credit;
    this.#holdMs = source.holdMs;
    this.#among = among;
    this.leases = new Leases(this, services.session.clock, services.leaseMs);
    if (queue.lifetime !== "durable") this.#own = new OwnQueue(services, queue, source.topics, this);
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
  get #room(): number {
    return this.#stopped !== undefined ? 0 : this.#credit - this.leases.unsettled - this.#reserved;
  }
  /** As {@linkcode Taking.hungry}. */
  get hungry(): number {
    return this.#taking === undefined && this.takesOffers ? this.#room : 0;
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
    this.#give(deliveries, until);
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
    if (this.#room <= 0) return; // it looks when there is room
    if (at <= this.services.session.clock.now()) this.wake();
    else this.#arm(at);
  }

  /** Something may be there. */
  wake(): void {
    this.#news = true;
    if (this.#taking !== undefined || this.#room <= 0) return;
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
    const settled = this.#settle(batch);
    this.#settling.add(settled);
    const done = (): void => void this.#settling.delete(settled);
    settled.then(done, done);
    return settled;
  }

  async #settle(batch: readonly Settlement[]): Promise<void> {
    let wanted = this.begin(batch);
    while (wanted.length > 0) {
      const written = await this.#write(wanted);
      if (written !== undefined) {
        const { news, failures } = written;
        this.undo(wanted.filter(({ lease }) => failures.has(lease)));
        this.settled(wanted.filter(({ lease }) => !failures.has(lease)));
        this.services.announce(news);
        for (const failure of failures.values()) throw failure;
        return;
      }
      await this.services.pause(retryMs);
      if (this.#closed) return;
      wanted = wanted.filter(({ lease }) => this.leases.has(lease)); // the others are lost meanwhile
    }
  }

  /** Writes settlements; `undefined`: they could not be, and nothing was. */
  async #write(wanted: readonly Settling[]): Promise<ReturnType<typeof settle> | undefined> {
    try {
      const { writer } = this.services.session;
      const work = (connection: Connection) => settle(this.services, this, connection, wanted);
      // What is undone comes again; a copy was promised to be there.
      const lax = wanted.every(({ settlement: { outcome } }) => outcome === "accept" || outcome === "release");
      const settled = lax ? writer.writeLax(work) : writer.write(work);
      this.wake(); // what comes next is claimed in the same commit
      return await settled;
    } catch (error) {
      if (!this.#closed) this.services.failed(error);
      return undefined;
    }
  }

  /** Whether a lease is neither settled nor lost. */
  holds(lease: Lease): boolean {
    return this.leases.has(lease);
  }

  /** Those of a batch that it holds and that are not being settled: they are now. */
  begin(batch: readonly Settlement[]): readonly Settling[] {
    const wanted: Settling[] = [];
    for (const settlement of batch) {
      const lease = this.leases.get(settlement.delivery);
      if (lease === undefined || lease.settling) continue;
      this.leases.settling(lease, true);
      wanted.push({ settlement, lease });
    }
    return wanted;
  }

  /** They are settled after all not. */
  undo(wanted: readonly Settling[]): void {
    for (const { lease } of wanted) this.leases.settling(lease, false);
  }

  /** They are settled. */
  settled(wanted: readonly Settling[]): void {
    for (const { lease } of wanted) this.leases.delete(lease);
    this.wake();
    this.#checkEnd();
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /** Takes no more; resolves once the file has what is being settled. */
  async flush(): Promise<void> {
    await this.stop();
    while (this.#settling.size > 0) await Promise.allSettled(this.#settling);
  }

  /** Ends for good. Gives what is to go back; the sink hears of it if there is a reason. */
  close(reason: Error | undefined): readonly Lease[] {
    if (this.#closed) return [];
    this.#closed = true;
    void this.stop().catch(() => {});
    const held = this.leases.clear();
    if (reason !== undefined && held.length > 0) this.sink.lost(held.map(({ delivery }) => delivery), reason);
    this.#checkEnd();
    return held;
  }

  /** As {@linkcode LeaseOwner.renew}. */
  renew(leases: readonly Lease[]): void {
    const { session, messages, leaseMs } = this.services;
    const until = Math.ceil(session.clock.now() + leaseMs);
    session.writer.writeLax((connection) => new Set(messages.renew(connection, leases, until))).then((gone) => {
      for (const lease of leases) lease.until = until;
      this.lose(leases.filter((lease) => gone.has(lease)));
    }, (error) => {
      if (this.#closed) return;
      this.services.failed(error);
      const now = session.clock.now();
      this.lose(leases.filter((lease) => lease.until <= now));
    });
  }

  /** As {@linkcode LeaseOwner.overdue}. */
  overdue(leases: readonly Lease[]): void {
    this.lose(leases);
    this.giveBack(leases, true);
  }

  /** As {@linkcode QueueOwner.renewed}: what was there is gone. */
  renewed(queue: Queue): void {
    this.lose([...this.leases.all]);
    this.#queue = queue;
    this.sink.readdressed();
    this.wake();
  }

  /** Lets others have them. */
  protected giveBack(leases: readonly Held[], counted: boolean): void {
    const { session, messages, announce } = this.services;
    const given = session.writer.writeLax((connection) => {
      const news = new News();
      const now = session.clock.now();
      for (const lease of leases) messages.release(connection, lease, counted, news, now);
      return news;
    }).then(announce, (error) => {
      if (!this.#closed) this.services.failed(error); // then the leases run out
    }).finally(() => this.#settling.delete(given));
    this.#settling.add(given);
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
      while (this.#room > 0) {
        this.#news = false;
        if (!this.#full) {
          const at = await read((reader) => {
            this.services.entities.refresh(reader);
            return this.look(reader, clock.now());
          });
          if (this.#room <= 0) break;
          if (at > clock.now()) {
            this.#arm(at);
            break;
          }
        }
        const wanted = this.#room;
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
      if (this.#closed || this.#stopped !== undefined) return;
      this.#full = false;
      this.services.failed(error);
      this.#arm(clock.now() + retryMs);
    }
  }

  #deliver(rows: readonly Row[], until: number): void {
    this.#give(rows.map((row) => ({ place: row.place, deliveries: row.deliveries, delivery: deliveryOf(row) })), until);
  }

  #give(all: readonly (Held & { readonly delivery: Delivery })[], until: number): void {
    if (all.length === 0) return;
    const fit = Math.max(this.#room, 0); // there may be less than when it was asked
    const holdUntil = this.services.session.clock.now() + this.#holdMs;
    const batch: Delivery[] = [];
    for (const { place, deliveries, delivery } of all.slice(0, fit)) {
      batch.push(delivery);
      this.leases.add({ place, deliveries, delivery, until, holdUntil, settling: false });
    }
    if (all.length > fit) this.giveBack(all.slice(fit), false);
    if (batch.length > 0) this.sink.deliver(batch);
  }

  /** Others have them. */
  lose(leases: readonly Lease[]): void {
    const lost = leases.filter((lease) => this.leases.has(lease));
    if (lost.length === 0) return;
    for (const lease of lost) this.leases.delete(lease);
    this.sink.lost(lost.map(({ delivery }) => delivery), new ClaimLostError(this.#queue.name));
    this.wake();
    this.#checkEnd();
  }

  async #stop(): Promise<void> {
    this.#disarm?.();
    this.#armedFor = Infinity;
    this.#own?.stop();
    await undefined; // from here on it counts as stopped
    await this.#taking;
    await this.#own?.remove();
    this.#checkEnd();
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

  #checkEnd(): void {
    if (this.leases.size > 0) return;
    this.idle();
    if (this.#stopped === undefined) return;
    this.leases.disarm();
    this.#among.delete(this);
  }
}
