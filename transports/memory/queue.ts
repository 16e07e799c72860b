/** A queue and its pump. @module */
import type { Address } from "../../src/spi/transport.ts";
import { Backlog } from "./backlog.ts";
import { InFlight } from "./in_flight.ts";
import { KeyLocks } from "./key_locks.ts";
import { type Contents, Message } from "./message.ts";

/** Whoever takes messages from a queue. */
export interface Consumer {
  readonly ordered: boolean;
  /** How many more it takes now. */
  readonly room: number;
  /** Takes a batch that is not empty, no more than `room`. */
  deliver(batch: readonly Message[]): void;
}

/** What a queue asks of its broker. */
export interface QueueServices {
  /** Epoch milliseconds. */
  now(): number;
  /** Calls `queue.pump()` soon, never within a call. */
  wake(queue: Queue): void;
  /** A message's time was over before it was delivered. */
  expired(queue: Queue, message: Message): void;
}

/** What differs from queue to queue. */
export interface QueueSettings {
  /** Above it, senders are asked to wait; from twice that on, refused. */
  readonly maxLength: number;
  /** Where to what expires here goes; `undefined`: nowhere. */
  readonly deadLetterExpired: Address | undefined;
}

/** A sender that was asked to wait. */
export interface Waiter {
  /** The queue has room again. */
  relieved(queue: Queue): void;
}

/** So many are handed out before others have their turn. */
const mostInATurn = 256;

/** A queue: keeps messages, and hands them to its consumers on a later microtask, never within a call. */
export class Queue {
  readonly name: string;
  readonly settings: QueueSettings;
  /** False: it lives as long as its receiver. */
  readonly durable: boolean;
  /** As the settings say: looked at with every message. */
  readonly #maxLength: number;
  /** How many wait with someone who takes what was there at a time. */
  setAside = 0;
  /** No more messages come to it. */
  #gone = false;
  readonly #services: QueueServices;
  readonly #backlog = new Backlog();
  readonly #inFlight = new InFlight();
  /** Senders that were asked to wait; made when first needed. */
  #waiters: Set<Waiter> | undefined;
  /** Since the first ordered consumer. */
  #locks: KeyLocks | undefined;
  /** Replaced, not changed: a sink may stop its receiver while the pump goes through them. */
  #consumers: readonly Consumer[] = [];
  #turn = 0;
  #positions = 0;
  #pumping = false;

  constructor(name: string, durable: boolean, settings: QueueSettings, services: QueueServices) {
    this.name = name;
    this.durable = durable;
    this.settings = settings;
    this.#maxLength = settings.maxLength;
    this.#services = services;
  }

  /** How many wait, also those whose key is in flight. */
  get waiting(): number {
    return this.#backlog.size + (this.#locks?.parked ?? 0) + this.setAside;
  }

  /** How many are unsettled. */
  get active(): number {
    return this.#inFlight.size;
  }

  /** Whether senders should wait. */
  get full(): boolean {
    return this.waiting > this.#maxLength;
  }

  /** Whether it takes no more. */
  get refuses(): boolean {
    return this.waiting >= 2 * this.#maxLength;
  }

