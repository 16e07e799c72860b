/** What becomes of messages that a quorum queue gives up. @module */
import type { Channel } from "amqplib";
import { delayQueues } from "./delay_levels.ts";
import { noDeliveryLimit } from "./queue_options.ts";

/** What such queues give messages up to: it passes on those whose deliveries were too many, and no others. */
const entry = "hero.dead";
/** The same of queues in which messages expire, or have no room: what died before may die there of anything. */
const limitedEntry = "hero.dead.limited";
/** From here each goes to the queue that its routing key names. */
const exit = "hero.dead.out";
/** Where those wait of which no exchange can tell why they died. */
export const unsortedQueue = "hero.dead.unsorted";

/**
 * Whether the broker drops what waits in a queue: it has expired, or has no room.
 *
 * @param args of the queue
 */
export function isLimited(args: Readonly<Record<string, unknown>>): boolean {
  const isShort = args["x-max-length"] !== undefined || args["x-max-length-bytes"] !== undefined;
  return args["x-message-ttl"] !== undefined || (isShort && args["x-overflow"] !== "reject-publish");
}

/** Arguments of a queue whose messages, once returned too often, go to `errors`. */
export function deadLetterArguments(errors: string, limited: boolean): Readonly<Record<string, string>> {
  return { "x-dead-letter-exchange": limited ? limitedEntry : entry, "x-dead-letter-routing-key": errors };
}

/**
 * Makes what such queues share. What has expired, or had no room, dies in the same way; the broker tells them apart by
 * the first death alone. That of a message that was delayed is its delay, and such a message carries no expiration that
 * could end it later.
 */
export async function declareDeadLetters(channel: Channel): Promise<void> {
  await channel.assertExchange(exit, "direct");
  await channel.assertExchange(entry, "headers");
  const bind = (match: Match) => channel.bindExchange(exit, entry, "", match);
  await Promise.all([bind(returned), ...delayQueues.map((queue) => bind(diedIn(queue)))]);
}

/**
 * The same of queues in which messages expire, or have no room. What was delayed may have died of that, too: whoever
 * takes from such a queue looks, as no exchange can.
 */
export async function declareUnsorted(channel: Channel): Promise<void> {
  await channel.assertExchange(limitedEntry, "headers");
  await channel.assertQueue(unsortedQueue, {
    arguments: { "x-queue-type": "quorum", "x-delivery-limit": noDeliveryLimit },
  });
  await channel.bindExchange(exit, limitedEntry, "", returned);
  await Promise.all(delayQueues.map((queue) => bindUnsorted(channel, queue)));
}

/** The same for messages that were handed on by `queue`, where all of them died first. */
export async function passOnFrom(channel: Channel, queue: string, limited: boolean): Promise<void> {
  if (limited) await bindUnsorted(channel, queue);
  else await channel.bindExchange(exit, entry, "", diedIn(queue));
}

/** Makes the way to one of them, once what they share is there. */
export async function bindDeadLetters(channel: Channel, errors: string): Promise<void> {
  await channel.bindQueue(errors, exit, errors);
}

/** What a message must say so that a headers exchange passes it on. */
type Match = Readonly<Record<string, string>>;

const returned: Match = { "x-match": "all-with-x", "x-first-death-reason": "delivery_limit" };

function diedIn(queue: string): Match {
  return { "x-match": "all-with-x", "x-first-death-queue": queue };
}

async function bindUnsorted(channel: Channel, queue: string): Promise<void> {
  await channel.bindQueue(unsortedQueue, limitedEntry, "", diedIn(queue));
}
