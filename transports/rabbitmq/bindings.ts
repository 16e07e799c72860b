/** Bindings that shall be. @module */
import type { Channel } from "amqplib";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Address } from "../../src/spi/transport.ts";
import { queueName } from "../../src/values/destination.ts";
import type { RabbitmqExchangeOptions } from "./exchange_options.ts";
import type { RabbitmqBinding } from "./queue_options.ts";

/** What may lead to a queue, or another topic. */
export interface Wanted {
  readonly topic: string;
  readonly to: Address;
}

/** A binding, as the broker is told. */
export interface Binding {
  /** As in `topic:a -> queue:b`. */
  readonly entity: string;
  readonly source: string;
  /** An exchange; that of a queue has its name. */
  readonly target: string;
  readonly to: Address;
  readonly routingKey: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What is known of exchanges and queues by their names. */
export interface Known {
  readonly types: ReadonlyMap<string, NonNullable<RabbitmqExchangeOptions["type"]>>;
  /** What a queue says of its bindings itself. */
  readonly own: ReadonlyMap<string, readonly RabbitmqBinding[]>;
}

/**
 * The bindings of a topology: its own, and those that its queues ask for, which stand in place of its own from the same
 * exchange.
 *
 * @throws {ConfigurationError} if a topic passes on by exact keys, and nobody says which
 */
export function bindingsOf(wanted: readonly Wanted[], { types, own }: Known): readonly Binding[] {
  const all: Binding[] = [];
  for (const { topic, to } of wanted) {
    const queue = queueName(to);
    const target = queue ?? to.slice("topic:".length);
    if (target === topic) continue; // one exchange is both
    if (queue !== undefined && own.get(queue)?.some(({ exchange }) => exchange === topic) === true) continue;
    all.push(between(topic, target, to, everythingOf(topic, to, types.get(topic))));
  }
  for (const [queue, bindings] of own) {
    for (const each of bindings) all.push(between(each.exchange, queue, `queue:${queue}`, each));
  }
  return all;
}

/** Makes one; twice is once. */
export async function bind(channel: Channel, { source, target, routingKey, arguments: args }: Binding): Promise<void> {
  await channel.bindExchange(target, source, routingKey, args);
}

function between(
  source: string,
  target: string,
  to: Address,
  { routingKey = "", arguments: args = {} }: Pick<RabbitmqBinding, "routingKey" | "arguments">,
): Binding {
  return { entity: `topic:${source} -> ${to}`, source, target, to, routingKey, arguments: args };
}

/** How all that a topic has is bound to. */
function everythingOf(
  topic: string,
  to: Address,
  type: RabbitmqExchangeOptions["type"],
): Pick<RabbitmqBinding, "routingKey" | "arguments"> {
  if (type === "topic") return { routingKey: "#" };
  if (type === "headers") return { arguments: { "x-match": "all" } }; // of no headers: whatever there are
  if (type !== "direct") return {};
  throw new ConfigurationError(
    `Cannot bind "${to}" to "${topic}": it is a direct exchange, which passes on by exact routing keys, and none are ` +
      (queueName(to) === undefined
        ? `said for its base. Make it a topic exchange, or leave { extends } out`
        : `said. Add rabbitmq.queue({ bind: [{ exchange: "${topic}", routingKey: "…" }] }) to the endpoint's extensions`),
  );
}
