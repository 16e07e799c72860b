/** The levels: queues that keep messages for a while each. @module */
import type { Channel } from "amqplib";
import { noDeliveryLimit } from "./queue_options.ts";

/**
 * How many levels there are: level n keeps messages for 2^n units. A delay is the sum of the levels whose bit is set, so
 * that in each queue all wait equally long, and none waits behind another: as NServiceBus documents it for RabbitMQ.
 */
export const levels = 26;
export const unitInMs = 64;
/** What the levels keep together: short of 2^32 ms, so that no queue's time is longer than the broker's timers. */
export const levelsInMs: number = unitInMs * (2 ** levels - 1);

export const prefix = "hero.delay.";
/** What comes out of the last level. */
export const exit: string = `${prefix}out`;
/** What comes out and has nowhere to go any more. */
export const lost: string = `${prefix}lost`;

/** The queue of a level, and its exchange. */
export function level(number: number): string {
  return `${prefix}${String(number).padStart(2, "0")}`;
}

/** The queues of all levels. */
export const delayQueues: readonly string[] = Array.from({ length: levels }, (_, number) => level(number));

/** Of queues that keep what is delayed. From one to the next, too, a message is taken away only once the next has it. */
export function keeping(ms: number, next: string): { readonly arguments: Readonly<Record<string, unknown>> } {
  return {
    arguments: {
      "x-queue-type": "quorum",
      "x-dead-letter-strategy": "at-least-once",
      "x-overflow": "reject-publish",
      "x-dead-letter-exchange": next,
      "x-message-ttl": ms,
    },
  };
}

/** Makes what keeps those that have nowhere to go. */
export async function makeLost(channel: Channel): Promise<void> {
  await channel.assertExchange(lost, "fanout");
  // Looking at them counts: from RabbitMQ 4 on they would be dropped after the twentieth look.
  await channel.assertQueue(lost, { arguments: { "x-queue-type": "quorum", "x-delivery-limit": noDeliveryLimit } });
  await channel.bindQueue(lost, lost, "");
}

/** Rejects if one is not there: not yet, or not any more. */
export async function checkLevels(channel: Channel): Promise<void> {
  // Of the highest it is made last: if it is there, all exchanges are.
  await channel.checkExchange(level(levels - 1));
  await Promise.all(delayQueues.map((queue) => channel.checkQueue(queue)));
}

/** Makes them all. */
export async function makeLevels(channel: Channel): Promise<void> {
  await makeLost(channel);
  await channel.assertExchange(exit, "topic", { alternateExchange: lost });
  for (let number = 0; number < levels; number++) {
    const name = level(number);
    const next = number === 0 ? exit : level(number - 1);
    await channel.assertQueue(name, keeping(unitInMs * 2 ** number, next));
    await channel.assertExchange(name, "topic");
    const before = "*.".repeat(levels - 1 - number);
    await channel.bindQueue(name, name, `${before}1.#`);
    await channel.bindExchange(next, name, `${before}0.#`);
  }
}
