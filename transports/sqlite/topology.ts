/** The queues, topics and bindings in a file. @module */
import { UnsupportedError } from "../../src/errors/configuration.ts";
import { bindingEntity, extraBindings } from "../../src/spi/extra_bindings.ts";
import type { Address, Change, Entity, Topology } from "../../src/spi/transport.ts";
import { queueName, topicName } from "../../src/values/destination.ts";
import { fromText, toText } from "../../src/envelope/stored_text.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";

/** As errors and extensions say it. */
export const transportName = "sqlite";

/** How long a queue lasts: until it is taken away, or as long as its receiver. */
export type Lifetime = "durable" | "instance" | "reply";

/** A queue as it is in the file. */
export interface Queue {
  readonly id: number;
  readonly name: string;
  readonly lifetime: Lifetime;
  /** Of one key, one at a time. */
  readonly ordered: boolean;
}
/** A queue that an address leads to, and the last address on the way. */
export interface Route {
  readonly queue: Queue;
  readonly via: Address;
}

/** What a row of the table of queues gives. */
interface FoundQueue {
  readonly id: number;
  readonly name: string;
  readonly lifetime: Lifetime;
  readonly ordered: number;
}

/** More addresses than this are not remembered. */
const maxRoutes = 10_000;

/** Where addresses lead. What it has learnt holds as long as the file's version of the topology does not change. */
export class Entities {
  readonly #sql: ReturnType<typeof statements>;
  readonly #routes = new Map<Address, readonly Route[]>();
  /** What is to be in the file soon, and holds here already. */
  readonly #coming = new Set<Topology>();
  #version = -1;

  /** @param prefix of the tables */
  constructor(prefix: string) {
    this.#sql = statements(prefix);
  }

  /** The queue of that name. */
  queue(connection: Connection, name: string): Queue | undefined {
    return this.#queues(connection.prepare(this.#sql.queue).all(toText(name)))[0];
  }

  /** The queue of that id, if it is there. */
  byId(connection: Connection, id: number): readonly Queue[] {
    return this.#queues(connection.prepare(this.#sql.byId).all(id));
  }

