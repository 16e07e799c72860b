/** What is to be published, as parcels. @module */
import type { MessageProperties } from "amqplib";
import { names } from "../../src/envelope/headers.ts";
import { keys } from "../../src/envelope/meta.ts";
import { readMeta } from "../../src/envelope/meta_reading.ts";
import { UnsupportedError } from "../../src/errors/configuration.ts";
import { BackpressureError, MessageTooLargeError, UnroutableError } from "../../src/errors/sending.ts";
import { toError } from "../../src/errors/thrown.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { FrameHeaders } from "../../src/spi/frame.ts";
import type { Address, Outgoing } from "../../src/spi/transport.ts";
import { routeOf } from "./addresses.ts";
import type { Claim, RabbitDelivery } from "./claims.ts";
import { longestInMs } from "./delay_steps.ts";
import type { Delays } from "./delays.ts";
import { isDirect } from "./direct_replies.ts";
import { toTyped, transportName } from "./errors.ts";
import { copied, own, type Table, writeHeaders } from "./frame.ts";
import { metaIn, writeHeading } from "./heading.ts";
import { restoreOrigin } from "./origins.ts";
import { type Letter, Parcel, type Sent } from "./parcel.ts";
import type { Sender } from "./sender.ts";
import type { CopyServices } from "./settling.ts";

/** Makes parcels, and gives them to the sender when their way is there. */
export class Outbox implements CopyServices {
  readonly #sender: Sender;
  readonly #delays: Delays;
  readonly #clock: Clock;
  readonly #choosesBy: (to: Address) => "key" | "headers" | undefined;
  readonly #ignoresPriority: (to: Address) => string | undefined;
  readonly #remake: (to: Address) => Promise<boolean>;
  readonly #maxBytes: number;
  readonly #window: number;
  /** Those that wait for the way of a delay. */
  #preparing = 0;
  #idle: (() => void) | undefined;

  constructor(
    services: {
      readonly sender: Sender;
      readonly delays: Delays;
      readonly clock: Clock;
      /** By what an address chooses who gets a message: its routing key, or its headers. */
      readonly choosesBy: (to: Address) => "key" | "headers" | undefined;
      /** The queue, known to have no priorities, that alone gets what is sent to an address. */
      readonly ignoresPriority: (to: Address) => string | undefined;
      /** Makes a queue again that was deployed; false: it was not. */
      readonly remake: (to: Address) => Promise<boolean>;
    },
    limits: { readonly maxMessageBytes: number; readonly maxUnconfirmed: number },
  ) {
    this.#sender = services.sender;
    this.#delays = services.delays;
    this.#clock = services.clock;
    this.#choosesBy = services.choosesBy;
    this.#ignoresPriority = services.ignoresPriority;
    this.#remake = services.remake;
    this.#maxBytes = limits.maxMessageBytes;
    this.#window = limits.maxUnconfirmed;
  }