  /** Puts a new message at the end. */
  add(contents: Contents, via: Address): void {
    if (this.#gone) return;
    this.#backlog.add(contents, via, this.#positions++);
    if (this.#consumers.length > 0) this.wake();
  }

  /** Puts a message that was in flight back to where it was, for another attempt. `counted`: as another delivery. */
  putBack(message: Message, counted: boolean = true): void {
    if (this.#gone) return;
    const count = message.deliveryCount + (counted ? 1 : 0);
    this.#backlog.putBack(new Message(message, message.via, message.position, count));
    this.wake();
  }

  /** Puts messages that were drained, and not delivered, back to where they were. */
  restore(messages: Iterable<Message>): void {
    if (this.#gone) return;
    for (const message of messages) this.#backlog.putBack(message);
    this.wake();
  }

  /** From now on it takes part. */
  join(consumer: Consumer): void {
    if (consumer.ordered && this.#locks === undefined) {
      this.#locks = new KeyLocks();
      for (const { key } of this.#inFlight.of()) if (key !== undefined) this.#locks.add(key);
    }
    this.#consumers = [...this.#consumers, consumer];
    this.wake();
  }

  /** From now on it gets nothing; what it has stays in flight until settled. */
  leave(consumer: Consumer): void {
    this.#consumers = this.#consumers.filter((each) => each !== consumer);
    this.wake();
  }

  /** Hands out on the next microtask what can be handed out. */
  wake(): void {
    if (this.#pumping || this.#backlog.size === 0) return;
    this.#pumping = true;
    this.#services.wake(this);
  }

  /** A drained message is delivered to `owner`, past the locks. False: it has expired, and is dropped. */
  deliverDrained(message: Message, owner: object): boolean {
    if (this.#hasExpired(message)) {
      this.#services.expired(this, message);
      return false;
    }
    if (message.key !== undefined) this.#locks?.add(message.key);
    this.#inFlight.add(message, owner);
    return true;
  }

  /** One of those in flight is no more. */
  settled(message: Message): void {
    this.#inFlight.remove(message);
    if (this.#locks !== undefined && message.key !== undefined) {
      const next = this.#locks.release(message.key);
      if (next !== undefined) this.#backlog.putBack(next);
    }
    this.wake();
  }

  /** What is in flight with one owner. */
  unsettled(owner: object): readonly Message[] {
    return this.#inFlight.of(owner);
  }

  /** What waits and has not expired, in order; from the first for which `after` holds. */
  *browse(after?: (message: Message) => boolean): Generator<Message> {
    this.#unpark();
    this.dropExpired();
    for (const message of this.#backlog.inOrder(after)) if (!this.#hasExpired(message)) yield message;
  }

  /** Takes all that waits, in order, locked or not. */
  drain(): readonly Message[] {
    this.#unpark();
    const all: Message[] = [];
    for (let message = this.#backlog.take(); message !== undefined; message = this.#backlog.take()) {
      if (this.#hasExpired(message)) this.#services.expired(this, message);
      else all.push(message);
    }
    this.relieve();
    return all;
  }

  /** Drops what has expired at the head: behind it, nobody waits for it. */
  dropExpired(): void {
    for (let head = this.#backlog.peek(); head !== undefined && this.#hasExpired(head); head = this.#backlog.peek()) {
      this.#backlog.take();
      this.#drop(head);
    }
  }

  /** It is no more, and neither is what waits in it. */
  close(): void {
    this.#gone = true;
    this.#consumers = [];
    this.drain();
  }

  /** Tells `waiter` once there is room again. */
  addWaiter(waiter: Waiter): void {
    (this.#waiters ??= new Set()).add(waiter);
  }

  /** Tells it nothing more. */
  removeWaiter(waiter: Waiter): void {
    this.#waiters?.delete(waiter);
  }

  /** Lets those wait no longer for whom there is room. */
  relieve(): void {
    const waiters = this.#waiters;
    if (waiters === undefined || this.full) return;
    this.#waiters = undefined;
    for (const waiter of waiters) waiter.relieved(this);
  }

  /** Rounds through the consumers; after some, what they do in between has its turn. */
  pump(): void {
    let left = mostInATurn;
    for (let delivered = 1; delivered > 0 && left > 0 && this.#backlog.size > 0; left -= delivered) {
      delivered = this.#round(left);
    }
    this.#pumping = false;
    this.relieve();
    if (this.#backlog.size > 0 && this.#consumers.some((consumer) => consumer.room > 0)) this.wake();
  }

  /** Gives how many were delivered. */
  #round(limit: number): number {
    const consumers = this.#consumers;
    let open = 0;
    for (const consumer of consumers) if (consumer.room > 0) open++;
    if (open === 0) return 0;
    // Competing consumers share what is there evenly, and the first changes from round to round.
    const share = open === 1 ? limit : Math.ceil(Math.min(limit, this.#backlog.size) / open);
    const start = this.#turn++;
    let delivered = 0;
    for (let at = 0; at < consumers.length; at++) {
      const consumer = consumers[(start + at) % consumers.length];
      if (consumer === undefined || consumer.room <= 0) continue;
      const batch = this.#take(Math.min(consumer.room, share), consumer);
      if (batch === undefined) continue;
      delivered += batch.length;
      consumer.deliver(batch);
    }
    return delivered;
  }

  /** `undefined`: there was nothing. */
  #take(limit: number, owner: object): readonly Message[] | undefined {
    let batch: Message[] | undefined;
    while (batch === undefined || batch.length < limit) {
      const message = this.#backlog.take();
      if (message === undefined) break;
      if (this.#hasExpired(message)) this.#drop(message);
      else if (this.#locks === undefined || message.key === undefined || this.#locks.claim(message.key, message)) {
        this.#inFlight.add(message, owner);
        // Mostly it is the only one: an array that is pushed to has room for many.
        if (batch === undefined) batch = [message];
        else batch.push(message);
      }
    }
    return batch;
  }

  #hasExpired({ expiresAt }: Message): boolean {
    return expiresAt !== undefined && expiresAt <= this.#services.now();
  }

  #drop(message: Message): void {
    if (message.key !== undefined) {
      const next = this.#locks?.dropped(message.key);
      if (next !== undefined) this.#backlog.putBack(next);
    }
    this.#services.expired(this, message);
  }

  #unpark(): void {
    for (const message of this.#locks?.clear() ?? []) this.#backlog.putBack(message);
  }
}
