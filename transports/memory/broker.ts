/** What several transports may share. @module */
import { isLarger } from "../../src/envelope/body.ts";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { BackpressureError, MessageTooLargeError, UnroutableError } from "../../src/errors/sending.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { Address, Outgoing, Transport } from "../../src/spi/transport.ts";
import { Delays, SharedClock } from "./delays.ts";
import type { Contents, Message } from "./message.ts";
import type { Queue, QueueServices } from "./queue.ts";
import type { ReceiverServices } from "./receiver.ts";
import { Entities, type Route } from "./topology.ts";

/** What a broker has counted since it was made. */
export interface MemoryBrokerCounts {
  /** Messages whose time was over before they were delivered. */
  readonly expired: number;
  /** Messages that reached no queue, and were not mandatory. */
  readonly unrouted: number;
  /** Settlements without effect: of what was settled or lost, or is not the receiver's. */
  readonly ineffective: number;
}

/** A broker in this process, for several buses. */
export interface MemoryBroker {
  /** Whether it moves references: see `MemoryOptions.byReference`. */
  readonly byReference: boolean;
  /** What it has counted. */
  readonly counts: MemoryBrokerCounts;
  /**
   * Ends a transport as if its process had died: what it has unsettled goes back to the front of its queues, its
   * instance and reply queues are gone, its sinks hear nothing, and whatever it is still called for has no effect.
   */
  kill(transport: Transport): void;
  /**
   * Breaks a transport's connection, which is there again at once: what it has unsettled is lost and goes back to the
   * front of its queues, and its reply sources get new addresses.
   */
  disconnect(transport: Transport): void;
}

/** A transport, as its broker sees it. */
export interface Member {
  die(): void;
  reconnect(): void;
}

/** The largest body, in bytes. */
export const maxFrameBytes: number = 2 ** 30;
/** Who is told of queues that senders should wait for. */
export interface Crowd {
  full(queue: Queue): void;
}

/** The broker behind {@linkcode MemoryBroker}. */
export class Broker implements MemoryBroker, QueueServices, ReceiverServices {
  readonly byReference: boolean;
  readonly entities: Entities = new Entities(this);
  readonly members: WeakMap<Transport, Member> = new WeakMap();
  readonly #clock = new SharedClock();
  readonly #delays = new Delays(this.#clock);
  /** Queues that have something to hand out: one microtask for all. */
  #woken: Queue[] = [];
  readonly #pump = (): void => {
    const woken = this.#woken;
    this.#woken = [];
    for (const queue of woken) queue.pump();
  };
  #expired = 0;
  #unrouted = 0;
  #ineffective = 0;

  constructor(byReference: boolean) {
    this.byReference = byReference;
  }

  get counts(): MemoryBrokerCounts {
    return { expired: this.#expired, unrouted: this.#unrouted, ineffective: this.#ineffective };
  }

  kill(transport: Transport): void {
    this.#member(transport).die();
  }

  disconnect(transport: Transport): void {
    this.#member(transport).reconnect();
  }

  /** A bus has opened: its clock may be used. */
  open(clock: Clock): void {
    this.#clock.join(clock);
  }

  /** It has closed. */
  close(clock: Clock): void {
    this.#clock.leave(clock);
  }

  now(): number {
    return this.#clock.now();
  }

  /**
   * Takes a message, or gives the error why not; a receipt if it is due later. Tells `crowd` which queues it made too
   * full.
   */
  send(outgoing: Outgoing, crowd: Crowd): Error | string | undefined {
    const { frame, to, dueAt } = outgoing;
    if (isLarger(frame, maxFrameBytes)) {
      return new MessageTooLargeError(outgoing.messageId, "body", frame.body.byteLength, maxFrameBytes);
    }
    const routes = this.#routes(outgoing);
    if (routes.length === 0) {
      if (outgoing.mandatory) return new UnroutableError(outgoing.messageId, to);
      if (dueAt === undefined) {
        this.#unrouted++;
        return undefined;
      }
    }
    // All queues or none: half a publication could not be sent again.
    for (const { queue } of routes) {
      if (queue.refuses) return new BackpressureError(`queue:${queue.name}`, 2 * queue.settings.maxLength);
    }
    if (dueAt !== undefined && dueAt > this.now()) {
      return this.#delays.add(dueAt, {
        release: () => this.#deliver(outgoing, this.#routes(outgoing)),
        reaches: (name) => this.#routes(outgoing).some(({ queue }) => queue.name === name),
      });
    }
    this.#deliver(outgoing, routes);
    for (const { queue } of routes) if (queue.full) crowd.full(queue);
    return undefined;
  }

  /** As `Transport.cancel`. */
  cancel(receipt: string): boolean {
    return this.#delays.cancel(receipt);
  }

  /** How many are due later in a queue. */
  delayed(queue: string): number {
    return this.#delays.count(queue);
  }

  wake(queue: Queue): void {
    if (this.#woken.push(queue) === 1) queueMicrotask(this.#pump);
  }

  later(queue: Queue, contents: Contents, via: Address, dueAt: number): void {
    if (dueAt <= this.now()) queue.add(contents, via);
    else this.#delays.add(dueAt, { release: () => queue.add(contents, via), reaches: (name) => queue.name === name });
  }

  move(to: Address, contents: Contents): boolean {
    const routes = this.entities.route(to);
    for (const { queue, via } of routes) queue.add(contents, via);
    return routes.length > 0;
  }

  expired(queue: Queue, message: Message): void {
    this.#expired++;
    const { deadLetterExpired } = queue.settings;
    const { frame, key, priority } = message;
    if (deadLetterExpired !== undefined) this.move(deadLetterExpired, { frame, key, priority });
  }

  ineffective(): void {
    this.#ineffective++;
  }

  remove(queue: Queue): void {
    this.entities.remove(queue);
  }

  renew(queue: Queue): Queue {
    // Made before the old one goes, so that it cannot have the same name.
    const renewed = this.entities.addTransient(queue.name.replace(/~\d+$/, ""), [], queue.settings);
    this.entities.remove(queue);
    return renewed;
  }

  #routes({ to, alsoTo }: Outgoing): readonly Route[] {
    const routes = this.entities.route(to);
    if (alsoTo.length === 0) return routes;
    const all = new Map(routes.map((route) => [route.queue, route]));
    for (const route of alsoTo.flatMap((each) => this.entities.route(each))) {
      if (!all.has(route.queue)) all.set(route.queue, route);
    }
    return [...all.values()];
  }

  #deliver(outgoing: Outgoing, routes: readonly Route[]): void {
    if (routes.length === 0) this.#unrouted++;
    for (const { queue, via } of routes) queue.add(outgoing, via);
  }

  #member(transport: Transport): Member {
    const member = this.members.get(transport);
    if (member !== undefined) return member;
    throw new ConfigurationError(
      `Cannot reach the transport "${transport.name}" here: it was not made for this broker. ` +
        `Make it with memory({ broker })`,
    );
  }
}
