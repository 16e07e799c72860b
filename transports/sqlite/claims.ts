/** What becomes of what a receiver has taken. @module */
import { ClaimLostError } from "../../src/errors/receiving.ts";
import type { Delivery, Settlement, Sink } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/database.ts";
import { type Lease, type LeaseOwner, Leases } from "./leases.ts";
import type { Held } from "./message.ts";
import { News } from "./news.ts";
import { retryMs, type Services } from "./services.ts";
import { settle, type Settling } from "./settling.ts";
import type { Queue } from "./topology.ts";

/** The receiver that has taken. */
export interface ClaimsOwner {
  readonly queue: Queue;
  /** Whether its queue is gone: what it has goes nowhere else. */
  readonly abandoned: boolean;
  /** How many more it may hold. */
  readonly room: number;
  /** There may be room again, and something to take. */
  wake(): void;
  /** It holds nothing any more. */
  emptied(): void;
}

/** What a receiver holds: renews the leases, settles them, gives back, and says what is lost. */
export class Claims implements LeaseOwner {
  readonly #services: Services;
  readonly #owner: ClaimsOwner;
  readonly #sink: Sink;
  readonly #holdMs: number;
  readonly #leases: Leases;
  /** Settlements on their way, and what is being given back. */
  readonly #writing = new Set<Promise<void>>();
  #closed = false;

  /**
   * @param sink gets what is delivered, and hears of what is lost
   * @param holdMs how long a message may be held
   */
  constructor(services: Services, owner: ClaimsOwner, sink: Sink, holdMs: number) {
    this.#services = services;
    this.#owner = owner;
    this.#sink = sink;
    this.#holdMs = holdMs;
    this.#leases = new Leases(this, services.session.clock, services.leaseMs);
  }

  /** How many are held. */
  get size(): number {
    return this.#leases.size;
  }
  /** How many of them are not being settled. */
  get unsettled(): number {
    return this.#leases.unsettled;
  }

