/** Decides which delivery starts when: gates, concurrency, order by key. @module */
import type { Delivery } from "../spi/transport.ts";
import { Deque } from "../values/deque.ts";
import type { Gate } from "./gate.ts";

/** How an endpoint takes in what came. */
export interface IntakeOptions {
  /** How many may run at once. */
  readonly concurrency: number;
  readonly gates: readonly Gate[];
  /** Messages that wait for others, in a batch, take no slot. Left out: none do. */
  readonly slotless: ((delivery: Delivery) => boolean) | undefined;
  readonly owner: IntakeOwner;
  /** Told of those that have to wait for their turn. Left out: nobody is. */
  readonly foresee?: ((waiting: readonly Delivery[]) => void) | undefined;
}

/** Starts what the intake says may start. */
export interface IntakeOwner {
  /** The intake is told by `finished` when it is over. */
  start(delivery: Delivery, sequence: number): void;
}

/** A key that is being handled. */
interface Held {
  /** How many run: one, or several that wait in a batch. */
  running: number;
  readonly slotless: boolean;
  waiting: Deque<Delivery> | undefined;
  /** Whose turn it is: it waits for a slot alone. */
  next: Delivery | undefined;
}

/**
 * Decides which delivery of an endpoint starts when: no more than its concurrency, none that a gate holds back, and of
 * one key one at a time, in the order in which they came; other keys pass.
 */
export class Intake {
  readonly #concurrency: number;
  readonly #gates: readonly Gate[];
  readonly #slotless: ((delivery: Delivery) => boolean) | undefined;
  readonly #owner: IntakeOwner;
  readonly #foresee: IntakeOptions["foresee"];
  readonly #ready = new Deque<Delivery>();
  readonly #keys = new Map<string, Held>();
  readonly #lost = new Set<Delivery>();
  #waiting = 0;
  #running = 0;
  #slots = 0;
  #sequence = 0;
  #pumping = false;
  #closed = false;
  #paused = false;

  constructor(options: IntakeOptions) {
    this.#concurrency = options.concurrency;
    this.#gates = options.gates;
    this.#slotless = options.slotless;
    this.#owner = options.owner;
    this.#foresee = options.foresee;
  }

