/** Messages that are due later, kept by the broker. @module */
import type { Channel } from "amqplib";
import type { Address } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import type { Route } from "./addresses.ts";
import {
  checkLevels,
  exit,
  level,
  levels,
  levelsInMs,
  lost,
  makeLevels,
  makeLost,
  prefix,
  unitInMs,
} from "./delay_levels.ts";
import { lastExit, leadingOn, makeSteps, stepsOf, withoutLeading } from "./delay_steps.ts";
import { codeOf, codes } from "./errors.ts";
import { type Declare, declareAll } from "./pieces.ts";

/** The exchange of the plugin, where the broker has it. */
const plugged = "hero.delayed";
const plugIn = "x-delayed-message";

/** One word of a routing key: names have dots, which would make several of it. */
function word(address: Address): string {
  return address.replace(/^(queue|topic|exchange):/, (_, kind: string) => kind.charAt(0)).replaceAll(".", "/");
}

/** Where a message is published so that it comes out later. */
export interface DelayRoute extends Route {
  /** What the plugin wants to be told, in its header `x-delay`; `undefined`: the levels keep it. */
  readonly delayInMs: number | undefined;
}

/** The levels, or the plugin where there is one, made when they are first needed. */
export class Delays {
  readonly #connection: Pick<Connection, "with" | "knows">;
  readonly #by: "plugin" | "queues" | undefined;
  #plugged = false;
  /** Ways out, by what {@linkcode wayOf} calls them. */
  readonly #bound = new Map<string, Promise<void>>();
  readonly #ready = new Set<string>();
  #made: Promise<void> | undefined;
  #levels: Promise<void> | undefined;
  #remaking: Promise<void> | undefined;
  /** How many steps there are; made one call after the other. */
  #steps = 0;
  #stepping: Promise<void> = Promise.resolve();

  /**
   * @param connection declares; it is not the one that publishes, which may be blocked
   * @param by what keeps them; `undefined`: the plugin, if the broker has it
   */
  constructor(connection: Pick<Connection, "with" | "knows">, by?: "plugin" | "queues") {
    this.#connection = connection;
    this.#by = by;
  }

  /** Whether it is known that a message for `to` comes out after `ms`, or sooner. */
  reaches(to: Address, ms: number): boolean {
    const steps = stepsOf(ms);
    return steps <= this.#steps && this.#ready.has(wayOf(to, steps)) && this.#ready.has(wayOf(to, 0));
  }

  /**
   * Makes what keeps a message for `ms`, and the way from there to `to`.
   *
   * @throws what the broker said, if `to` is missing
   */
  async prepare(to: Address, ms: number): Promise<void> {
    const steps = stepsOf(ms);
    await this.#prepare(to, 0); // time passes: it may be less by then
    if (steps > 0) await this.#prepare(to, steps);
  }

