/** An open source. @module */
import { ClaimLostError } from "../../src/errors/receiving.ts";
import type { Address, Delivery, Receiver, Settlement, Sink, Source } from "../../src/spi/transport.ts";
import { type Lease, type LeaseOwner, Leases } from "./leases.ts";
import type { Found, Held } from "./message.ts";
import type { Claimed } from "./messages.ts";
import { News } from "./news.ts";
import type { Handed, Taking } from "./offers.ts";
import { OwnQueue, type QueueOwner } from "./own_queue.ts";
import type { Services } from "./services.ts";
import { isPlain, type Settling } from "./settling.ts";
import { Settler } from "./settler.ts";
import type { Queue } from "./topology.ts";

/** What is tried again waits so long, in milliseconds. */
const retryMs = 250;
/** More are claimed in no single flight. */
const maxClaim = 1_000;

/**
 * Takes from a queue: claims as many as there is room for, renews their leases, settles them. One flight at a time: what
 * is accepted meanwhile goes with the next, which claims as many again.
 */
export class PostgresReceiver implements Receiver, Taking, LeaseOwner, QueueOwner {
  protected readonly services: Services;
  protected readonly sink: Sink;
  protected readonly leases: Leases;
  readonly #holdMs: number;
  readonly #among: Set<PostgresReceiver>;
  readonly #settler: Settler;
  readonly #own: OwnQueue | undefined;
  #queue: Queue;
  #credit: number;
  /** The flights under way, one after the other. */
  #running: Promise<void> | undefined;
  /** Something may have come since it looked. */
  #news = false;
  /** A claim is under way. */
  #claiming = false;
  /** Room that is kept for what is being written for it. */
  #reserved = 0;
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;
  #stopped: Promise<void> | undefined;
  readonly #giving = new Set<Promise<void>>();
  #closed = false;

  /** @param among the receivers of its transport: it is one of them until it has stopped and holds nothing */
  constructor(
    services: Services,
    queue: Queue,
    source: Pick<Source, "credit" | "holdMs" | "topics">,
    sink: Sink,
    among: Set<PostgresReceiver>,
  ) {
    this.services = services;
    this.sink = sink;
    this.#queue = queue;
    this.#credit = source.credit;
    this.#holdMs = source.holdMs;
    this.#among = among;
    this.leases = new Leases(this, services.database.clock, services.leaseMs);
    this.#settler = new Settler(services, this);
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
    return !this.#news && !this.#claiming && this.takesOffers ? this.#room : 0;
  }
  /** Whether it takes what was not there when it began. */
  protected get takesOffers(): boolean {
    return true;
  }

