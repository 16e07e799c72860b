/** Bindings that are there and not wanted. @module */
import type { Change, Topology } from "../../src/spi/transport.ts";
import type { Binding } from "./bindings.ts";
import type { KnownBinding } from "./management.ts";

/** What the library makes for itself. */
const ownPrefix = "hero.";

/** Whether a binding that is there is the one that is wanted. */
export function isSame(known: KnownBinding, { source, target, routingKey }: Binding): boolean {
  return known.source === source && known.destination === target && !known.ofQueue && known.routingKey === routingKey;
}

/**
 * Reports what leads to the queues of a topology and is not wanted there (its endpoint handled it once), and what takes
 * from a topic with one owner beside that owner. Neither is removed by itself.
 */
export function extras(
  { topics, queues }: Topology,
  wanted: readonly Binding[],
  known: readonly KnownBinding[],
): readonly Change[] {
  const own = new Set(queues.map(({ name }) => name));
  const owned = new Set(topics.filter((each) => each.owned === true).map(({ name }) => name));
  const others = known.filter((each) =>
    each.source !== "" && !each.source.startsWith(ownPrefix) && each.source !== each.destination &&
    !wanted.some((binding) => isSame(each, binding))
  );
  const changes: Change[] = [];
  for (const { source, destination, ofQueue } of others) {
    const entity = `topic:${source} -> queue:${destination}`;
    if (owned.has(source)) {
      const mine = wanted.some((binding) => binding.source === source);
      if (!mine && others.filter((other) => other.source === source).length === 1) continue; // its owner
      const detail = `"${source}" is a command's or query's, and has one owner: each queue that is bound gets a copy`;
      changes.push({ kind: "extra", entity, detail });
    } else if (own.has(destination) && !ofQueue) {
      changes.push({ kind: "extra", entity, detail: "a binding that nothing here asks for" });
    }
  }
  return changes;
}
