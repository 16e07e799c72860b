/** The queues, topics and bindings of a broker. @module */
import { UnsupportedError } from "../../src/errors/configuration.ts";
import { bindingEntity, extraBindings } from "../../src/spi/extra_bindings.ts";
import type { Address, Change, DeployMode, Extension, Topology } from "../../src/spi/transport.ts";
import { Queue, type QueueServices, type QueueSettings } from "./queue.ts";

/** A queue that an address leads to, and the last address on the way. */
export interface Route {
  readonly queue: Queue;
  readonly via: Address;
}

/** The setting of one queue: what `memory.queue({ … })` makes. */
export interface MemoryQueueOptions {
  /** How many may wait. Left out: as the transport says. */
  readonly maxQueueLength?: number;
  /** Where to what expires here goes, as in `queue:late`. Left out: it is dropped and counted. */
  readonly deadLetterExpired?: Address;
}

const nowhere: readonly Route[] = [];

/** Where addresses lead. */
export class Entities {
  readonly #services: QueueServices;
  readonly #queues = new Map<string, Queue>();
  readonly #topics = new Set<string>();
  readonly #bindings = new Map<string, Set<Address>>();
  /** Of addresses that lead somewhere; forgotten when anything changes. */
  readonly #routes = new Map<Address, readonly Route[]>();
  #names = 0;

  constructor(services: QueueServices) {
    this.#services = services;
  }

  /** The queue of that name. */
  queue(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  /** All queues that an address leads to, each once, by the shortest way. */
  route(address: Address): readonly Route[] {
    const known = this.#routes.get(address);
    if (known !== undefined) return known;
    const found = this.#find(address);
    if (found.length > 0) this.#routes.set(address, found);
    return found;
  }

  /** Makes a queue that lives as long as its receiver, bound to `topics`. Its name is made unique. */
  addTransient(name: string, topics: readonly string[], settings: QueueSettings): Queue {
    let unique = name;
    while (this.#queues.has(unique)) unique = `${name}~${++this.#names}`;
    const queue = new Queue(unique, false, settings, this.#services);
    this.#queues.set(unique, queue);
    for (const topic of topics) this.#bind(topic, `queue:${unique}`);
    this.#routes.clear();
    return queue;
  }

  /** Takes a queue and its bindings away. */
  remove(queue: Queue): void {
    if (this.#queues.get(queue.name) !== queue) return;
    this.#queues.delete(queue.name);
    for (const bound of this.#bindings.values()) bound.delete(`queue:${queue.name}`);
    this.#routes.clear();
    queue.close();
  }

  /** As `Transport.deploy`: queues, topics, bindings, then what is not wanted, each in the order of the topology. */
  deploy(
    topology: Topology,
    mode: DeployMode,
    settings: (extensions: readonly Extension[]) => QueueSettings,
  ): readonly Change[] {
    const changes: Change[] = [];
    const apply = mode === "apply";
    for (const { name, extensions } of topology.queues) {
      const wanted = settings(extensions);
      const queue = this.#queues.get(name);
      const entity = `queue:${name}`;
      if (queue === undefined) {
        changes.push({ kind: "create", entity, detail: describe(wanted) });
        if (apply) this.#queues.set(name, new Queue(name, true, wanted, this.#services));
      } else if (!queue.durable) {
        changes.push({ kind: "conflict", entity, detail: "it is a receiver's own, and gone with it" });
      } else if (describe(queue.settings) !== describe(wanted)) {
        const detail = `it has ${describe(queue.settings)}, and ${describe(wanted)} is wanted`;
        changes.push({ kind: "conflict", entity, detail });
      }
    }
    for (const { name, extensions } of topology.topics) {
      settings(extensions);
      if (this.#topics.has(name)) continue;
      changes.push({ kind: "create", entity: `topic:${name}`, detail: "a topic" });
      if (apply) this.#topics.add(name);
    }
    for (const { topic, to } of topology.bindings) {
      if (this.#bindings.get(topic)?.has(to)) continue;
      changes.push({ kind: "create", entity: bindingEntity(topic, to), detail: "a binding" });
      if (apply) this.#bind(topic, to);
    }
    if (apply && changes.length > 0) this.#routes.clear();
    return [...changes, ...extraBindings(topology, this.#others(topology))];
  }

  /** The bindings of durable queues that may be extra. */
  *#others({ topics, queues }: Topology): Generator<Topology["bindings"][number]> {
    // A bus that learns of a contract deploys its topics alone: that must not cost as much as all that is there.
    const among = queues.length > 0
      ? this.#bindings.keys()
      : topics.flatMap(({ name, owned = false }) => owned ? [name] : []);
    for (const topic of among) {
      for (const to of this.#bindings.get(topic) ?? []) if (!this.#isTransient(to)) yield { topic, to };
    }
  }

  #isTransient(to: Address): boolean {
    return this.#queues.get(to.slice("queue:".length))?.durable === false;
  }

  #bind(topic: string, to: Address): void {
    const bound = this.#bindings.get(topic);
    if (bound === undefined) this.#bindings.set(topic, new Set([to]));
    else bound.add(to);
  }

  #find(address: Address): readonly Route[] {
    if (address.startsWith("queue:")) {
      const queue = this.#queues.get(address.slice("queue:".length));
      return queue === undefined ? nowhere : [{ queue, via: address }];
    }
    const found = new Map<Queue, Route>();
    const seen = new Set([address]);
    for (const via of seen) { // grows while it is gone through: breadth first
      if (!via.startsWith("topic:")) continue;
      for (const to of this.#bindings.get(via.slice("topic:".length)) ?? []) {
        if (!to.startsWith("queue:")) seen.add(to);
        else {
          const queue = this.#queues.get(to.slice("queue:".length));
          if (queue !== undefined && !found.has(queue)) found.set(queue, { queue, via });
        }
      }
    }
    return [...found.values()];
  }
}

/** Reads the extensions of an entity, those of other transports refused. */
export function queueOptions(extensions: readonly Extension[]): MemoryQueueOptions {
  let options: MemoryQueueOptions = {};
  for (const { transport, value } of extensions) {
    if (transport !== "memory") {
      throw new UnsupportedError("memory", `a setting of "${transport}"`, "Take it away, or use that transport");
    }
    options = { ...options, ...value as MemoryQueueOptions }; // made by `memory.queue` alone
  }
  return options;
}

function describe({ maxLength, deadLetterExpired }: QueueSettings): string {
  const length = Number.isFinite(maxLength) ? `a bound of ${maxLength} messages` : "no bound";
  return deadLetterExpired === undefined ? length : `${length}, and what expires goes to ${deadLetterExpired}`;
}