  /** As {@linkcode Taking.reserve}. */
  reserve(count: number): void {
    this.#reserved += count;
    if (count < 0 && this.#news) this.#run();
  }

  /** As {@linkcode Taking.handed}. */
  handed(all: readonly Handed[], until: number): void {
    this.#give(all.map((handed) => ({ ...handed, keeps: false })), until);
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
    if (at <= this.services.database.clock.now()) this.wake();
    else this.#arm(at);
  }

  /** Something may be there. */
  wake(): void {
    this.#news = true;
    this.#run();
  }

  credit(total: number): void {
    this.#credit = total;
    this.wake();
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    const wanted = this.begin(batch);
    if (wanted.length === 0) return Promise.resolve();
    const settled = this.#settler.add(wanted);
    this.#run();
    return settled;
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
    this.#checkEnd();
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /** Takes no more; resolves once the database has what is being settled. */
  async flush(): Promise<void> {
    await this.stop();
    while (this.#running !== undefined || this.#giving.size > 0) {
      await Promise.allSettled([this.#running, ...this.#giving]);
    }
  }

  /** Ends for good. Gives what is to go back; the sink hears of it if there is a reason. */
  close(reason: Error | undefined): readonly Lease[] {
    if (this.#closed) return [];
    this.#closed = true;
    void this.stop().catch(() => {});
    const held = this.leases.clear();
    this.#settler.close();
    if (reason !== undefined && held.length > 0) this.sink.lost(held.map(({ delivery }) => delivery), reason);
    this.#checkEnd();
    return held;
  }

  /** As {@linkcode LeaseOwner.renew}. */
  renew(leases: readonly Lease[]): void {
    const { database, messages, leaseMs } = this.services;
    const until = database.clock.now() + leaseMs;
    messages.renew(database, leases, leaseMs).then((gone) => {
      for (const lease of leases) lease.until = until;
      this.#lose(leases.filter((lease) => gone.has(lease)));
    }, (error) => {
      if (this.#closed) return;
      this.services.failed(error);
      const now = database.clock.now();
      this.#lose(leases.filter((lease) => lease.until <= now));
    });
  }

  /** As {@linkcode LeaseOwner.overdue}. */
  overdue(leases: readonly Lease[]): void {
    this.#lose(leases);
    this.giveBack(leases, true);
  }

  /** As {@linkcode QueueOwner.renewed}: what was there is gone. */
  renewed(queue: Queue): void {
    this.#lose([...this.leases.all]);
    this.#queue = queue;
    this.sink.readdressed();
    this.wake();
  }

  /** Lets others have them. */
  protected giveBack(leases: readonly Held[], counted: boolean): void {
    const { database, messages, announce } = this.services;
    const given = messages.release(database, leases, counted).then(() => {
      const news = new News();
      news.add(this.#queue.id, database.clock.now());
      announce(news);
    }, (error) => {
      if (!this.#closed) this.services.failed(error); // then the leases run out
    }).finally(() => this.#giving.delete(given));
    this.#giving.add(given);
  }

  /** Takes so many, and accepts what is plain. */
  protected claim(limit: number, accepted: readonly Held[]): Promise<Claimed> {
    const { database, messages, leaseMs } = this.services;
    return messages.claim(database, this.#queue.id, limit, leaseMs, accepted);
  }

  /** What a claim gave has been delivered. `all`: there was no more. */
  protected given(_all: boolean): void {}

  /** Nothing is unsettled. */
  protected idle(): void {}

  #run(): void {
    if (this.#running !== undefined || !this.#hasWork()) return;
    this.#running = this.#fly();
  }

  #hasWork(): boolean {
    return !this.#settler.isEmpty || this.#news && this.#room > 0;
  }

  async #fly(): Promise<void> {
    await undefined; // what is settled in the same turn goes together
    while (this.#hasWork() && !this.#closed) {
      try {
        const { plain, others } = this.#settler.take((each) => isPlain(each, this.abandoned));
        const wanted = this.#news ? Math.min(this.#room, maxClaim) : 0;
        await Promise.all([
          others.length > 0 ? this.#settler.write(others) : undefined,
          wanted > 0 ? this.#claim(wanted, plain) : plain.length > 0 ? this.#settler.accept(plain) : undefined,
        ]);
        this.services.worked();
      } catch (error) {
        if (this.#closed) break;
        this.services.failed(error);
        await this.services.pause(retryMs);
        if (this.#stopped === undefined) this.#news = true;
      }
    }
    this.#running = undefined; // in the very turn in which nothing was left
  }

  async #claim(wanted: number, plain: readonly Settling[]): Promise<void> {
    const { database, messages, leaseMs, pollMs, announce } = this.services;
    this.#news = false;
    this.#claiming = true;
    const until = database.clock.now() + leaseMs;
    let claimed: Claimed;
    try {
      claimed = await this.claim(wanted, plain.map(({ lease }) => lease));
    } catch (error) {
      this.#settler.putBack(plain);
      throw error;
    } finally {
      this.#claiming = false;
    }
    const { found, accepted, dueInMs } = claimed;
    this.#settler.accepted(plain, accepted);
    // All that it had asked for: there is more, probably.
    if (found.length >= wanted) this.#news = true;
    else this.#arm(database.clock.now() + Math.min(Math.max(dueInMs, 0), pollMs));
    this.#give(found, until);
    this.given(found.length < wanted);
    if (dueInMs > 0) return;
    const news = new News();
    await messages.enter(database, this.#queue.id, news);
    announce(news);
    this.#news = true;
  }

  #give(all: readonly (Held & Pick<Found, "keeps" | "delivery"> & Partial<Found>)[], until: number): void {
    if (all.length === 0) return;
    // What it still believes to hold has been taken from it.
    this.#lose(all.flatMap(({ place }) => this.leases.at(place) ?? []));
    const fresh = all.filter(({ expired }) => expired !== true);
    this.#settler.drop(all.filter(({ expired }) => expired === true));
    const fit = Math.max(this.#room, 0); // there may be less than when it was asked
    const holdUntil = this.services.database.clock.now() + this.#holdMs;
    const batch: Delivery[] = [];
    for (const { place, deliveries, delivery, keeps } of fresh.slice(0, fit)) {
      batch.push(delivery);
      this.leases.add({ place, deliveries, delivery, keeps, until, holdUntil, settling: false });
    }
    if (fresh.length > fit) this.giveBack(fresh.slice(fit), false);
    if (batch.length > 0) this.sink.deliver(batch);
  }

  #lose(leases: readonly Lease[]): void {
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
    await this.#running;
    await this.#own?.remove();
    this.#checkEnd();
  }

  #arm(at: number): void {
    if (at >= this.#armedFor || at === Infinity || this.#stopped !== undefined) return;
    this.#disarm?.();
    this.#armedFor = at;
    const { clock } = this.services.database;
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
