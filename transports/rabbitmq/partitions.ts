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

/** Declares the parts, and the way to them. */
export async function declareParts(
  channel: Channel,
  queue: string,
  count: number,
  args: Readonly<Record<string, unknown>>,
): Promise<void> {
  const exchange = hashExchange(queue);
  await channel.assertExchange(exchange, hashing, { arguments: { "hash-header": own.key } });
  for (const part of partsOf(queue, count)) {
    await channel.assertQueue(part, { arguments: args });
    await channel.bindQueue(part, exchange, "1");
  }
  await channel.assertQueue(queue, { arguments: entranceArguments(queue) });
  await channel.assertExchange(queue, "fanout");
  await channel.bindExchange(exchange, queue, "");
}