  /** As `Transport.send`. */
  send(batch: readonly Outgoing[]): void | Promise<void> {
    const full = this.#sender.full;
    for (const outgoing of batch) {
      if (full) outgoing.settled(new BackpressureError(outgoing.to, 2 * this.#window));
      else this.#take(outgoing);
    }
    this.#sender.flush();
    return this.#sender.pressure();
  }

  /** Resolves when all is confirmed. */
  async drained(): Promise<void> {
    while (this.#preparing > 0 || this.#sender.outstanding > 0) {
      if (this.#preparing > 0) await new Promise<void>((resolve) => this.#idle = resolve);
      await this.#sender.drained();
    }
  }

  copyLater(delivery: RabbitDelivery, dueAt: number, headers: FrameHeaders): Promise<void> {
    const { claim } = delivery;
    if (claim === undefined) return Promise.resolve();
    return this.postpone(claim, dueAt, headers, delivery.via);
  }

  /** A copy of what a claim holds, into the queue that it came from, at a time. */
  postpone(claim: Claim, dueAt: number, headers: FrameHeaders, via: Address | undefined): Promise<void> {
    const { message } = claim;
    const properties = copied(message, headers, false);
    const table = properties.headers;
    if (via !== undefined) table[own.via] = via;
    const expiresAt = this.#expiry(message.properties, table);
    return this.#publish({
      name: nameOf(table[names.type] ?? message.properties.type),
      to: claim.source,
      key: undefined,
      content: message.content,
      properties: { ...properties, mandatory: true },
      table,
      dueAt,
      expiresAt,
    });
  }

  async copyTo({ claim }: RabbitDelivery, to: Address, headers: FrameHeaders): Promise<void> {
    if (claim === undefined) return;
    const { message } = claim;
    const properties = copied(message, headers, true);
    delete properties.headers[own.expires]; // what failed must not expire where it is kept
    delete properties.headers[own.via];
    const key = properties.headers[own.key];
    const letter: Letter = {
      name: nameOf(properties.headers[names.type] ?? properties.type),
      to,
      key: typeof key === "string" ? key : undefined,
      content: message.content,
      properties: { ...properties, mandatory: true },
      table: properties.headers,
      dueAt: undefined,
      expiresAt: undefined,
    };
    try {
      await this.#publish(letter);
    } catch (error) {
      // An error queue has no consumer that would make it again.
      if (!(error instanceof UnroutableError) || !await this.#remake(to)) throw error;
      await this.#publish(letter);
    }
  }

  #take(outgoing: Outgoing): void {
    const { frame, to, key, messageId, priority, dueAt, expiresAt } = outgoing;
    const mandatory = outgoing.mandatory && !isDirect(to);
    try {
      if (frame.body.byteLength > this.#maxBytes) {
        throw new MessageTooLargeError(
          nameOf(frame.headers[names.type]),
          "body",
          frame.body.byteLength,
          this.#maxBytes,
        );
      }
      const table = writeHeaders(frame.headers);
      if (table[names.id] === messageId) table[names.id] = undefined; // AMQP has a property for it
      if (key !== undefined) table[own.key] = key;
      if (expiresAt !== undefined && (dueAt !== undefined || !saysExpiry(table[names.meta], expiresAt))) {
        table[own.expires] = expiresAt;
      }
      const { contentType, body: content } = frame;
      const properties: Parcel["properties"] = { contentType, headers: table, deliveryMode: 2, messageId, mandatory };
      if (priority !== undefined) properties.priority = this.#checked(priority, to);
      restoreOrigin(content, properties, table);
      if (this.#choosesBy(to) !== "headers") writeHeading(properties, table);
      this.#post(
        { name: nameOf(frame.headers[names.type]), to, key, content, properties, table, dueAt, expiresAt },
        outgoing,
      );
    } catch (error) {
      outgoing.settled(toError(error));
    }
  }

  #publish(letter: Letter): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#post(letter, { settled: (error) => error === undefined ? resolve() : reject(error) });
      this.#sender.flush();
    });
  }

  /** Gives it to the sender, later if its way must be made first. */
  #post(letter: Letter, sent: Sent): void {
    const { to, key, dueAt, expiresAt, table } = letter;
    const chosen = table[names.routingKey];
    const route = routeOf(to, key, typeof chosen === "string" ? chosen : undefined); // throws if there is none
    const now = this.#clock.now();
    if (dueAt === undefined || dueAt <= now) {
      delete table[own.due];
      return this.#sender.add(new Parcel(letter, route, expiresAt, sent));
    }
    if (expiresAt !== undefined && expiresAt <= dueAt) return sent.settled(undefined); // it expires before it is due
    if (this.#choosesBy(to) === "key") { // which delays need for themselves
      throw new UnsupportedError(
        transportName,
        `a delay of what is sent to "${to}", which passes on by routing keys`,
        "Schedule it on a bus with a durable store, or send it to a queue",
      );
    }
    const post = (told: Sent = { settled: (error) => missed(error) }) => {
      const left = dueAt - this.#clock.now();
      if (left > longestInMs) table[own.due] = dueAt;
      else delete table[own.due];
      const route = this.#delays.route(to, Math.min(left, longestInMs));
      const { delayInMs } = route;
      if (delayInMs !== undefined) table["x-delay"] = delayInMs;
      // The plugin returns what is mandatory, as it is in no queue yet. The broker's own expiration would end a delay.
      this.#sender.add(new Parcel(letter, route, undefined, told, delayInMs === undefined));
    };
    /** What keeps it has no consumer that would make it again. */
    const missed = (error: Error | undefined): void => {
      if (!(error instanceof UnroutableError)) return sent.settled(error);
      this.#prepare(this.#delays.remake(), () => post(sent), letter, sent);
    };
    if (this.#delays.reaches(to, dueAt - now)) return post();
    this.#prepare(this.#delays.prepare(to, dueAt - now), post, letter, sent);
  }

  /** Posts it once its way is made. */
  #prepare(way: Promise<void>, post: () => void, { to }: Letter, sent: Sent): void {
    this.#preparing++;
    way.then(() => post(), (error) => sent.settled(toTyped(error, to, "delay what is sent to"))).then(() => {
      this.#preparing--;
      this.#sender.flush();
      if (this.#preparing === 0) this.#idle?.();
    });
  }

  /** @throws {UnsupportedError} if the queue that it is for is known to ignore it */
  #checked(priority: number, to: Address): number {
    const queue = this.#ignoresPriority(to);
    if (queue === undefined) return priority;
    throw new UnsupportedError(
      transportName,
      `the priority ${priority} of what is sent to "${to}": the queue "${queue}" has none`,
      "Give its endpoint rabbitmq.queue({ maxPriority: 10 }), which makes it classic, or leave the priority out",
    );
  }

  /** When a message expires that may be of another sender, who says for how long. */
  #expiry(properties: MessageProperties, table: Table): number | undefined {
    const { expiration } = properties;
    const known = table[own.expires] ?? expiryIn(table[names.meta] ?? metaIn(properties));
    if (typeof known === "number") return table[own.expires] = known;
    const left = Number(expiration);
    if (expiration === undefined || !Number.isFinite(left)) return undefined;
    return table[own.expires] = this.#clock.now() + left;
  }
}

/** Whether the envelope says it already: it is not said twice. A delay wants it in a header of its own. */
function saysExpiry(meta: unknown, expiresAt: number): boolean {
  if (typeof meta !== "string") return false;
  const text = `"${keys.expires}":${expiresAt}`;
  const at = meta.lastIndexOf(text);
  const next = meta.charCodeAt(at + text.length);
  return at >= 0 && (next === 0x2c || next === 0x7d); // "," or "}"
}

/** When the envelope says that a message expires; `undefined`: it says nothing of it, or nothing that can be read. */
function expiryIn(meta: unknown): number | undefined {
  if (typeof meta !== "string") return undefined;
  try {
    return readMeta(meta, undefined, "").expires;
  } catch {
    return undefined; // whoever receives it says so
  }
}

/** The contract's name, for errors. */
function nameOf(type: unknown): string {
  return typeof type === "string" ? type.replace(/[;,].*$/s, "") : "a message";
}
