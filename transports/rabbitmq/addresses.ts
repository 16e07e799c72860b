/** Where messages go at the broker. @module */
import { UnsupportedError } from "../../src/errors/configuration.ts";
import type { Address } from "../../src/spi/transport.ts";
import { queueName, topicName } from "../../src/values/destination.ts";
import { transportName } from "./errors.ts";
import { hashExchange } from "./partitions.ts";

/** What a message is published to. */
export interface Route {
  readonly exchange: string;
  readonly routingKey: string;
}

/** The most bytes of a routing key. */
const longestKey = 255;

/**
 * Where an address leads. Queues are reached by the default exchange, which knows each by its name and never closes a
 * channel because one is missing.
 *
 * @param key of the message: a fan-out exchange does not care, others may route by it
 * @param chosen the routing key that the contract gives, which must fit
 * @throws {UnsupportedError} if it is none of this broker
 */
export function routeOf(address: Address, key: string | undefined, chosen?: string): Route {
  if (chosen !== undefined && chosen.length * 3 > longestKey) {
    throw new UnsupportedError(
      transportName,
      `the routing key "${chosen.slice(0, 50)}…"`,
      "Give 85 characters at most",
    );
  }
  const queue = queueName(address);
  if (queue !== undefined) return { exchange: "", routingKey: queue };
  const topic = topicName(address);
  if (topic !== undefined) return { exchange: topic, routingKey: chosen ?? (fits(key) ? key : "") };
  if (address.startsWith("exchange:")) return { exchange: address.slice(9), routingKey: "" };
  // As MassTransit reads the addresses of answers: host and vhost are those of the connection.
  const [, name] = /^(?:rabbitmq|rabbitmqs|amqp|amqps):\/\/[^?]*\/([^/?]+)(?:\?.*)?$/.exec(address) ?? [];
  if (name !== undefined) return { exchange: decodeURIComponent(name), routingKey: "" };
  throw new UnsupportedError(
    transportName,
    `the address "${address}"`,
    `Give one as in "queue:orders", "topic:orders" or "exchange:orders"`,
  );
}

function fits(key: string | undefined): key is string {
  return key !== undefined && key.length * 3 <= longestKey;
}

/** By which address a message came that was published to `exchange`, into the queue `queue`. */
export function viaOf(exchange: string, routingKey: string, queue: string): Address {
  if (exchange === "") return `queue:${routingKey}`;
  return exchange === queue || exchange === hashExchange(queue) ? `queue:${queue}` : `topic:${exchange}`;
}
