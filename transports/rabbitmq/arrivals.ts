/** What has come and is not handed out. @module */
import { saysExpiry } from "../../src/envelope/expiry.ts";
import type { Sink } from "../../src/spi/transport.ts";
import { Deque } from "../../src/values/deque.ts";
import { viaOf } from "./addresses.ts";
import { type Claim, RabbitDelivery } from "./claims.ts";
import { delayedFor } from "./delays.ts";
import { read } from "./frame.ts";

/** What becomes of messages that are not handed out at all. */
export interface ArrivalServices {
  /** Epoch milliseconds. */
  now(): number;
  /** It is not due yet: its delay was longer than the broker keeps. */
  early(claim: Claim, dueAt: number): void;
}

/**
 * Hands what came to a sink: all of one turn together, never more than the credit; for ordered sources not two of one
 * key.
 */
export class Arrivals {
  readonly #sink: Sink;
  readonly #credit: () => number;
  readonly #ready = new Deque<RabbitDelivery>();
  /** By key that is in flight: those that wait for it. `undefined`: the source is not ordered. */
  readonly #keys: Map<string, Deque<RabbitDelivery>> | undefined;
  #unsettled = 0;
  #scheduled = false;
  readonly #pump = (): void => this.#deliver();

  /** @param credit how many may be unsettled, now */
  constructor(sink: Sink, { ordered }: { readonly ordered: boolean }, credit: () => number) {
    this.#sink = sink;
    this.#credit = credit;
    this.#keys = ordered ? new Map() : undefined;
  }

  /** How many have been handed out and are not settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Whether nothing is handed out, or waits for that. */
  get idle(): boolean {
    return this.#unsettled === 0 && this.#ready.size === 0;
  }

  /** One has come, into the queue `queue`. */
  add(claim: Claim, queue: string, services: ArrivalServices): void {
    const { message, claims } = claim;
    const reading = read(message);
    // The broker forgets when a delayed message expires. What says so to its endpoint, too, is dropped and counted there.
    const expired = reading.expiresAt !== undefined && reading.expiresAt <= services.now();
    if (expired && !saysExpiry(reading.frame.headers)) return claims.accept(claim);
    if (reading.dueAt !== undefined && reading.dueAt > services.now()) return services.early(claim, reading.dueAt);
    const { exchange, routingKey } = message.fields;
    const via = reading.via ?? delayedFor(exchange, routingKey) ?? viaOf(exchange, routingKey, queue);
    this.#enter(new RabbitDelivery(reading, via, claim));
  }

  /** One that was handed out is settled. */
  settled({ key }: RabbitDelivery): void {
    this.#unsettled--;
    if (key !== undefined) this.#free(key);
    this.pump();
  }

  /** One that was handed out is handed out anew, before all that is behind it. */
  repeat(delivery: RabbitDelivery): void {
    const { frame, key, via, deliveryCount, claim, unreadable } = delivery;
    if (claim === undefined || via === undefined) return;
    this.#unsettled--;
    const reading = { frame, key, deliveryCount, unreadable, via, expiresAt: undefined, dueAt: undefined };
    claim.call?.done();
    claim.call = undefined;
    claim.delivery = undefined;
    this.#ready.pushFront(
      new RabbitDelivery(reading, via, claim, deliveryCount === undefined ? undefined : deliveryCount + 1),
    );
    this.pump();
  }

  /** Takes out all that is not handed out, in the order in which it came. */
  clear(): readonly Claim[] {
    const all: Claim[] = [];
    for (const { claim } of this.#ready) if (claim !== undefined) all.push(claim);
    for (const waiting of this.#keys?.values() ?? []) {
      for (const { claim } of waiting) if (claim !== undefined) all.push(claim);
      waiting.clear();
    }
    for (const { key, claim } of this.#ready) if (key !== undefined && claim?.delivery === undefined) this.#free(key);
    this.#ready.clear();
    return all;
  }

  /** All claims are gone. */
  forget(): void {
    this.#ready.clear();
    this.#keys?.clear();
    this.#unsettled = 0;
  }

  /** Hands out, soon, what may be. */
  pump(): void {
    if (this.#scheduled || this.#ready.size === 0) return;
    this.#scheduled = true;
    queueMicrotask(this.#pump);
  }

  #enter(delivery: RabbitDelivery): void {
    const { key } = delivery;
    if (this.#keys !== undefined && key !== undefined) {
      const waiting = this.#keys.get(key);
      if (waiting !== undefined) return waiting.pushBack(delivery);
      this.#keys.set(key, new Deque());
    }
    this.#ready.pushBack(delivery);
    this.pump();
  }

  /** The next of the key may be handed out. */
  #free(key: string): void {
    const waiting = this.#keys?.get(key);
    if (waiting === undefined) return;
    const next = waiting.popFront();
    if (next === undefined) this.#keys?.delete(key);
    else this.#ready.pushBack(next);
  }

  #deliver(): void {
    this.#scheduled = false;
    const room = this.#credit() - this.#unsettled;
    if (room <= 0) return;
    const batch: RabbitDelivery[] = [];
    while (batch.length < room) {
      const delivery = this.#ready.popFront();
      if (delivery === undefined) break;
      if (delivery.claim !== undefined) delivery.claim.delivery = delivery;
      batch.push(delivery);
    }
    if (batch.length === 0) return;
    this.#unsettled += batch.length;
    this.#sink.deliver(batch);
  }
}