  /** Deliveries that run. */
  get running(): number {
    return this.#running;
  }
  /** Deliveries that have come and not started. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a batch in. */
  add(batch: readonly Delivery[]): void {
    this.#waiting += batch.length;
    for (const delivery of batch) {
      if (!this.#startsAtOnce(delivery)) this.#ready.pushBack(delivery);
    }
    this.pump();
    if (this.#foresee !== undefined && this.#ready.size > 0) this.#foresee(this.#last(batch.length));
  }

  /** The last of those that are ready: at most so many. */
  #last(most: number): readonly Delivery[] {
    const last: Delivery[] = [];
    for (let at = Math.max(0, this.#ready.size - most); at < this.#ready.size; at++) {
      const delivery = this.#ready.at(at);
      if (delivery !== undefined) last.push(delivery);
    }
    return last;
  }

  /** The common case takes no way through the queue: nothing waits, and a slot is free. */
  #startsAtOnce(delivery: Delivery): boolean {
    if (delivery.key !== undefined || this.#ready.size > 0 || this.#pumping || this.#paused || this.#closed) {
      return false;
    }
    if (this.#slotless !== undefined || this.#gates.length > 0 || this.#slots >= this.#concurrency) return false;
    // What it brings about, a handler that ends at once among it, is for the next.
    this.#pumping = true;
    this.#start(delivery, false);
    this.#pumping = false;
    return true;
  }

  /** Starts what may start. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // Slotless ones may start when all slots are taken, but not before what came earlier.
    while (!this.#paused && !this.#closed && this.#ready.size > 0 && this.#gatesOpen()) {
      const delivery = this.#ready.peekFront();
      if (delivery === undefined) break;
      const free = this.#slotless?.(delivery) ?? false;
      if (!free && this.#slots >= this.#concurrency) break;
      this.#ready.popFront();
      if (this.#lost.delete(delivery)) {
        this.#waiting--;
        if (delivery.key !== undefined && this.#keys.get(delivery.key)?.next === delivery) this.#release(delivery.key);
        continue;
      }
      if (delivery.key !== undefined && !this.#claim(delivery, delivery.key, free)) continue;
      this.#start(delivery, free);
    }
    this.#pumping = false;
  }

  #gatesOpen(): boolean {
    for (const gate of this.#gates) if (!gate.open()) return false;
    return true;
  }

  /** False: the key is being handled, and the delivery waits for it. */
  #claim(delivery: Delivery, key: string, slotless: boolean): boolean {
    const held = this.#keys.get(key);
    if (held === undefined) {
      this.#keys.set(key, { running: 1, slotless, waiting: undefined, next: undefined });
      return true;
    }
    if (held.next === delivery) {
      held.next = undefined;
      held.running = 1;
      return true;
    }
    if (held.slotless && slotless && held.running > 0 && (held.waiting === undefined || held.waiting.size === 0)) {
      held.running++;
      return true;
    }
    held.waiting ??= new Deque();
    held.waiting.pushBack(delivery);
    return false;
  }

  #start(delivery: Delivery, slotless: boolean): void {
    const sequence = ++this.#sequence;
    this.#waiting--;
    this.#running++;
    if (!slotless) this.#slots++;
    if (this.#gates.length > 0) { for (const gate of this.#gates) gate.started(sequence); }
    this.#owner.start(delivery, sequence);
  }

  /**
   * One that was started is over.
   *
   * @param error what it failed with
   * @param counted whether it says anything of the handlers
   */
  finished(delivery: Delivery, sequence: number, error: Error | undefined, counted: boolean): void {
    this.#running--;
    if (!(this.#slotless?.(delivery) ?? false)) this.#slots--;
    if (this.#gates.length > 0) { for (const gate of this.#gates) gate.finished(sequence, error, counted); }
    if (delivery.key !== undefined) this.#release(delivery.key);
    this.pump();
  }

  /** The next of the key comes before what came later. */
  #release(key: string): void {
    const held = this.#keys.get(key);
    if (held === undefined || (held.running > 0 && --held.running > 0)) return;
    const next = held.waiting?.popFront();
    if (next === undefined) {
      this.#keys.delete(key);
      return;
    }
    held.next = next;
    this.#ready.pushFront(next);
  }

  /** Their claims are gone: those of them that wait here are not started. Others are being settled already. */
  lose(deliveries: readonly Delivery[]): void {
    const waiting = new Set(this.#ready);
    for (const held of this.#keys.values()) for (const delivery of held.waiting ?? []) waiting.add(delivery);
    for (const delivery of deliveries) if (waiting.has(delivery)) this.#lost.add(delivery);
  }

  /** Starts nothing more until `resume`. */
  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
    this.pump();
  }
  /** Starts nothing more. */
  close(): void {
    this.#closed = true;
  }

  /** Takes out all that has not started, those of one key in the order in which they came. */
  clear(): readonly Delivery[] {
    const all: Delivery[] = [];
    for (const [key, held] of this.#keys) {
      if (held.next !== undefined) all.push(held.next);
      if (held.waiting !== undefined) all.push(...held.waiting);
      held.waiting = undefined;
      held.next = undefined;
      if (held.running === 0) this.#keys.delete(key);
    }
    // What waits for its key came before what of that key is still ready.
    const turned = new Set(all);
    for (const delivery of this.#ready) if (!turned.has(delivery)) all.push(delivery);
    this.#ready.clear();
    this.#waiting = 0;
    const kept = all.filter((delivery) => !this.#lost.delete(delivery));
    this.#lost.clear();
    return kept;
  }
}