  /** To be called first in each transaction, or look at what is committed, that asks for routes. */
  refresh(connection: Connection): void {
    const { version } = connection.prepare(this.#sql.version).get() as { readonly version: number };
    if (version === this.#version) return;
    this.#routes.clear();
    this.#version = version;
  }

  /** All queues that an address leads to, each once, by the shortest way. */
  route(connection: Connection, address: Address): readonly Route[] {
    const known = this.#routes.get(address);
    if (known !== undefined) return known;
    const found = this.#find(connection, address);
    if (this.#routes.size >= maxRoutes) this.#routes.clear();
    this.#routes.set(address, found);
    return found;
  }

  /** Lets topics and bindings hold in this process that are not in the file yet. */
  expect(topology: Topology): void {
    this.#coming.add(topology);
    this.#version = -1;
  }
  /** They are there. */
  arrived(topology: Topology): void {
    this.#coming.delete(topology);
    this.#version = -1;
  }

  /** Makes a queue that lives as long as its receiver, bound to `topics`. Its name is made unique. */
  addTemporary(connection: Connection, entity: TemporaryQueue, until: number): Queue {
    let { name } = entity;
    while (this.queue(connection, name) !== undefined) {
      name = `${entity.name}~${crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36)}`;
    }
    connection.prepare(this.#sql.addQueue).run(toText(name), entity.lifetime, entity.ordered ? 1 : 0, until);
    for (const topic of entity.topics) this.#bind(connection, topic, `queue:${name}`);
    this.#changed(connection);
    return this.queue(connection, name) as Queue; // made above
  }

  /** Lets a queue that is not durable live on; false: it is gone. */
  renew(connection: Connection, queue: Queue, until: number): boolean {
    return Number(connection.prepare(this.#sql.renew).run(until, queue.id).changes) > 0;
  }

  /** Takes a queue and its bindings away. */
  remove(connection: Connection, queue: Queue): void {
    connection.prepare(this.#sql.unbind).run(toText(`queue:${queue.name}`));
    connection.prepare(this.#sql.removeQueue).run(queue.id);
    this.#changed(connection);
  }

  /** The queues whose receivers are gone, at most so many. */
  abandoned(connection: Connection, now: number, limit: number): readonly Queue[] {
    return this.#queues(connection.prepare(this.#sql.abandoned).all(now, limit));
  }

  /** From now on the order of its keys counts. */
  makeOrdered(connection: Connection, queue: Queue): void {
    connection.prepare(this.#sql.makeOrdered).run(queue.id);
    this.#changed(connection);
  }

  /**
   * As `Transport.deploy`: queues, topics, bindings, then what is not wanted, each in the order of the topology.
   *
   * @param connection `undefined`: there are no tables yet
   * @param order makes a queue ordered that is not
   */
  deploy(
    connection: Connection | undefined,
    topology: Topology,
    apply: boolean,
    order: (connection: Connection, queue: Queue) => void,
  ): readonly Change[] {
    const changes: Change[] = [];
    for (const { name, extensions, ordered = false } of topology.queues) {
      refuse(extensions);
      const entity = `queue:${name}`;
      const queue = connection && this.queue(connection, name);
      if (queue === undefined) {
        changes.push({ kind: "create", entity, detail: ordered ? "an ordered queue" : "a queue" });
        if (apply) connection?.prepare(this.#sql.addQueue).run(toText(name), "durable", ordered ? 1 : 0, null);
      } else if (queue.lifetime !== "durable") {
        changes.push({ kind: "conflict", entity, detail: "it is a receiver's own, and gone with it" });
      } else if (ordered && !queue.ordered) {
        changes.push({ kind: "create", entity, detail: "the order of its keys, which it does not keep so far" });
        if (apply && connection !== undefined) order(connection, queue);
      }
    }
    for (const { name, extensions } of topology.topics) {
      refuse(extensions);
      if (connection?.prepare(this.#sql.topic).get(toText(name)) != null) continue;
      changes.push({ kind: "create", entity: `topic:${name}`, detail: "a topic" });
      if (apply) connection?.prepare(this.#sql.addTopic).run(toText(name));
    }
    for (const { topic, to } of topology.bindings) {
      if (connection?.prepare(this.#sql.binding).get(toText(topic), toText(to)) != null) continue;
      changes.push({ kind: "create", entity: bindingEntity(topic, to), detail: "a binding" });
      if (apply && connection !== undefined) this.#bind(connection, topic, to);
    }
    if (connection === undefined) return changes;
    if (apply && changes.length > 0) this.#changed(connection);
    return [...changes, ...extraBindings(topology, this.#others(connection, topology))];
  }

  /** The bindings of durable queues that may be extra. */
  #others(connection: Connection, { topics, queues }: Topology): Topology["bindings"] {
    const found = [
      ...topics.filter(({ owned }) => owned === true)
        .flatMap(({ name }) => connection.prepare(this.#sql.bindingsOf).all(toText(name))),
      ...queues.flatMap(({ name }) => connection.prepare(this.#sql.bindingsTo).all(toText(`queue:${name}`))),
    ] as { readonly topic: string; readonly target: string }[];
    // Once, whichever end was named.
    const once = new Map<string, Topology["bindings"][number]>();
    for (const { topic, target } of found) {
      const to = fromText(target);
      const name = queueName(to);
      if (name === undefined || this.queue(connection, name)?.lifetime !== "durable") continue;
      once.set(bindingEntity(fromText(topic), to), { topic: fromText(topic), to });
    }
    return [...once.values()];
  }

  #queues(found: readonly unknown[]): readonly Queue[] {
    return (found as readonly FoundQueue[]).map(({ id, name, lifetime, ordered }) => (
      { id, name: fromText(name), lifetime, ordered: ordered === 1 }
    ));
  }

  #bind(connection: Connection, topic: string, to: Address): void {
    connection.prepare(this.#sql.bind).run(toText(topic), toText(to));
  }

  /** A number that was never there, so that nobody takes a change that was undone for another. */
  #changed(connection: Connection): void {
    connection.prepare(this.#sql.change).run(Math.floor(Math.random() * Number.MAX_SAFE_INTEGER));
    this.#version = -1;
  }

  #find(connection: Connection, address: Address): readonly Route[] {
    const direct = queueName(address);
    if (direct !== undefined) {
      const queue = this.queue(connection, direct);
      return queue === undefined ? [] : [{ queue, via: address }];
    }
    const found = new Map<number, Route>();
    const seen = new Set([address]);
    for (const via of seen) { // grows while it is gone through: breadth first
      const topic = topicName(via);
      if (topic === undefined) continue;
      const targets = connection.prepare(this.#sql.targets).all(toText(topic)) as { readonly target: string }[];
      const coming = [...this.#coming].flatMap(({ bindings }) => bindings.filter((each) => each.topic === topic));
      for (const to of [...targets.map(({ target }) => fromText(target)), ...coming.map(({ to }) => to)]) {
        const name = queueName(to);
        if (name === undefined) seen.add(to);
        else {
          const queue = this.queue(connection, name);
          if (queue !== undefined && !found.has(queue.id)) found.set(queue.id, { queue, via });
        }
      }
    }
    return [...found.values()];
  }
}

/** A queue to be, with its receiver's life. */
export interface TemporaryQueue {
  readonly name: string;
  readonly lifetime: Lifetime;
  readonly ordered: boolean;
  readonly topics: readonly string[];
}

/** There are no settings of single queues. @throws {UnsupportedError} if there is one */
export function refuse(extensions: Entity["extensions"]): void {
  for (const { transport } of extensions) {
    throw new UnsupportedError(transportName, `a setting of "${transport}"`, "Take it away, or use that transport");
  }
}

function statements(prefix: string) {
  const queues = `"${prefix}queues"`;
  const bindings = `"${prefix}bindings"`;
  const columns = "id, name, lifetime, ordered";
  return {
    queue: `SELECT ${columns} FROM ${queues} WHERE name = ?`,
    byId: `SELECT ${columns} FROM ${queues} WHERE id = ?`,
    addQueue: `INSERT INTO ${queues} (name, lifetime, ordered, until) VALUES (?, ?, ?, ?)`,
    removeQueue: `DELETE FROM ${queues} WHERE id = ?`,
    makeOrdered: `UPDATE ${queues} SET ordered = 1 WHERE id = ?`,
    renew: `UPDATE ${queues} SET until = ? WHERE id = ?`,
    abandoned: `SELECT ${columns} FROM ${queues} WHERE until IS NOT NULL AND until <= ? LIMIT ?`,
    topic: `SELECT 1 FROM "${prefix}topics" WHERE name = ?`,
    addTopic: `INSERT INTO "${prefix}topics" (name) VALUES (?)`,
    binding: `SELECT 1 FROM ${bindings} WHERE topic = ? AND target = ?`,
    bindingsOf: `SELECT topic, target FROM ${bindings} WHERE topic = ? ORDER BY target`,
    bindingsTo: `SELECT topic, target FROM ${bindings} WHERE target = ? ORDER BY topic`,
    targets: `SELECT target FROM ${bindings} WHERE topic = ? ORDER BY target`,
    bind: `INSERT INTO ${bindings} (topic, target) VALUES (?, ?) ON CONFLICT DO NOTHING`,
    unbind: `DELETE FROM ${bindings} WHERE target = ?`,
    version: `SELECT version FROM "${prefix}version"`,
    change: `UPDATE "${prefix}version" SET version = ?`,
  };
}
