/** A message on its way to the broker. @module */
import type { Options } from "amqplib";
import type { Address } from "../../src/spi/transport.ts";

/** What the broker said of a message that reached no queue. */
export interface Returned {
  readonly replyText: string;
}

/** Who is told what became of it; every outgoing message is one. */
export interface Sent {
  /** `undefined`: the broker has it. */
  settled(error: Error | undefined): void;
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

  constructor(
    message: {
      readonly name: string;
      readonly to: Address;
      readonly exchange: string;
      readonly routingKey: string;
      readonly content: Uint8Array;
      readonly properties: Options.Publish;
      readonly mandatory: boolean;
      readonly expiresAt: number | undefined;
    },
    sent: Sent,
  ) {
    this.name = message.name;
    this.to = message.to;
    this.exchange = message.exchange;
    this.routingKey = message.routingKey;
    this.content = message.content;
    this.properties = message.properties;
    this.mandatory = message.mandatory;
    this.expiresAt = message.expiresAt;
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
