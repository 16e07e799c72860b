/** What becomes of what a receiver has taken. @module */
import { saysExpiry } from "../../src/envelope/expiry.ts";
import { ClaimLostError } from "../../src/errors/receiving.ts";
import type { Delivery, Settlement, Sink } from "../../src/spi/transport.ts";
import { type Lease, type LeaseOwner, Leases } from "./leases.ts";
import type { Found, Held } from "./message.ts";
import { News } from "./news.ts";
import type { Services } from "./services.ts";
import { Settler } from "./settler.ts";
import type { Settling } from "./settling.ts";
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
  /** What is to be settled, until the receiver's next flight writes it. */
  readonly settler: Settler;
  readonly #services: Services;
  readonly #owner: ClaimsOwner;
  readonly #sink: Sink;
  readonly #holdMs: number;
  readonly #leases: Leases;
  /** A renewal is under way. */
  #renewing = false;
  /** What is to be renewed after that, unless it has been renewed by then. */
  readonly #toRenew = new Set<Lease>();
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
    this.#leases = new Leases(this, services.database.clock, services.leaseMs);
    this.settler = new Settler(services, owner, this);
  }

  /** How many are held. */
  get size(): number {
    return this.#leases.size;
  }
  /** How many of them are not being settled. */
  get unsettled(): number {
    return this.#leases.unsettled;
  }
  /** Whether it is over: nothing is tried again. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Delivers what was leased until then; what there is no room for goes back. */
  deliver(all: readonly (Held & Pick<Found, "keeps" | "delivery"> & Partial<Found>)[], until: number): void {
    if (all.length === 0) return;
    // What it still believes to hold has been taken from it.
    this.lose(all.flatMap(({ place }) => this.#leases.at(place) ?? []));
    // What says to its endpoint when it expires is dropped, and counted, there.
    const dropped = all.filter(({ expired, delivery }) => expired === true && !saysExpiry(delivery.frame.headers));
    const fresh = dropped.length === 0 ? all : all.filter((each) => !dropped.includes(each));
    this.settler.drop(dropped);
    const fit = Math.max(this.#owner.room, 0); // there may be less than when it was asked
    const holdUntil = this.#services.database.clock.now() + this.#holdMs;
    const batch: Delivery[] = [];
    for (const { place, deliveries, delivery, keeps } of fresh.slice(0, fit)) {
      batch.push(delivery);
      this.#leases.add({ place, deliveries, delivery, keeps, until, holdUntil, settling: false, unanswered: 0 });
    }
    if (fresh.length > fit) void this.giveBack(fresh.slice(fit), false);
    if (batch.length > 0) this.#sink.deliver(batch);
  }

  /** Takes what is to be settled; resolves when flights have written it. */
  settle(batch: readonly Settlement[]): Promise<void> {
    const wanted = this.begin(batch);
    return wanted.length === 0 ? Promise.resolve() : this.settler.add(wanted);
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

  /** As {@linkcode LeaseOwner.renew}. One at a time: on a slow wire others would wait behind, and keep connections. */
  renew(leases: readonly Lease[]): void {
    for (const lease of leases) this.#toRenew.add(lease);
    if (!this.#renewing) void this.#renew();
  }

  async #renew(): Promise<void> {
    const { database, messages, leaseMs, failed } = this.#services;
    this.#renewing = true;
    while (this.#toRenew.size > 0 && !this.#closed) {
      const leases = [...this.#toRenew].filter((lease) => this.#leases.has(lease));
      this.#toRenew.clear();
      if (leases.length === 0) break;
      const until = database.clock.now() + leaseMs;
      try {
        const { gone, locked } = await messages.renew(database, leases, leaseMs);
        for (const lease of leases) {
          if (locked.has(lease)) continue;
          lease.until = Math.max(lease.until, until);
          lease.unanswered = 0;
          this.#toRenew.delete(lease);
        }
        this.lose(leases.filter((lease) => gone.has(lease)));
      } catch (error) {
        if (this.#closed) break;
        failed(error);
        for (const lease of leases) lease.unanswered = 0;
        const now = database.clock.now();
        this.lose(leases.filter((lease) => lease.until <= now));
      }
    }
    this.#renewing = false; // in the very turn in which nothing was left
  }

  /** As {@linkcode LeaseOwner.overdue}. */
  overdue(leases: readonly Lease[]): void {
    this.lose(leases);
    void this.giveBack(leases, true);
  }

  /** Renews no more: nothing is to be held again. */
  end(): void {
    this.#leases.disarm();
  }

  /** As `PostgresReceiver.close`. */
  close(reason: Error | undefined): readonly Lease[] {
    if (this.#closed) return [];
    this.#closed = true;
    const held = this.#leases.clear();
    this.settler.close();
    if (reason !== undefined && held.length > 0) this.#sink.lost(held.map(({ delivery }) => delivery), reason);
    this.#checkEmpty();
    return held;
  }

  /** Lets others have them; resolves once they can, or their leases have to run out. `counted`: they were delivered. */
  giveBack(leases: readonly Held[], counted: boolean): Promise<void> {
    const { database, messages, announce, giving } = this.#services;
    const given = messages.release(database, leases, counted).then(() => {
      const news = new News();
      news.add(this.#owner.queue.id, database.clock.now());
      announce(news);
    }, (error) => {
      if (!this.#closed) this.#services.failed(error); // then the leases run out
    }).finally(() => giving.delete(given));
    giving.add(given);
    return given;
  }

  #checkEmpty(): void {
    if (this.#leases.size === 0) this.#owner.emptied();
  }
}
