/** Bindings that are there and should not be. @module */
import type { Address, Change, Topology } from "./transport.ts";

/** How a {@linkcode Change} names a binding: `topic:orders.submit -> queue:orders`. */
export function bindingEntity(topic: string, to: Address): string {
  return `topic:${topic} -> ${to}`;
}

/**
 * The changes of kind `extra` that `Transport.deploy` tells of: of a queue that was named, a binding to a topic that it
 * was not named with; of a topic that has one owner, any other queue's. Whoever subscribes to an event is none.
 *
 * @param found what is there of durable queues: of the topics that have one owner, and of the queues that were named; in
 * any order, each once
 * @example
 * ```ts
 * import { extraBindings, type Topology } from "@hero/messaging/spi";
 *
 * const owner = { topic: "orders.submit", to: "queue:orders" } as const;
 * const topology: Topology = {
 *   queues: [{ name: "orders", extensions: [] }],
 *   topics: [{ name: "orders.submit", extensions: [], owned: true }],
 *   bindings: [owner],
 * };
 * const found = [owner, { topic: "orders.submit", to: "queue:copies" }] as const;
 * for (const { entity } of extraBindings(topology, found)) console.log(entity); // topic:orders.submit -> queue:copies
 * ```
 */
export function* extraBindings(
  { topics, queues, bindings }: Topology,
  found: Iterable<Topology["bindings"][number]>,
): Generator<Change> {
  const owned = new Set(topics.flatMap(({ name, owned = false }) => owned ? [name] : []));
  const named = new Set(queues.map(({ name }) => `queue:${name}`));
  const wanted = new Set(bindings.map(({ topic, to }) => bindingEntity(topic, to)));
  const mine = new Set(bindings.flatMap(({ topic, to }) => to.startsWith("queue:") ? [topic] : []));
  const others = Map.groupBy(found, ({ topic }) => topic);
  for (const [topic, ofTopic] of others) {
    const unwanted = ofTopic.map(({ to }) => to)
      .filter((to) => to.startsWith("queue:") && !wanted.has(bindingEntity(topic, to)));
    // Who only sends to it sees its owner there.
    if (owned.has(topic) && !mine.has(topic) && unwanted.length === 1) continue;
    for (const to of unwanted) {
      if (!owned.has(topic) && !named.has(to)) continue;
      const detail = owned.has(topic)
        ? `"${topic}" is a command's or query's, and has one owner: each queue that is bound gets a copy`
        : "a binding that nothing here asks for";
      yield { kind: "extra", entity: bindingEntity(topic, to), detail };
    }
  }
}
