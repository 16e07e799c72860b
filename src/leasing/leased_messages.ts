/**
 * What a receiver holds, where a transport lets messages by leases: they are renewed while they are handled, and are
 * others' when they have ended.
 *
 * @module
 */
import { ClaimLostError } from "../errors/receiving.ts";
import type { Clock } from "../spi/clock.ts";
import type { Delivery, Settlement, Sink } from "../spi/transport.ts";

/** A message that a receiver has. */
export interface Leased {
  /** Where it lies in its queue. */
  readonly place: number;
  readonly delivery: Delivery;
  /** It is renewed until then; epoch milliseconds. */
  readonly holdUntil: number;
  /** When it ends by itself. */
  until: number;
  /** Its settlement is on its way. */
  settling: boolean;
  /** How often it was looked at since its renewal was asked for, which has not been answered. */
  unanswered: number;
}

/** A settlement, and what it settles. */
export interface SettlingOf<Lease> {
  readonly settlement: Settlement;
  readonly lease: Lease;
}

/** The receiver that has them. */
export interface LeaseHolder {
  readonly queue: { readonly name: string };
  /** There may be room again, and something to take. */
  wake(): void;
  /** It holds nothing any more. */
  emptied(): void;
}

/** The leases of one receiver, and the timer that has them renewed. How that is done is the transport's matter. */
export abstract class LeasedMessages<Lease extends Leased> {
  readonly #holder: LeaseHolder;
  readonly #sink: Sink;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #leases = new Map<Delivery, Lease>();
  readonly #places = new Map<number, Lease>();
  #settling = 0;
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;
  #closed = false;

  /** @param sink hears of what is lost */
  constructor(holder: LeaseHolder, sink: Sink, clock: Clock, leaseMs: number) {
    this.#holder = holder;
    this.#sink = sink;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** These are to be renewed. */
  protected abstract renew(leases: readonly Lease[]): void;
  /** These have ended, and nobody has answered whether they are renewed: others may have them by now. */
  protected abstract ended(leases: readonly Lease[]): void;
  /** These were held for as long as they may be, and are lost: others are to have them. */
  protected abstract overdue(leases: readonly Lease[]): void;
  /** Some were settled. */
  protected freed(): void {}
  /** Nothing is tried again from here on. */
  protected closing(): void {}

  /** How many are held. */
  get size(): number {
    return this.#leases.size;
  }
  /** How many of them are not being settled. */
  get unsettled(): number {
    return this.#leases.size - this.#settling;
  }
  /** Whether it is over: nothing is tried again. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether a lease is neither settled nor lost. */
  holds(lease: Lease): boolean {
    return this.#leases.get(lease.delivery) === lease;
  }
  /** That of a place. */
  protected at(place: number): Lease | undefined {
    return this.#places.get(place);
  }

  protected add(lease: Lease): void {
    this.#leases.set(lease.delivery, lease);
    this.#places.set(lease.place, lease);
    this.#arm(this.#dueAt(lease));
  }

  /** Those of a batch that it holds and that are not being settled: they are now. */
  begin(batch: readonly Settlement[]): readonly SettlingOf<Lease>[] {
    const wanted: SettlingOf<Lease>[] = [];
    for (const settlement of batch) {
      const lease = this.#leases.get(settlement.delivery);
      if (lease === undefined || lease.settling) continue;
      lease.settling = true;
      this.#settling++;
      wanted.push({ settlement, lease });
    }
    return wanted;
  }

  /** They are settled after all not. */
  undo(wanted: readonly SettlingOf<Lease>[]): void {
    for (const { lease } of wanted) {
      if (!lease.settling || !this.holds(lease)) continue;
      lease.settling = false;
      this.#settling--;
    }
  }

  /** They are settled. */
  settled(wanted: readonly SettlingOf<Lease>[]): void {
    for (const { lease } of wanted) this.#delete(lease);
    this.freed();
    this.#checkEmpty();
  }

  /** Others have them. */
  lose(leases: readonly Lease[]): void {
    const lost = leases.filter((lease) => this.holds(lease));
    if (lost.length === 0) return;
    for (const lease of lost) this.#delete(lease);
    this.#sink.lost(lost.map(({ delivery }) => delivery), new ClaimLostError(this.#holder.queue.name));
    this.#holder.wake();
    this.#checkEmpty();
  }

  /** Others have all of them. */
  loseAll(): void {
    this.lose([...this.#leases.values()]);
  }

  /** Renews no more: nothing is to be held again. */
  end(): void {
    this.#disarm?.();
    this.#armedFor = Infinity;
  }

  /** Ends for good. Gives what was held; the sink hears of it if there is a reason. */
  close(reason: Error | undefined): readonly Lease[] {
    if (this.#closed) return [];
    this.#closed = true;
    const held = [...this.#leases.values()];
    this.#leases.clear();
    this.#places.clear();
    this.#settling = 0;
    this.end();
    this.closing();
    if (reason !== undefined && held.length > 0) this.#sink.lost(held.map(({ delivery }) => delivery), reason);
    this.#checkEmpty();
    return held;
  }

  #delete(lease: Lease): void {
    if (!this.holds(lease)) return;
    this.#leases.delete(lease.delivery);
    if (this.#places.get(lease.place) === lease) this.#places.delete(lease.place);
    if (lease.settling) this.#settling--;
  }

  #checkEmpty(): void {
    if (this.#leases.size === 0) this.#holder.emptied();
  }

  #arm(at: number): void {
    if (at >= this.#armedFor) return;
    this.#disarm?.();
    this.#armedFor = at;
    this.#disarm = (this.#clock.background ?? this.#clock).at(at, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.now();
    // A timer that comes before its time says that the clock was set back: the leases did not become longer by that.
    const setBackMs = this.#armedFor - now;
    if (setBackMs > 0) { for (const lease of this.#leases.values()) lease.until -= setBackMs; }
    this.#armedFor = Infinity;
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
    if (renew.length > 0) this.renew(renew);
    if (ended.length > 0) this.ended(ended);
    if (overdue.length > 0) {
      this.lose(overdue);
      this.overdue(overdue);
    }
    if (this.#leases.size === 0) return; // the last of them are lost: a timer would keep who has stopped from ending
    // Those that are being renewed are looked at again soon, whatever comes of it.
    let next = renew.length > 0 || ended.length > 0 ? now + this.#leaseMs / 6 : Infinity;
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
