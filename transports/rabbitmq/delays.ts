/** Messages that are due later, kept by the broker. @module */
import type { Channel } from "amqplib";
import type { Address } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import type { Route } from "./addresses.ts";
import { noDeliveryLimit } from "./queue_options.ts";

/**
 * How many levels there are: level n keeps messages for 2^n units. A delay is the sum of the levels whose bit is set, so
 * that in each queue all wait equally long, and none waits behind another: as NServiceBus documents it for RabbitMQ.
 */
const levels = 26;
const unitInMs = 64;
/** What the levels keep together: short of 2^32 ms, so that no queue's time is longer than the broker's timers. */
export const maxDelayInMs: number = unitInMs * (2 ** levels - 1);

const prefix = "hero.delay.";
/** What comes out of the last level. */
const exit = `${prefix}out`;
/** The exchange of the plugin, where the broker has it. */
const plugged = "hero.delayed";
const plugIn = "x-delayed-message";
/** What comes out and has nowhere to go any more. */
const lost = `${prefix}lost`;

function level(number: number): string {
  return `${prefix}${String(number).padStart(2, "0")}`;
}

/** The queues of all levels. */
export const delayQueues: readonly string[] = Array.from({ length: levels }, (_, number) => level(number));

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
  readonly #bound = new Map<Address, Promise<void>>();
  readonly #ready = new Set<Address>();
  #made: Promise<void> | undefined;

  /**
   * @param connection declares; it is not the one that publishes, which may be blocked
   * @param by what keeps them; `undefined`: the plugin, if the broker has it
   */
  constructor(connection: Pick<Connection, "with" | "knows">, by?: "plugin" | "queues") {
    this.#connection = connection;
    this.#by = by;
  }

  /** Whether it is known that a message for `to` comes out. */
  reaches(to: Address): boolean {
    return this.#ready.has(to);
  }

  /**
   * Makes the levels, and the way from them to `to`.
   *
   * @throws what the broker said, if `to` is missing
   */
  prepare(to: Address): Promise<void> {
    let bound = this.#bound.get(to);
    if (bound === undefined) {
      bound = this.#bind(to);
      this.#bound.set(to, bound);
      bound.then(() => this.#ready.add(to), () => this.#bound.delete(to));
    }
    return bound;
  }

  /** Nothing is known any more: the broker may have lost it. */
  forget(): void {
    this.#bound.clear();
    this.#ready.clear();
    this.#made = undefined;
  }

  /**
   * Where a message for `to` is published so that it comes out after `ms`, never sooner.
   *
   * @param ms up to {@linkcode maxDelayInMs}
   */
  route(to: Address, ms: number): DelayRoute {
    if (this.#plugged) return { exchange: plugged, routingKey: word(to), delayInMs: Math.max(1, Math.ceil(ms)) };
    const units = Math.min(2 ** levels - 1, Math.max(1, Math.ceil(ms / unitInMs)));
    const bits = units.toString(2).padStart(levels, "0");
    return {
      exchange: level(levels - 1 - bits.indexOf("1")), // those above only pass it on
      routingKey: `${[...bits].join(".")}.${word(to)}`,
      delayInMs: undefined,
    };
  }

  async #bind(to: Address): Promise<void> {
    this.#made ??= this.#make();
    try {
      await this.#made;
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
    await this.#connection.with(async (channel) => {
      const [source, key] = this.#plugged ? [plugged, word(to)] : [exit, `#.${word(to)}`];
      if (to.startsWith("queue:")) await channel.bindQueue(to.slice("queue:".length), source, key);
      else await channel.bindExchange(to.slice(to.indexOf(":") + 1), source, key);
    });
  }

  async #make(): Promise<void> {
    this.#plugged = this.#by === "plugin" ||
      this.#by === undefined && await this.#connection.knows(plugIn, { "x-delayed-type": "direct" });
    if (this.#plugged) return await this.#connection.with(makePlugged);
    const top = level(levels - 1);
    try {
      // The last that is made: if it is there, all are.
      await this.#connection.with((channel) => channel.checkExchange(top));
    } catch {
      await this.#connection.with(makeAll);
    }
  }
}

/** Of the plugin: one exchange, which keeps messages itself. */
async function makePlugged(channel: Channel): Promise<void> {
  await makeLost(channel);
  await channel.assertExchange(plugged, plugIn, { alternateExchange: lost, arguments: { "x-delayed-type": "direct" } });
}

async function makeLost(channel: Channel): Promise<void> {
  await channel.assertExchange(lost, "fanout");
  // Looking at them counts: from RabbitMQ 4 on they would be dropped after the twentieth look.
  await channel.assertQueue(lost, { arguments: { "x-queue-type": "quorum", "x-delivery-limit": noDeliveryLimit } });
  await channel.bindQueue(lost, lost, "");
}

async function makeAll(channel: Channel): Promise<void> {
  await makeLost(channel);
  await channel.assertExchange(exit, "topic", { alternateExchange: lost });
  for (let number = 0; number < levels; number++) {
    const name = level(number);
    const next = number === 0 ? exit : level(number - 1);
    await channel.assertQueue(name, {
      arguments: {
        "x-queue-type": "quorum",
        // From level to level, too, a message is taken away only once the next has it.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": next,
        "x-message-ttl": unitInMs * 2 ** number,
      },
    });
    await channel.assertExchange(name, "topic");
    const before = "*.".repeat(levels - 1 - number);
    await channel.bindQueue(name, name, `${before}1.#`);
    await channel.bindExchange(next, name, `${before}0.#`);
  }
}

/**
 * The address for which a message was delayed; `undefined`: it was not. Its exchange is what the last level that kept it
 * handed it to, any of those below.
 */
export function delayedFor(exchange: string, routingKey: string): Address | undefined {
  if (!exchange.startsWith(prefix) && exchange !== plugged) return undefined;
  const last = routingKey.slice(routingKey.lastIndexOf(".") + 1);
  const kind = last.startsWith("q") ? "queue" : last.startsWith("t") ? "topic" : "exchange";
  return `${kind}:${last.slice(1).replaceAll("/", ".")}`;
}
