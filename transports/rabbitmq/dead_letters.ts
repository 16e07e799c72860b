/** What becomes of messages that a quorum queue gives up. @module */
import type { Channel } from "amqplib";
import { delayQueues } from "./delays.ts";

/** What such queues give messages up to: it passes on those whose deliveries were too many, and no others. */
const entry = "hero.dead";
/** From here each goes to the queue that its routing key names. */
const exit = "hero.dead.out";

/** Arguments of a queue whose messages, once returned too often, go to `errors`. */
export function deadLetterArguments(errors: string): Readonly<Record<string, string>> {
  return { "x-dead-letter-exchange": entry, "x-dead-letter-routing-key": errors };
}

/**
 * Makes what such queues share. What has expired, or had no room, dies in the same way; the broker tells them apart by
 * the first death alone. That of a message that was delayed is its delay, and such a message carries no expiration that
 * could end it later.
 */
export async function declareDeadLetters(channel: Channel): Promise<void> {
  await channel.assertExchange(exit, "direct");
  await channel.assertExchange(entry, "headers");
  const bind = (header: string, value: string) =>
    channel.bindExchange(exit, entry, "", { "x-match": "all-with-x", [header]: value });
  await Promise.all([
    bind("x-first-death-reason", "delivery_limit"),
    ...delayQueues.map((queue) => bind("x-first-death-queue", queue)),
  ]);
}

/** The same for messages that were handed on by `queue`, where all of them died first. */
export async function passOnFrom(channel: Channel, queue: string): Promise<void> {
  await channel.bindExchange(exit, entry, "", { "x-match": "all-with-x", "x-first-death-queue": queue });
}

/** Makes the way to one of them, once what they share is there. */
export async function bindDeadLetters(channel: Channel, errors: string): Promise<void> {
  await channel.bindQueue(errors, exit, errors);
}
