/** Publishing, with confirms. @module */
import type { ConfirmChannel, Message } from "amqplib";
import { ClosedError } from "../../src/errors/transport.ts";
import { NotConfirmedError, UnroutableError } from "../../src/errors/sending.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { Deque } from "../../src/values/deque.ts";
import { blame } from "./blame.ts";
import type { Connection } from "./connection.ts";
import { asBuffer } from "./frame.ts";
import { transportName } from "./errors.ts";
import { type Parcel, unwritable } from "./parcel.ts";
import type { ChannelWire } from "./wire.ts";

/** The most that the broker takes, in milliseconds. */
const longestExpiration = 2 ** 32 - 1;
/** How old a channel is at least that is made anew as the broker refuses, and how long all wait for that at most. */
const suspectAfterInMs = 1_000;
const patienceInMs = 500;
/** The most bytes that wait or are unconfirmed, before senders are asked to wait. */
const mostBytes = 64 * 2 ** 20;

/**
 * Publishes on one channel, in order. What is not confirmed when the channel ends is published again on the next one,
 * before what came later.
 */
export class Sender {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #window: number;
  readonly #waiting = new Deque<Parcel>();
  /** Published, by tag. */
  readonly #unconfirmed = new Deque<Parcel>();
  /** The tag of the first of those. */
  #firstTag = 1;
  #bytes = 0;
  #channel: ConfirmChannel | undefined;
  #wire: ChannelWire | undefined;
  #opening = false;
  #openedAt = 0;
  /** Ends the wait for what is unconfirmed, after which the channel is made anew. */
  #endWait: (() => void) | undefined;
  #blocked = false;
  #closed = false;
  #relieved: PromiseWithResolvers<void> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  /** Why the broker ended the channel; it says so just before. */
  #reason: Error | undefined;

  /** @param window how many may be unconfirmed */
  constructor(connection: Connection, clock: Clock, window: number) {
    this.#connection = connection;
    this.#clock = clock;
    this.#window = window;
  }

  /** How many have been taken and are not settled. */
  get outstanding(): number {
    return this.#waiting.size + this.#unconfirmed.size;
  }

  /** How many the broker has not confirmed. */
  get unconfirmed(): number {
    return this.#unconfirmed.size;
  }

