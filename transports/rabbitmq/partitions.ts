/** A queue in parts: what has one key is always in the same part. @module */
import type { Channel } from "amqplib";
import { own } from "./frame.ts";

/** The type of exchange that a plugin of the broker's adds. */
export const hashing = "x-consistent-hash";

/** Between the exchange of a queue and its parts. */
export function hashExchange(queue: string): string {
  return `${queue}_partitions`;
}

/** The parts of a queue. */
export function partsOf(queue: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, number) => `${queue}_${number}`);
}

/**
 * What a queue in parts is itself: whoever sends to it by its name, and knows nothing of parts, has it hand on at once to
 * the exchange that chooses by the key.
 */
export function entranceArguments(queue: string): Readonly<Record<string, unknown>> {
  return {
    "x-queue-type": "quorum",
    "x-message-ttl": 0,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": hashExchange(queue),
  };
}

/** Of the exchange: by what it chooses. */
export const hashArguments: Readonly<Record<string, unknown>> = { "hash-header": own.key };

/** Binds the parts, and makes the way to them. */
export async function joinParts(channel: Channel, queue: string, count: number): Promise<void> {
  const exchange = hashExchange(queue);
  for (const part of partsOf(queue, count)) await channel.bindQueue(part, exchange, "1");
  await channel.bindExchange(exchange, queue, "");
}
