/** Looking at what is in a queue. @module */
import type { Channel, ConsumeMessage } from "amqplib";
import type { Clock } from "../../src/spi/clock.ts";
import type { Connection } from "./connection.ts";

/** AMQP's prefetch has 16 bits. */
const most = 65_535;
/** How long a consumer waits for what others may have taken, and how long it may take until all is back. */
const patienceInMs = 1_000;
const lookEveryInMs = 10;

/** A part of a queue, as it was a moment ago. */
export interface Look {
  readonly messages: readonly ConsumeMessage[];
  /** How many there are in all. */
  readonly total: number;
}

/**
 * Shows messages of a queue, from one at a place to before one at another. AMQP cannot look without taking: meanwhile
 * nobody else gets them. All are taken, and go back together, with their channel: of a part, or of what goes back by
 * itself, a quorum queue does not keep the place.
 */
export async function lookAt(
  connection: Connection,
  clock: Clock,
  queue: string,
  start: number,
  end: number,
): Promise<Look> {
  return await connection.with(async (watch) => {
    const { messageCount: total } = await watch.checkQueue(queue);
    if (start >= total) return { messages: [], total };
    const messages: ConsumeMessage[] = [];
    const channel = await connection.channel();
    try {
      for (let seen = 0; seen < total;) {
        const asked = Math.min(most, total - seen);
        const came = await take(channel, clock, queue, asked, (message, at) => {
          if (seen + at >= start && seen + at < end) messages.push(message);
        });
        seen += came;
        if (came < asked) break; // others have taken the rest
      }
    } finally {
      await channel.close().catch(() => {}); // it has ended by itself
    }
    // It takes a moment until they are back, and whoever looks next shall see all.
    for (let waited = 0; waited < patienceInMs; waited += lookEveryInMs) {
      if ((await watch.checkQueue(queue)).messageCount >= total) break;
      await new Promise<void>((resolve) => void clock.at(clock.now() + lookEveryInMs, resolve));
    }
    return { messages, total };
  });
}

/** Gives how many came. */
async function take(
  channel: Channel,
  clock: Clock,
  queue: string,
  wanted: number,
  see: (message: ConsumeMessage, at: number) => void,
): Promise<number> {
  let came = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  let end = clock.at(clock.now() + patienceInMs, resolve);
  channel.once("close", () => resolve());
  await channel.prefetch(wanted);
  // Not cancelled: it would be another way back.
  await channel.consume(queue, (message) => {
    if (message === null) return resolve();
    see(message, came++);
    end();
    if (came === wanted) resolve();
    else end = clock.at(clock.now() + patienceInMs, resolve);
  });
  await promise;
  end();
  return came;
}
