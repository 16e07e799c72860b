/** What stands behind the levels, for what is due later than they keep: queues in a row. @module */
import type { Channel } from "amqplib";
import { exit, keeping, levelsInMs, lost, prefix } from "./delay_levels.ts";

/**
 * How many there may be. Each keeps a message for as long as all levels together, and hands it to the one below; what is
 * due in so many steps more enters that far up the row. So all wait equally long here, too.
 */
export const mostSteps = 64;
/** What levels and steps keep together: 8.8 years. */
export const longestInMs: number = (mostSteps + 1) * levelsInMs;

/** What comes out of the lowest step. */
export const lastExit: string = `${prefix}more.out`;
/** What stands at the end of a routing key that leads on to the steps; no address begins like this. */
const mark = "+";

/** The queue of a step, and its exchange. */
export function step(number: number): string {
  return `${prefix}more.${String(number).padStart(2, "0")}`;
}

/** How many steps there are after levels, so that these have at least a millisecond and no more than they keep. */
export function stepsOf(ms: number): number {
  return Math.min(mostSteps, Math.max(0, Math.ceil(ms / levelsInMs) - 1));
}

/** What is added to a routing key. It hides the address from the exchange behind the levels. */
export function leadingOn(steps: number): string {
  return steps === 0 ? "" : `.${mark}${steps}`;
}

/** A routing key without what leads on. */
export function withoutLeading(routingKey: string): string {
  const at = routingKey.lastIndexOf(`.${mark}`);
  return at < 0 ? routingKey : routingKey.slice(0, at);
}

/** Makes the first so many, once the levels are there. The way to each is made last: if it is there, all below are. */
export async function makeSteps(channel: Channel, count: number): Promise<void> {
  await channel.assertExchange(lastExit, "topic", { alternateExchange: lost });
  for (let number = 1; number <= count; number++) {
    const name = step(number);
    await channel.assertExchange(name, "fanout");
    await channel.assertQueue(name, keeping(levelsInMs, number === 1 ? lastExit : step(number - 1)));
    await channel.bindQueue(name, name, "");
    await channel.bindExchange(name, exit, `#${leadingOn(number)}`);
  }
}