  /**
   * Lays the ways out to what may have been made anew, wherever messages are kept: whoever delays some in another process
   * believes that they are still there.
   */
  async restore(all: readonly Address[]): Promise<void> {
    const ways: Declare[] = [];
    for (const source of all.length === 0 ? [] : exits) {
      if (!await this.#isThere(source)) continue;
      for (const to of all) ways.push((channel) => lay(channel, to, source));
    }
    await declareAll(this.#connection, ways);
  }

  /** Makes the levels and steps again, as one is missed. */
  remake(): Promise<void> {
    return this.#remaking ??= this.#connection.with(async (channel) => {
      await makeLevels(channel);
      await makeSteps(channel, this.#steps);
    }).finally(() => this.#remaking = undefined);
  }

  /** Nothing is known any more: the broker may have lost it. */
  forget(): void {
    this.#bound.clear();
    this.#ready.clear();
    this.#made = this.#levels = undefined;
    this.#steps = 0;
  }

  /**
   * Where a message for `to` is published so that it comes out after `ms`, never sooner.
   *
   * @param ms up to {@linkcode longestInMs}
   */
  route(to: Address, ms: number): DelayRoute {
    const steps = stepsOf(ms);
    if (this.#plugged && steps === 0) {
      return { exchange: plugged, routingKey: word(to), delayInMs: Math.max(1, Math.ceil(ms)) };
    }
    const units = Math.min(2 ** levels - 1, Math.max(1, Math.ceil((ms - steps * levelsInMs) / unitInMs)));
    const bits = units.toString(2).padStart(levels, "0");
    return {
      exchange: level(levels - 1 - bits.indexOf("1")), // those above only pass it on
      routingKey: `${[...bits].join(".")}.${word(to)}${leadingOn(steps)}`,
      delayInMs: undefined,
    };
  }

  async #prepare(to: Address, steps: number): Promise<void> {
    if (steps > this.#steps) await this.#makeSteps(steps);
    const way = wayOf(to, steps);
    let bound = this.#bound.get(way);
    if (bound === undefined) {
      bound = steps === 0 ? this.#bind(to) : this.#connect(to, lastExit);
      this.#bound.set(way, bound);
      bound.then(() => this.#ready.add(way), () => this.#bound.delete(way));
    }
    await bound;
  }

  async #bind(to: Address): Promise<void> {
    this.#made ??= this.#make();
    try {
      await this.#made;
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
    await this.#connect(to, this.#plugged ? plugged : exit);
  }

  async #connect(to: Address, source: string): Promise<void> {
    await this.#connection.with((channel) => lay(channel, to, source));
  }

  async #isThere(exchange: string): Promise<boolean> {
    try {
      await this.#connection.with((channel) => channel.checkExchange(exchange));
      return true;
    } catch (error) {
      if (codeOf(error) === codes.notFound || codeOf(error) === codes.accessRefused) return false;
      throw error;
    }
  }

  async #make(): Promise<void> {
    this.#plugged = this.#by === "plugin" ||
      this.#by === undefined && await this.#connection.knows(plugIn, { "x-delayed-type": "direct" });
    if (this.#plugged) await this.#connection.with(makePlugged);
    else await this.#makeLevels();
  }

  async #makeLevels(): Promise<void> {
    this.#levels ??= this.#levelsAreThere();
    try {
      await this.#levels;
    } catch (error) {
      this.#levels = undefined;
      throw error;
    }
  }

  async #levelsAreThere(): Promise<void> {
    try {
      await this.#connection.with(checkLevels);
    } catch {
      await this.#connection.with(makeLevels);
    }
  }

  /** The plugin keeps no longer than the levels do, so the steps are behind these in any case. */
  #makeSteps(count: number): Promise<void> {
    const making = this.#stepping.then(async () => {
      if (count <= this.#steps) return;
      await this.#makeLevels();
      await this.#connection.with((channel) => makeSteps(channel, count));
      this.#steps = count;
    });
    this.#stepping = making.catch(() => {});
    return making;
  }
}

/** The exchanges from which messages come out. */
const exits: readonly string[] = [exit, lastExit, plugged];

/** Lays the way out from one of those to an address. */
async function lay(channel: Channel, to: Address, source: string): Promise<void> {
  const key = source === plugged ? word(to) : source === lastExit ? `#.${word(to)}.*` : `#.${word(to)}`;
  if (to.startsWith("queue:")) await channel.bindQueue(to.slice("queue:".length), source, key);
  else await channel.bindExchange(to.slice(to.indexOf(":") + 1), source, key);
}

/** What a way out is called: behind the steps there is another, whatever their number. */
function wayOf(to: Address, steps: number): string {
  return steps === 0 ? to : `${to} later`;
}

/** Of the plugin: one exchange, which keeps messages itself. */
async function makePlugged(channel: Channel): Promise<void> {
  await makeLost(channel);
  await channel.assertExchange(plugged, plugIn, { alternateExchange: lost, arguments: { "x-delayed-type": "direct" } });
}

/**
 * The address for which a message was delayed; `undefined`: it was not. Its exchange is what the last level that kept it
 * handed it to, any of those below.
 */
export function delayedFor(exchange: string, routingKey: string): Address | undefined {
  if (!exchange.startsWith(prefix) && exchange !== plugged) return undefined;
  const key = withoutLeading(routingKey);
  const last = key.slice(key.lastIndexOf(".") + 1);
  const kind = last.startsWith("q") ? "queue" : last.startsWith("t") ? "topic" : "exchange";
  return `${kind}:${last.slice(1).replaceAll("/", ".")}`;
}
