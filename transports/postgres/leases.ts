/** The leases of a receiver. @module */
import type { Clock } from "../../src/spi/clock.ts";
import type { Delivery } from "../../src/spi/transport.ts";
import type { Held } from "./message.ts";

/** A message that a receiver has. */
export interface Lease extends Held {
  readonly delivery: Delivery;
  /** Whether the order of its key counted when it was taken. */
  readonly keeps: boolean;
  /** It is renewed until then; epoch milliseconds. */
  readonly holdUntil: number;
  /** When it ends by itself. */
  until: number;
  /** Its settlement is on its way. */
  settling: boolean;
  /** How often it was looked at since its renewal was asked for, which has not been answered. */
  unanswered: number;
}

/** What is due of a receiver's leases. */
export interface LeaseOwner {
  /** These are to be renewed. */
  renew(leases: readonly Lease[]): void;
  /** These have ended, as nobody has answered whether they are renewed: others may have them by now. */
  lose(leases: readonly Lease[]): void;
  /** These were held for as long as they may be. */
  overdue(leases: readonly Lease[]): void;
}

/** The leases of one receiver, and the timer that has them renewed. */
export class Leases {
  readonly #owner: LeaseOwner;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #leases = new Map<Delivery, Lease>();
  readonly #places = new Map<number, Lease>();
  #settling = 0;
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;

  constructor(owner: LeaseOwner, clock: Clock, leaseMs: number) {
    this.#owner = owner;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** How many there are. */
  get size(): number {
    return this.#leases.size;
  }

  /** How many are not being settled. */
  get unsettled(): number {
    return this.#leases.size - this.#settling;
  }

  /** All of them. */
  get all(): Iterable<Lease> {
    return this.#leases.values();
  }

  /** The lease of a delivery; `undefined`: it is settled, lost or another's. */
  get(delivery: Delivery): Lease | undefined {
    return this.#leases.get(delivery);
  }

  /** Whether it is still one of these. */
  has(lease: Lease): boolean {
    return this.#leases.get(lease.delivery) === lease;
  }

  /** That of a place. */
  at(place: number): Lease | undefined {
    return this.#places.get(place);
  }

  add(lease: Lease): void {
    this.#leases.set(lease.delivery, lease);
    this.#places.set(lease.place, lease);
    this.#arm(this.#dueAt(lease));
  }

  /** Says whether it is being settled. */
  settling(lease: Lease, settling: boolean): void {
    if (lease.settling === settling || !this.has(lease)) return;
    lease.settling = settling;
    this.#settling += settling ? 1 : -1;
  }

  delete(lease: Lease): void {
    if (!this.has(lease)) return;
    this.#leases.delete(lease.delivery);
    if (this.#places.get(lease.place) === lease) this.#places.delete(lease.place);
    if (lease.settling) this.#settling--;
  }

  /** Takes all out. */
  clear(): readonly Lease[] {
    const all = [...this.#leases.values()];
    this.#leases.clear();
    this.#places.clear();
    this.#settling = 0;
    this.disarm();
    return all;
  }

  /** Sets no timer until a lease is added. */
  disarm(): void {
    this.#disarm?.();
    this.#armedFor = Infinity;
  }

  #arm(at: number): void {
    if (at >= this.#armedFor) return;
    this.#disarm?.();
    this.#armedFor = at;
    this.#disarm = (this.#clock.background ?? this.#clock).at(at, () => this.#look());
  }

  #look(): void {
    this.#armedFor = Infinity;
    const now = this.#clock.now();
    const overdue: Lease[] = [];
    const renew: Lease[] = [];
    const ended: Lease[] = [];
    for (const lease of this.#leases.values()) {
      if (lease.holdUntil <= now) overdue.push(lease);
      else if (this.#dueAt(lease) <= now) {
        // Where this process itself stood still, an answer may be there that it has not read yet.
        if (lease.until <= now && lease.unanswered > 1) ended.push(lease);
        else renew.push(lease);
      }
    }
    for (const lease of renew) lease.unanswered++;
    if (renew.length > 0) this.#owner.renew(renew);
    if (ended.length > 0) this.#owner.lose(ended);
    if (overdue.length > 0) this.#owner.overdue(overdue);
    // Those that are being renewed are looked at again soon, whatever comes of it.
    let next = renew.length > 0 ? now + this.#leaseMs / 6 : Infinity;
    for (const lease of this.#leases.values()) {
      const at = this.#dueAt(lease);
      if (at > now) next = Math.min(next, at);
    }
    if (next < Infinity) this.#arm(next);
  }

  /** After a third of the lease: so that two renewals may fail. */
  #dueAt({ until, holdUntil }: Lease): number {
    return Math.min(until - this.#leaseMs * 2 / 3, holdUntil);
  }
}
