/** What becomes of what a receiver has taken. @module */
import { saysExpiry } from "../../src/envelope/expiry.ts";
import { LeasedMessages, type LeaseHolder } from "../../src/leasing/leased_messages.ts";
import type { Delivery, Settlement, Sink } from "../../src/spi/transport.ts";
import type { Lease } from "./lease.ts";
import type { Found, Held } from "./message.ts";
import { News } from "./news.ts";
import type { Services } from "./services.ts";
import { Settler } from "./settler.ts";
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
  /** What is to be settled, until the receiver's next flight writes it. */
  readonly settler: Settler;
  readonly #services: Services;
  readonly #owner: ClaimsOwner;
  readonly #sink: Sink;
  readonly #holdMs: number;
  /** A renewal is under way. */
  #renewing = false;
  /** What is to be renewed after that, unless it has been renewed by then. */
  readonly #toRenew = new Set<Lease>();

  /**
   * @param sink gets what is delivered, and hears of what is lost
   * @param holdMs how long a message may be held
   */
  constructor(services: Services, owner: ClaimsOwner, sink: Sink, holdMs: number) {
    super(owner, sink, services.database.clock, services.leaseMs);
    this.#services = services;
    this.#owner = owner;
    this.#sink = sink;
    this.#holdMs = holdMs;
    this.settler = new Settler(services, owner, this);
  }

  /** Delivers what was leased until then; what there is no room for goes back. */
  deliver(all: readonly (Held & Pick<Found, "keeps" | "delivery"> & Partial<Found>)[], until: number): void {
    if (all.length === 0) return;
    // What it still believes to hold has been taken from it.
    this.lose(all.flatMap(({ place }) => this.at(place) ?? []));
    // What says to its endpoint when it expires is dropped, and counted, there.
    const dropped = all.filter(({ expired, delivery }) => expired === true && !saysExpiry(delivery.frame.headers));
    const fresh = dropped.length === 0 ? all : all.filter((each) => !dropped.includes(each));
    this.settler.drop(dropped);
    const fit = Math.max(this.#owner.room, 0); // there may be less than when it was asked
    const holdUntil = this.#services.database.clock.now() + this.#holdMs;
    const batch: Delivery[] = [];
    for (const { place, deliveries, delivery, keeps } of fresh.slice(0, fit)) {
      batch.push(delivery);
      this.add({ place, deliveries, delivery, keeps, until, holdUntil, settling: false, unanswered: 0 });
    }
    if (fresh.length > fit) void this.giveBack(fresh.slice(fit), false);
    if (batch.length > 0) this.#sink.deliver(batch);
  }

  /** Takes what is to be settled; resolves when flights have written it. */
  settle(batch: readonly Settlement[]): Promise<void> {
    const wanted = this.begin(batch);
    return wanted.length === 0 ? Promise.resolve() : this.settler.add(wanted);
  }

  /** One at a time: on a slow wire others would wait behind, and keep connections. */
  protected override renew(leases: readonly Lease[]): void {
    for (const lease of leases) this.#toRenew.add(lease);
    if (!this.#renewing) void this.#renew();
  }

  async #renew(): Promise<void> {
    const { database, messages, leaseMs, failed } = this.#services;
    this.#renewing = true;
    while (this.#toRenew.size > 0 && !this.isClosed) {
      const leases = [...this.#toRenew].filter((lease) => this.holds(lease));
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
        if (this.isClosed) break;
        failed(error);
        for (const lease of leases) lease.unanswered = 0;
        const now = database.clock.now();
        this.lose(leases.filter((lease) => lease.until <= now));
      }
    }
    this.#renewing = false; // in the very turn in which nothing was left
  }

  protected override ended(leases: readonly Lease[]): void {
    this.lose(leases);
  }

  protected override overdue(leases: readonly Lease[]): void {
    void this.giveBack(leases, true);
  }

  protected override closing(): void {
    this.settler.close();
  }

  /** Lets others have them; resolves once they can, or their leases have to run out. `counted`: they were delivered. */
  giveBack(leases: readonly Held[], counted: boolean): Promise<void> {
    const { database, messages, announce, giving } = this.#services;
    const given = messages.release(database, leases, counted).then(() => {
      const news = new News();
      news.add(this.#owner.queue.id, database.clock.now());
      announce(news);
    }, (error) => {
      if (!this.isClosed) this.#services.failed(error); // then the leases run out
    }).finally(() => giving.delete(given));
    giving.add(given);
    return given;
  }
}