  /** Delivers what was leased until then; what there is no room for goes back. */
  deliver(all: readonly (Held & { readonly delivery: Delivery })[], until: number): void {
    if (all.length === 0) return;
    const fit = Math.max(this.#owner.room, 0); // there may be less than when it was asked
    const holdUntil = this.#services.session.clock.now() + this.#holdMs;
    const batch: Delivery[] = [];
    for (const { place, deliveries, delivery } of all.slice(0, fit)) {
      batch.push(delivery);
      this.#leases.add({ place, deliveries, delivery, until, holdUntil, settling: false });
    }
    if (all.length > fit) this.#giveBack(all.slice(fit), false);
    if (batch.length > 0) this.#sink.deliver(batch);
  }

  /** As `Receiver.settle`. */
  settle(batch: readonly Settlement[]): Promise<void> {
    return this.#track(this.#settle(batch));
  }

  /** Whether a lease is neither settled nor lost. */
  holds(lease: Lease): boolean {
    return this.#leases.has(lease);
  }

  /** Those of a batch that it holds and that are not being settled: they are now. */
  begin(batch: readonly Settlement[]): readonly Settling[] {
    const wanted: Settling[] = [];
    for (const settlement of batch) {
      const lease = this.#leases.get(settlement.delivery);
      if (lease === undefined || lease.settling) continue;
      this.#leases.settling(lease, true);
      wanted.push({ settlement, lease });
    }
    return wanted;
  }

  /** They are settled after all not. */
  undo(wanted: readonly Settling[]): void {
    for (const { lease } of wanted) this.#leases.settling(lease, false);
  }

  /** They are settled. */
  settled(wanted: readonly Settling[]): void {
    for (const { lease } of wanted) this.#leases.delete(lease);
    this.#owner.wake();
    this.#checkEmpty();
  }

  /** Others have them. */
  lose(leases: readonly Lease[]): void {
    const lost = leases.filter((lease) => this.#leases.has(lease));
    if (lost.length === 0) return;
    for (const lease of lost) this.#leases.delete(lease);
    this.#sink.lost(lost.map(({ delivery }) => delivery), new ClaimLostError(this.#owner.queue.name));
    this.#owner.wake();
    this.#checkEmpty();
  }

  /** Others have all of them. */
  loseAll(): void {
    this.lose([...this.#leases.all]);
  }

  /** As {@linkcode LeaseOwner.renew}. */
  renew(leases: readonly Lease[]): void {
    const { session, messages, leaseMs } = this.#services;
    const until = Math.ceil(session.clock.now() + leaseMs);
    session.writer.writeLax((connection) => new Set(messages.renew(connection, leases, until))).then((gone) => {
      this.#services.worked();
      for (const lease of leases) lease.until = until;
      this.lose(leases.filter((lease) => gone.has(lease)));
    }, (error) => {
      if (this.#closed) return;
      this.#services.failed(error);
      const now = session.clock.now();
      this.lose(leases.filter((lease) => lease.until <= now));
    });
  }

  /** As {@linkcode LeaseOwner.overdue}. */
  overdue(leases: readonly Lease[]): void {
    this.lose(leases);
    this.#giveBack(leases, true);
  }

  /** Resolves once the file has what is being settled. */
  async flush(): Promise<void> {
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing);
  }

  /** Renews no more: nothing is to be held again. */
  end(): void {
    this.#leases.disarm();
  }

  /** As `SqliteReceiver.close`. */
  close(reason: Error | undefined): readonly Lease[] {
    if (this.#closed) return [];
    this.#closed = true;
    const held = this.#leases.clear();
    if (reason !== undefined && held.length > 0) this.#sink.lost(held.map(({ delivery }) => delivery), reason);
    this.#checkEmpty();
    return held;
  }

  async #settle(batch: readonly Settlement[]): Promise<void> {
    let wanted = this.begin(batch);
    while (wanted.length > 0) {
      const written = await this.#write(wanted);
      if (written !== undefined) {
        const { news, failures } = written;
        this.undo(wanted.filter(({ lease }) => failures.has(lease)));
        this.settled(wanted.filter(({ lease }) => !failures.has(lease)));
        this.#services.announce(news);
        for (const failure of failures.values()) throw failure;
        return;
      }
      await this.#services.pause(retryMs);
      if (this.#closed) return;
      wanted = wanted.filter(({ lease }) => this.#leases.has(lease)); // the others are lost meanwhile
    }
  }

  /** Writes settlements; `undefined`: they could not be, and nothing was. */
  async #write(wanted: readonly Settling[]): Promise<ReturnType<typeof settle> | undefined> {
    try {
      const { writer } = this.#services.session;
      const work = (connection: Connection) => settle(this.#services, this.#owner, connection, wanted);
      // What is undone comes again; a copy was promised to be there.
      const lax = wanted.every(({ settlement: { outcome } }) => outcome === "accept" || outcome === "release");
      const settled = lax ? writer.writeLax(work) : writer.write(work);
      this.#owner.wake(); // what comes next is claimed in the same commit
      const written = await settled;
      this.#services.worked();
      return written;
    } catch (error) {
      if (!this.#closed) this.#services.failed(error);
      return undefined;
    }
  }

  /** Lets others have them. */
  #giveBack(leases: readonly Held[], counted: boolean): void {
    const { session, messages, announce } = this.#services;
    const given = session.writer.writeLax((connection) => {
      const news = new News();
      const now = session.clock.now();
      for (const lease of leases) messages.release(connection, lease, counted, news, now);
      return news;
    }).then(announce, (error) => {
      if (!this.#closed) this.#services.failed(error); // then the leases run out
    });
    void this.#track(given);
  }

  #track(written: Promise<void>): Promise<void> {
    this.#writing.add(written);
    const done = (): void => void this.#writing.delete(written);
    written.then(done, done);
    return written;
  }

  #checkEmpty(): void {
    if (this.#leases.size === 0) this.#owner.emptied();
  }
}
