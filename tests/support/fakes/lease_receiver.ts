/** Polls a queue of leases, renews them, and settles by receipt. */
import { UnroutableError } from "../../../src/errors/sending.ts";
import { DisconnectedError } from "../../../src/errors/transport.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import type { FrameHeaders } from "../../../src/spi/frame.ts";
import type { Address, Delivery, Receiver, Settlement, Sink, Source } from "../../../src/spi/transport.ts";
import { type LeaseContents, type Leased, leaseMs, type LeaseQueue, maxDelayMs } from "./lease_broker.ts";
import { packHeaders, unpackHeaders } from "./packed_headers.ts";

interface Claim {
  readonly receipt: string;
  readonly contents: LeaseContents;
  readonly since: number;
  stop: () => void;
}

/** What a receiver asks of its transport. */
export interface LeaseServices {
  readonly clock: Clock;
  /** Sends a copy; false: there is no such address. */
  send(to: Address, contents: LeaseContents): boolean;
  ended(receiver: LeaseReceiver): void;
}

/** The attributes of a message: all headers are packed into one, as there are ten at most. */
export function attributes(
  contentType: string,
  headers: FrameHeaders,
  via: Address,
  dueAt?: number,
): Readonly<Record<string, string>> {
  return { contentType, headers: packHeaders(headers), via, ...dueAt === undefined ? {} : { dueAt: String(dueAt) } };
}

/** A receiver of one queue. */
export class LeaseReceiver implements Receiver {
  readonly address: Address;
  readonly #queue: LeaseQueue;
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #services: LeaseServices;
  readonly #claims = new Map<Delivery, Claim>();
  #credit: number;
  #polling = false;
  #stopped = false;
  #heard: Promise<void> = Promise.resolve();
  readonly #endPoll: () => void;

  constructor(address: Address, queue: LeaseQueue, source: Source, sink: Sink, services: LeaseServices) {
    this.address = address;
    this.#queue = queue;
    this.#source = source;
    this.#sink = sink;
    this.#services = services;
    this.#credit = source.credit;
    this.#endPoll = queue.poll(() => this.#poll(), services.clock);
    this.#poll();
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    const heard = this.#heard.then(() => this.#settle(batch)); // a broker hears of it later
    this.#heard = heard.catch(() => {});
    return heard;
  }

  /** Resolves once the broker has heard of all that was settled. */
  flush(): Promise<void> {
    return this.#heard;
  }

  credit(total: number): void {
    this.#credit = total;
    this.#poll();
  }

  stop(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#endPoll();
      this.#checkEnd();
    }
    return Promise.resolve();
  }

  /** Gives its leases back and tells of it, or, if the process has died, lets them run out. */
  close(reason: Error | undefined): void {
    void this.stop();
    const held = [...this.#claims];
    this.#claims.clear();
    for (const [, claim] of held) {
      claim.stop();
      if (reason !== undefined) this.#giveBack(claim.receipt);
    }
    if (reason !== undefined && held.length > 0) this.#sink.lost(held.map(([delivery]) => delivery), reason);
    this.#checkEnd();
  }

  /** All its leases end at once. */
  expire(): void {
    const lost = [...this.#claims.keys()];
    for (const delivery of lost) this.#forget(delivery);
    if (lost.length > 0) this.#sink.lost(lost, new DisconnectedError("lease", "renew a lease"));
    this.#poll();
  }

  #settle(batch: readonly Settlement[]): void {
    const now = this.#services.clock.now();
    let failure: Error | undefined;
    for (const settlement of batch) {
      const { delivery } = settlement;
      const claim = this.#claims.get(delivery);
      if (claim === undefined) continue;
      if (settlement.outcome === "again" || settlement.outcome === "move") {
        const to = settlement.outcome === "move" ? settlement.to : this.address;
        const headers = { ...delivery.frame.headers, ...settlement.headers };
        const dueAt = settlement.outcome === "again" ? settlement.dueAt : undefined;
        const { body, group } = claim.contents;
        const via = settlement.outcome === "move" ? to : delivery.via ?? to;
        const copy = { body, group, attributes: attributes(delivery.frame.contentType, headers, via, dueAt) };
        if (!this.#services.send(to, copy)) {
          failure ??= new UnroutableError("a moved message", to);
          continue;
        }
      }
      this.#claims.delete(delivery);
      claim.stop();
      if (settlement.outcome === "release") this.#giveBack(claim.receipt);
      else this.#queue.delete(claim.receipt, now);
    }
    this.#checkEnd();
    this.#poll();
    if (failure !== undefined) throw failure;
  }

  #poll(): void {
    if (this.#polling || this.#stopped) return;
    this.#polling = true;
    queueMicrotask(() => this.#receive());
  }

  #receive(): void {
    this.#polling = false;
    const room = this.#credit - this.#claims.size;
    if (this.#stopped || room <= 0) return;
    const now = this.#services.clock.now();
    const leased = this.#queue.receive(room, this.#source.ordered, now);
    this.#queue.arm(this.#services.clock);
    if (leased.length === 0) return;
    const batch = leased.flatMap((each): Delivery | readonly Delivery[] => {
      // Due beyond what the broker delays: it sleeps on.
      const dueAt = Number(each.attributes["dueAt"] ?? 0);
      if (dueAt <= now) return this.#claim(each, now);
      this.#queue.changeVisibility(each.receipt, Math.min(dueAt, now + maxDelayMs), now);
      return [];
    });
    if (batch.length > 0) this.#sink.deliver(batch);
    this.#poll(); // a request gives no more than ten
  }

  #claim(leased: Leased, now: number): Delivery {
    const { contentType = "", headers = "[]", via } = leased.attributes;
    const delivery: Delivery = {
      frame: { contentType, headers: unpackHeaders(headers), body: leased.body },
      key: leased.group,
      via,
      deliveryCount: leased.receiveCount,
    };
    const claim = { receipt: leased.receipt, contents: leased, since: now, stop: () => {} };
    this.#claims.set(delivery, claim);
    this.#renewLater(delivery, claim);
    return delivery;
  }

  /** Renews at half of the lease, as long as the source says; then it is lost. */
  #renewLater(delivery: Delivery, claim: Claim): void {
    const { clock } = this.#services;
    const now = clock.now();
    const until = claim.since + this.#source.holdMs;
    claim.stop = (clock.background ?? clock).at(Math.min(now + leaseMs / 2, until), () => {
      const time = clock.now();
      if (time < until && this.#queue.changeVisibility(claim.receipt, time + leaseMs, time)) {
        this.#renewLater(delivery, claim);
        return;
      }
      this.#forget(delivery);
      this.#sink.lost([delivery], new DisconnectedError("lease", "renew a lease"));
      this.#poll();
    });
  }

  #forget(delivery: Delivery): void {
    const claim = this.#claims.get(delivery);
    if (claim === undefined) return;
    this.#claims.delete(delivery);
    claim.stop();
    this.#giveBack(claim.receipt);
    this.#checkEnd();
  }

  #giveBack(receipt: string): void {
    const now = this.#services.clock.now();
    this.#queue.changeVisibility(receipt, now, now);
  }

  #checkEnd(): void {
    if (this.#stopped && this.#claims.size === 0) this.#services.ended(this);
  }
}