  /** Takes a message. Nothing is published before {@linkcode flush}. */
  add(parcel: Parcel): void {
    if (this.#closed) return parcel.settle(new ClosedError(`the transport "${transportName}"`));
    this.#bytes += parcel.content.byteLength;
    this.#waiting.pushBack(parcel);
  }

  /** Publishes what can be published. */
  flush(): void {
    const channel = this.#channel;
    if (channel === undefined) return this.connected();
    if (this.#endWait !== undefined && this.#unconfirmed.size === 0) return this.#renew(channel);
    if (this.#blocked || this.#endWait !== undefined) return;
    while (this.#unconfirmed.size < this.#window) {
      const parcel = this.#waiting.popFront();
      if (parcel === undefined) break;
      if (!this.#publish(channel, parcel)) break;
    }
    this.#check();
  }

  /** A promise, if whoever sends shall wait. */
  pressure(): Promise<void> | undefined {
    if (this.#closed || (this.outstanding < this.#window && this.#bytes < mostBytes)) return undefined;
    this.#relieved ??= Promise.withResolvers<void>();
    return this.#relieved.promise;
  }

  /** Whether so much waits that nothing more is taken. */
  get full(): boolean {
    return this.outstanding >= 2 * this.#window || this.#bytes >= 2 * mostBytes;
  }

  /** The connection is there: opens a channel if there is none. */
  connected(): void {
    if (this.#channel !== undefined || this.#opening || this.#closed || !this.#connection.ready) return;
    this.#opening = true;
    void this.#open();
  }

  /** The broker takes nothing, or takes messages again. */
  block(blocked: boolean): void {
    this.#blocked = blocked;
    if (!blocked) this.flush();
  }

  /** Resolves when nothing waits and all is confirmed. */
  drained(): Promise<void> {
    if (this.outstanding === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  /** Takes nothing more; what is left fails. */
  close(): void {
    this.#closed = true;
    this.#stopWaiting();
    const error = new ClosedError(`the transport "${transportName}"`);
    for (const left of [this.#unconfirmed, this.#waiting]) {
      for (let parcel = left.popFront(); parcel !== undefined; parcel = left.popFront()) {
        if (!parcel.confirmed) this.#settle(parcel, error);
      }
    }
    this.#check();
    this.#relieved?.resolve();
  }

  async #open(): Promise<void> {
    try {
      const { channel, wire } = await this.#connection.confirmChannel();
      this.#firstTag = 1;
      this.#reason = undefined;
      channel.on("error", (error: Error) => this.#reason = error);
      channel.on("close", () => this.#ended(channel));
      channel.on("ack", ({ deliveryTag, multiple }) => this.#confirmed(deliveryTag, multiple, false));
      channel.on("nack", ({ deliveryTag, multiple }) => this.#confirmed(deliveryTag, multiple, true));
      channel.on("return", (message) => this.#returned(message));
      this.#channel = channel;
      this.#wire = wire;
      this.#openedAt = this.#clock.now();
    } catch {
      // The connection is on its way down; it calls `connected` when it is back.
    }
    this.#opening = false;
    if (this.#channel !== undefined) this.flush();
  }

  /** False: the channel is gone, and the message waits. */
  #publish(channel: ConfirmChannel, parcel: Parcel): boolean {
    const { properties, expiresAt } = parcel;
    if (expiresAt !== undefined) {
      const left = expiresAt - this.#clock.now();
      // What has expired is dropped, as the broker would.
      if (left <= 0) {
        this.#settle(parcel, undefined);
        return true;
      }
      // Longer, the broker refuses it: then the message itself says when it expires.
      if (left <= longestExpiration) properties.expiration = Math.ceil(left);
    }
    try {
      if (this.#wire?.publish(parcel) !== true) {
        channel.publish(parcel.exchange, parcel.routingKey, asBuffer(parcel.content), properties);
      }
    } catch (error) {
      if (error instanceof RangeError || error instanceof TypeError) { // it cannot be written
        this.#settle(parcel, unwritable(parcel, error));
        return true;
      }
      this.#waiting.pushFront(parcel);
      return false;
    }
    this.#unconfirmed.pushBack(parcel);
    return true;
  }

  #confirmed(tag: number, multiple: boolean, refused: boolean): void {
    if (multiple) {
      for (let count = tag - this.#firstTag + 1; count > 0; count--) this.#shift(refused);
    } else if (tag === this.#firstTag) {
      this.#shift(refused);
    } else {
      const parcel = this.#unconfirmed.at(tag - this.#firstTag);
      if (parcel !== undefined) {
        parcel.confirmed = true;
        parcel.refused = refused;
        // Told now: that others before it are late is no reason to wait. It keeps its place until then.
        this.#tell(parcel);
      }
    }
    while (this.#unconfirmed.peekFront()?.confirmed === true) this.#shift(false);
    this.flush();
  }

  #shift(refused: boolean): void {
    const parcel = this.#unconfirmed.popFront();
    if (parcel === undefined) return;
    this.#firstTag++;
    if (parcel.confirmed) return;
    parcel.refused = refused;
    this.#tell(parcel);
  }

  #tell(parcel: Parcel): void {
    if (parcel.refused) {
      this.#settle(parcel, new NotConfirmedError(parcel.name, parcel.to));
      this.#suspect();
    } else if (parcel.returned !== undefined) this.#settle(parcel, new UnroutableError(parcel.name, parcel.to));
    else this.#settle(parcel, undefined);
  }

  #settle(parcel: Parcel, error: Error | undefined): void {
    this.#bytes -= parcel.content.byteLength;
    parcel.settle(error);
  }

  /**
   * A channel of RabbitMQ 3.10 that knows a quorum queue by a node which is gone refuses all for it until that is back;
   * another channel does not. So what is refused has it made anew, once nothing is unconfirmed.
   */
  #suspect(): void {
    const now = this.#clock.now();
    if (this.#endWait !== undefined || this.#channel === undefined || now < this.#openedAt + suspectAfterInMs) return;
    this.#endWait = this.#clock.at(now + patienceInMs, () => {
      this.#endWait = undefined;
      this.#openedAt = this.#clock.now(); // not at once again
      this.flush();
    });
  }

  #renew(channel: ConfirmChannel): void {
    this.#stopWaiting();
    this.#channel = undefined;
    this.#wire = undefined;
    void channel.close().catch(() => {}); // the connection has ended it
    this.connected();
  }

  #stopWaiting(): void {
    this.#endWait?.();
    this.#endWait = undefined;
  }

  /** It comes before its confirm; other confirms may lie between, so it is found by what it is. */
  #returned({ fields, properties }: Message): void {
    for (const parcel of this.#unconfirmed) {
      if (
        parcel.mandatory && !parcel.confirmed && parcel.returned === undefined &&
        parcel.properties.messageId === properties.messageId && parcel.exchange === fields.exchange &&
        parcel.routingKey === fields.routingKey
      ) {
        parcel.returned = { replyText: String((fields as { readonly replyText?: unknown }).replyText) };
        return;
      }
    }
  }

  /** The channel has ended: what is not confirmed is published again, but for what ended it. */
  #ended(channel: ConfirmChannel): void {
    if (this.#channel !== channel) return; // another was made in its place
    this.#stopWaiting();
    this.#channel = undefined;
    this.#wire = undefined;
    const reason = this.#reason;
    const again: Parcel[] = [];
    for (let parcel = this.#unconfirmed.popFront(); parcel !== undefined; parcel = this.#unconfirmed.popFront()) {
      if (!parcel.confirmed) again.push(parcel);
    }
    if (reason !== undefined) {
      blame(again, reason, (parcel, error) => {
        parcel.failures = -1;
        this.#settle(parcel, error);
      });
    }
    for (const parcel of again.reverse()) {
      if (parcel.failures < 0) continue;
      parcel.reset();
      this.#waiting.pushFront(parcel);
    }
    this.#check();
    // On the next turn it is known whether the connection has ended, too.
    queueMicrotask(() => this.connected());
  }

  #check(): void {
    if (this.#relieved !== undefined && this.outstanding <= this.#window / 2 && this.#bytes < mostBytes) {
      this.#relieved.resolve();
      this.#relieved = undefined;
    }
    if (this.#idle !== undefined && this.outstanding === 0) {
      this.#idle.resolve();
      this.#idle = undefined;
    }
  }
}
