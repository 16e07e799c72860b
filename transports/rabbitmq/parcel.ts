/** A message on its way to the broker. @module */
import type { Options } from "amqplib";
import { InvalidHeaderError, MessageTooLargeError } from "../../src/errors/sending.ts";
import type { Address } from "../../src/spi/transport.ts";
import type { Route } from "./addresses.ts";
import type { Table } from "./frame.ts";

/** What the broker said of a message that reached no queue. */
export interface Returned {
  readonly replyText: string;
}

/** Who is told what became of it; every outgoing message is one. */
export interface Sent {
  /** `undefined`: the broker has it. */
  settled(error: Error | undefined): void;
}

/** A message, before it is known which way it goes. */
export interface Letter {
  /** The contract's name, for errors. */
  readonly name: string;
  readonly to: Address;
  readonly key: string | undefined;
  readonly content: Uint8Array;
  readonly properties: Options.Publish;
  /** The headers of those. */
  readonly table: Table;
  /** Epoch milliseconds; `undefined`: now. */
  readonly dueAt: number | undefined;
  /** Epoch milliseconds; `undefined`: never. */
  readonly expiresAt: number | undefined;
}

/** One message, until the broker has it or has refused it. */
export class Parcel {
  /** For errors: what is sent, and where. */
  readonly name: string;
  readonly to: Address;
  exchange: string;
  routingKey: string;
  readonly content: Uint8Array;
  readonly properties: Options.Publish;
  readonly mandatory: boolean;
  /** Epoch milliseconds; `undefined`: never, or not natively. */
  readonly expiresAt: number | undefined;
  /** Whether the broker has confirmed it, while others before it are not. */
  confirmed = false;
  refused = false;
  returned: Returned | undefined;
  /** How often a channel ended while this was the first on it. */
  failures = 0;
  readonly #sent: Sent;

  /**
   * @param letter what is sent
   * @param expiresAt epoch milliseconds; `undefined`: never, or not natively
   */
  constructor(
    letter: Letter,
    route: Route,
    expiresAt: number | undefined,
    sent: Sent,
    mandatory: boolean = letter.properties.mandatory ?? false,
  ) {
    const { properties } = letter;
    this.name = letter.name;
    this.to = letter.to;
    this.exchange = route.exchange;
    this.routingKey = route.routingKey;
    this.content = letter.content;
    this.properties = mandatory === properties.mandatory ? properties : { ...properties, mandatory };
    this.mandatory = mandatory;
    this.expiresAt = expiresAt;
    this.#sent = sent;
  }

  /** Ends it. */
  settle(error: Error | undefined): void {
    this.#sent.settled(error);
  }

  /** It is to be sent anew. */
  reset(): void {
    this.confirmed = false;
    this.refused = false;
    this.returned = undefined;
  }
}

/** What the client cannot encode is the message's headers: their names are short, and all of them fit one buffer. */
export function unwritable(parcel: Parcel, error: Error): Error {
  const [, limit] = /exceeds the (\d+) byte/.exec(error.message) ?? [];
  return limit === undefined
    ? new InvalidHeaderError(parcel.name, `the client says: ${error.message}`)
    : new MessageTooLargeError(parcel.name, "headers", Number(limit) + 1, Number(limit));
}
