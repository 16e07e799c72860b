/** What becomes of what a receiver has taken. @module */
import { LeasedMessages, type LeaseHolder } from "../../src/leasing/leased_messages.ts";
import type { Delivery, Settlement, Sink } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { Lease } from "./lease.ts";
import type { Held } from "./message.ts";
import { News } from "./news.ts";
import { retryMs, type Services } from "./services.ts";
import { settle, type Settling } from "./settling.ts";
import type { Queue } from "./topology.ts";

/** The receiver that has taken. */
export interface ClaimsOwner extends LeaseHolder {
  readonly queue: Queue;
  /** Whether its queue is gone: what it has goes nowhere else. */
  readonly abandoned: boolean;
  /** How many more it may hold. */
  readonly room: number;
}

/** What a receiver holds: renews the leases, settles them, gives back. */
export class Claims extends LeasedMessages<Lease> {
  readonly #services: Services;
  readonly #owner: ClaimsOwner;
  readonly #sink: Sink;
  readonly #holdMs: number;
  /** Settlements on their way, and what is being given back. */
  readonly #writing = new Set<Promise<void>>();

  /**
   * @param sink gets what is delivered, and hears of what is lost
   * @param holdMs how long a message may be held
   */
  constructor(services: Services, owner: ClaimsOwner, sink: Sink, holdMs: number) {
    super(owner, sink, services.session.clock, services.leaseMs);
    this.#services = services;
    this.#owner = owner;
    this.#sink = sink;
    this.#holdMs = holdMs;
  }

  /** Delivers what was leased until then; what there is no room for goes back. */
  deliver(all: readonly (Held & { readonly delivery: Delivery })[], until: number): void {
    if (all.length === 0) return;
    const fit = Math.max(this.#owner.room, 0); // there may be less than when it was asked
    const holdUntil = this.#services.session.clock.now() + this.#holdMs;
    const batch: Delivery[] = [];
    for (const { place, deliveries, delivery } of all.slice(0, fit)) {
      batch.push(delivery);
      this.add({ place, deliveries, delivery, until, holdUntil, settling: false, unanswered: 0 });
    }
    if (all.length > fit) this.#giveBack(all.slice(fit), false);
    if (batch.length > 0) this.#sink.deliver(batch);
  }

  /** As `Receiver.settle`. */
  settle(batch: readonly Settlement[]): Promise<void> {
    return this.#track(this.#settle(batch));
  }

  protected override renew(leases: readonly Lease[]): void {
    const { session, messages, leaseMs } = this.#services;
    const until = Math.ceil(session.clock.now() + leaseMs);
    session.writer.writeLax((connection) => new Set(messages.renew(connection, leases, until))).then((gone) => {
      this.#services.worked();
      for (const lease of leases) {
        lease.until = until;
        lease.unanswered = 0;
      }
      this.lose(leases.filter((lease) => gone.has(lease)));
    }, (error) => {
      if (this.isClosed) return;
      this.#services.failed(error);
      const now = session.clock.now();
      this.lose(leases.filter((lease) => lease.until <= now));
    });
  }

  /** Who has not answered holds the file for as long: nobody else can have them. */
  protected override ended(leases: readonly Lease[]): void {
    this.renew(leases);
  }

  protected override overdue(leases: readonly Lease[]): void {
    this.#giveBack(leases, true);
  }

  /** Its row is free for the next. */
  protected override freed(): void {
    this.#owner.wake();
  }

  /** Resolves once the file has what is being settled. */
  async flush(): Promise<void> {
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing);
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
      if (this.isClosed) return;
      wanted = wanted.filter(({ lease }) => this.holds(lease)); // the others are lost meanwhile
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
      if (!this.isClosed) this.#services.failed(error);
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
      if (!this.isClosed) this.#services.failed(error); // then the leases run out
    });
    void this.#track(given);
  }

  #track(written: Promise<void>): Promise<void> {
    this.#writing.add(written);
    const done = (): void => void this.#writing.delete(written);
    written.then(done, done);
    return written;
  }
}
