/** Takes what is in a queue, once. @module */
import type { Channel } from "amqplib";
import { ClosedError, DisconnectedError } from "../../src/errors/transport.ts";
import type { Address, Receiver, Settlement, Sink } from "../../src/spi/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { viaOf } from "./addresses.ts";
import { areBack } from "./browsing.ts";
import { type Claim, Claims, RabbitDelivery } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { delayedFor } from "./delays.ts";
import { transportName } from "./errors.ts";
import { read } from "./frame.ts";
import { remember } from "./origins.ts";
import { type CopyServices, settle, type Settling } from "./settling.ts";

/** What a taker asks of its transport. */
export interface TakerServices {
  readonly connection: Pick<Connection, "with">;
  readonly clock: Clock;
  readonly copies: CopyServices;
  /** Those that end with their transport. */
  readonly takers: Set<Taker>;
}

/**
 * A receiver of what waited when it began. It asks for one message after the other; what it releases it holds until it
 * ends, as the broker would give it the same again.
 */
export class Taker implements Receiver, Settling {
  readonly address: Address;
  readonly done: Promise<void>;
  readonly #queue: string;
  readonly #sink: Sink;
  readonly #services: TakerServices;
  #end: () => void = () => {};
  #channel: Channel | undefined;
  #claims: Claims | undefined;
  #credit: number;
  #left = 0;
  #unsettled = 0;
  /** How many go back with the channel. */
  #kept = 0;
  #asking = false;
  #stopped = false;
  #ended = false;

  constructor(queue: string, sink: Sink, credit: number, services: TakerServices) {
    this.#queue = queue;
    this.address = `queue:${queue}`;
    this.#sink = sink;
    this.#credit = credit;
    this.#services = services;
    this.done = new Promise((resolve) => this.#end = resolve);
  }

  /** As {@linkcode Settling}. */
  get copies(): CopyServices {
    return this.#services.copies;
  }

  /** Begins, on a channel that is its own. */
  async start(channel: Channel): Promise<void> {
    this.#channel = channel;
    this.#claims = new Claims(channel, this.#services.clock, () => this.#retire());
    const { messageCount } = await channel.checkQueue(this.#queue);
    this.#left = messageCount;
    this.#services.takers.add(this);
    channel.on("close", () => this.#lost(new DisconnectedError(transportName, `take from "${this.address}"`)));
    this.#pump();
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    return settle(batch, this);
  }

  credit(total: number): void {
    this.#credit = total;
    this.#pump();
  }

  stop(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#pump();
    }
    return Promise.resolve();
  }

  /** As {@linkcode Settling}. */
  settled(_delivery: RabbitDelivery): void {
    this.#unsettled--;
    this.#pump();
  }

  /** As {@linkcode Settling}. */
  release(delivery: RabbitDelivery, claim: Claim): void {
    if (this.#stopped) claim.claims.release(claim);
    else {
      claim.call?.done(); // the broker hears of it when this ends, however that comes about
      claim.call = undefined;
      claim.claims.keep(claim);
      this.#kept++;
    }
    this.settled(delivery);
  }

  /** Its transport closes. */
  close(): void {
    this.#claims?.flush();
    this.#lost(new ClosedError(`the transport "${transportName}"`));
  }

  #pump(): void {
    if (this.#asking || this.#ended) return;
    if (this.#left > 0 && !this.#stopped) {
      if (this.#unsettled < this.#credit) void this.#ask();
    } else if (this.#unsettled === 0) {
      this.#stopped = true;
      this.#retire();
    }
  }

  async #ask(): Promise<void> {
    const claims = this.#claims;
    if (this.#channel === undefined || claims === undefined) return;
    this.#asking = true;
    try {
      const message = await this.#channel.get(this.#queue);
      this.#asking = false;
      if (message === false) this.#left = 0; // others have taken the rest
      else {
        this.#left--;
        const claim = claims.add(message, this);
        if (this.#stopped) claims.release(claim);
        else this.#deliver(claim);
      }
      this.#pump();
    } catch {
      this.#asking = false; // the channel has ended, which is told apart
    }
  }

  #deliver(claim: Claim): void {
    const { exchange, routingKey } = claim.message.fields;
    const reading = read(claim.message);
    const via = reading.via ?? delayedFor(exchange, routingKey) ?? viaOf(exchange, routingKey, this.#queue);
    remember(reading.frame.body, claim.message);
    claim.delivery = new RabbitDelivery(reading, via, claim);
    this.#unsettled++;
    this.#sink.deliver([claim.delivery]);
  }

  /** Nothing is left to settle, and the broker has heard of all. */
  #retire(): void {
    if (!this.#stopped || this.#ended || this.#claims?.idle !== true) return;
    this.#ended = true;
    this.#claims.end();
    void this.#giveBack().catch(() => {}).then(() => this.#finish()); // what breaks meanwhile gives all back
  }

  /** Resolves when what was not wanted is where it was. */
  async #giveBack(): Promise<void> {
    await this.#channel?.close();
    if (this.#kept === 0) return;
    const { clock, connection } = this.#services;
    await connection.with((channel) => areBack(channel, clock, this.#queue, this.#kept));
  }

  #lost(reason: Error): void {
    if (this.#ended) return;
    const cut = this.#left > 0 && !this.#stopped; // there was more to take
    this.#ended = this.#stopped = true;
    const lost = this.#claims?.end() ?? [];
    void this.#channel?.close().catch(() => {});
    this.#finish();
    if (lost.length > 0 || cut) this.#sink.lost(lost, reason);
  }

  #finish(): void {
    this.#services.takers.delete(this);
    this.#end();
  }
}
