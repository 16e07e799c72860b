/** Looking at what is in a queue. @module */
import type { Channel, ConsumeMessage } from "amqplib";
import type { Clock } from "../../src/spi/clock.ts";
import type { Connection } from "./connection.ts";

/** AMQP's prefetch has 16 bits. */
const most = 65_535;
/** How long a consumer waits for what others may have taken, and how long it may take until all is back. */
const patienceInMs = 1_000;
const lookEveryInMs = 10;
/** Whoever pages slower than that sees what is there by then. */
const keptForInMs = 30_000;

/** What is kept of one look, so that not every page is another: a quorum queue counts each as a delivery. */
const keptMessages = 10_000;
const keptBytes = 16 * 2 ** 20;

/** A part of a queue, as it was a moment ago. */
export interface Look {
  /** Where the first of them was. */
  readonly start: number;
  readonly messages: readonly ConsumeMessage[];
  /** How many there are in all. */
  readonly total: number;
}

/**
 * Shows messages of a queue, from the one at a place on: as many as are kept, and `least` of them whatever their size. AMQP cannot look without taking: meanwhile
 * nobody else gets them. All are taken, and go back together, with their channel: of a part, or of what goes back by
 * itself, a quorum queue does not keep the place.
 */
export async function lookAt(
  connection: Connection,
  clock: Clock,
  queue: string,
  start: number,
  least: number,
): Promise<Look> {
  return await connection.with(async (watch) => {
    const { messageCount: total } = await watch.checkQueue(queue);
    if (start >= total) return { start, messages: [], total };
    const messages: ConsumeMessage[] = [];
    let bytes = 0;
    const see = (message: ConsumeMessage, at: number) => {
      if (at !== start + messages.length) return; // before the first, or after one that was not kept
      bytes += message.content.byteLength;
      const fits = bytes <= keptBytes && messages.length < keptMessages;
      if (fits || messages.length < least) messages.push(message);
    };
    const channel = await connection.channel();
    try {
      for (let seen = 0; seen < total;) {
        const asked = Math.min(most, total - seen);
        const came = await take(channel, clock, queue, asked, (message, at) => see(message, seen + at));
        seen += came;
        if (came < asked) break; // others have taken the rest
      }
    } finally {
      await channel.close().catch(() => {}); // it has ended by itself
    }
    await areBack(watch, clock, queue, total);
    return { start, messages, total };
  });
}

/** It takes a moment until so many that were taken are back; whoever looks next shall see all. */
export async function areBack(channel: Channel, clock: Clock, queue: string, count: number): Promise<void> {
  for (let waited = 0; waited < patienceInMs; waited += lookEveryInMs) {
    if ((await channel.checkQueue(queue)).messageCount >= count) return;
    await new Promise<void>((resolve) => void clock.at(clock.now() + lookEveryInMs, resolve));
  }
}

/** What was looked at, for the pages that follow. */
export class Looks {
  readonly #clock: () => Clock;
  readonly #all = new Map<string, { readonly look: Look; readonly forget: () => void }>();
  #names = 0;

  constructor(clock: () => Clock) {
    this.#clock = clock;
  }

  /** Whose name `next` gives; `undefined`: it is forgotten. */
  get(name: string): Look | undefined {
    return this.#all.get(name)?.look;
  }

  /** Keeps it for a while; gives its name. */
  keep(look: Look): string {
    const name = String(++this.#names);
    const clock = this.#clock();
    this.#all.set(name, { look, forget: clock.at(clock.now() + keptForInMs, () => void this.#all.delete(name)) });
    return name;
  }

  /** It has been given whole. */
  drop(name: string): void {
    this.#all.get(name)?.forget();
    this.#all.delete(name);
  }

  /** Nothing is kept any more. */
  clear(): void {
    for (const name of [...this.#all.keys()]) this.drop(name);
  }
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
