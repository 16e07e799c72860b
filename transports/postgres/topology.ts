/** The queues, topics and bindings in a database. @module */
import { fromText } from "../../src/envelope/stored_text.ts";
import { UnsupportedError } from "../../src/errors/configuration.ts";
import { bindingEntity, extraBindings } from "../../src/spi/extra_bindings.ts";
import type { Address, Change, Entity, Topology } from "../../src/spi/transport.ts";
import { queueName } from "../../src/values/destination.ts";
import type { Names } from "../../stores/postgres/names.ts";
import type { SqlRow, SqlSession } from "../../stores/postgres/sql_client.ts";
import { column } from "../../stores/postgres/statement.ts";
import type { QueueDatabase } from "./transacting.ts";
import { type TopologyStatements, topologyStatements } from "./topology_statements.ts";

/** As errors and extensions say it. */
export const transportName = "postgres";

/** How long a queue lasts: until it is taken away, or as long as its receiver. */
export type Lifetime = "durable" | "instance" | "reply";

/** A queue as it is in the database. */
export interface Queue {
  readonly id: number;
  readonly name: string;
  readonly lifetime: Lifetime;
  /** Of one key, one at a time. */
  readonly ordered: boolean;
}

/** A queue to be, with its receiver's life. */
export interface TemporaryQueue extends Omit<Queue, "id"> {
  readonly topics: readonly string[];
}

/** A binding as it is in the database. */
interface Binding {
  readonly topic: string;
  readonly to: Address;
}

/** All that is there. */
interface Found {
  readonly queues: readonly Queue[];
  readonly topics: ReadonlySet<string>;
  readonly bindings: readonly Binding[];
}

/** For how long, and of how many, is believed that they lead to a queue: what is written finds out. */
const [believedMs, maxRouted] = [10_000, 10_000];

/** What is there, and where addresses lead. What changes it needs a transaction that holds the topology's lock. */
export class Entities {
  readonly #sql: TopologyStatements;
  /** Addresses that lead to a queue, and until when that is believed. */
  readonly #routed = new Map<Address, number>();

  /** @param names of the queues' tables */
  constructor(names: Names) {
    this.#sql = topologyStatements(names);
  }

  /** The queue of that name. */
  async queue(session: SqlSession, name: string): Promise<Queue | undefined> {
    const [row] = await session.query(this.#sql.queue, [column(name)]);
    return row === undefined ? undefined : queueOf(row);
  }

  /** Keeps others from changing it until the transaction ends. */
  async lock(session: SqlSession): Promise<void> {
    await session.query(this.#sql.lock);
  }

  /** Makes a queue that lives as long as its receiver, bound to `topics`. Its name is made unique. */
  async addTemporary(session: SqlSession, entity: TemporaryQueue, lifeMs: number): Promise<Queue> {
    for (let name = entity.name;;) {
      const values = [column(name), entity.lifetime, entity.ordered ? "1" : "0", String(Math.ceil(lifeMs))];
      const [row] = await session.query(this.#sql.addQueue, values);
      if (row === undefined) {
        name = `${entity.name}~${crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36)}`;
        continue;
      }
      for (const topic of entity.topics) await session.query(this.#sql.bind, [column(topic), column(`queue:${name}`)]);
      const queue = queueOf(row);
      const { bindings } = entity.topics.length > 0 ? await this.#all(session) : { bindings: [] };
      await this.#addRoutes(session, routesTo(queue, bindings));
      return queue;
    }
  }

  /** Lets a queue that is not durable live on; false: it is gone. */
  async renew(session: SqlSession, queue: Queue, lifeMs: number): Promise<boolean> {
    return (await session.query(this.#sql.renew, [String(Math.ceil(lifeMs)), String(queue.id)])).length > 0;
  }

  /** Takes a queue and its bindings away. */
  async remove(session: SqlSession, queue: Queue): Promise<void> {
    await session.query(this.#sql.removeRoutes, [String(queue.id)]);
    await session.query(this.#sql.unbind, [column(`queue:${queue.name}`)]);
    await session.query(this.#sql.removeQueue, [String(queue.id)]);
  }

  /** The queues whose receivers are gone, at most so many. */
  async abandoned(session: SqlSession, limit: number): Promise<readonly Queue[]> {
    return (await session.query(this.#sql.abandoned, [String(limit)])).map(queueOf);
  }

  /** From now on the order of its keys counts. */
  async makeOrdered(session: SqlSession, queue: Queue): Promise<void> {
    await session.query(this.#sql.makeOrdered, [String(queue.id)]);
  }

  /** Which of the addresses lead to a queue; of those that do it is believed for a while. */
  async routed(database: QueueDatabase, addresses: readonly Address[]): Promise<ReadonlySet<Address>> {
    const now = database.clock.now();
    const unknown = addresses.filter((address) => !((this.#routed.get(address) ?? 0) > now));
    if (unknown.length > 0) {
      const values = [JSON.stringify(unknown.map(column))];
      if (this.#routed.size > maxRouted) this.#routed.clear();
      for (const [address] of await database.query({ text: this.#sql.routed, values })) {
        this.#routed.set(fromText(String(address)), now + believedMs);
      }
    }
    return new Set(addresses.filter((address) => (this.#routed.get(address) ?? 0) > now));
  }

  /**
   * As `Transport.deploy`: queues, topics, bindings, then what is not wanted, each in the order of the topology.
   *
   * @param session `undefined`: there are no tables yet
   * @param order makes a queue ordered that is not
   */
  async deploy(
    session: SqlSession | undefined,
    topology: Topology,
    apply: boolean,
    order: (queue: Queue) => Promise<void>,
  ): Promise<readonly Change[]> {
    const found = session === undefined ? nothing : await this.#all(session);
    const byName = new Map(found.queues.map((queue) => [queue.name, queue]));
    const bound = new Set(found.bindings.map(({ topic, to }) => bindingEntity(topic, to)));
    const changes: Change[] = [];
    const run = async (text: string, ...values: readonly string[]): Promise<void> => {
      if (apply) await session?.query(text, values);
    };
    for (const { name, extensions, ordered = false } of topology.queues) {
      refuse(extensions);
      const entity = `queue:${name}`;
      const queue = byName.get(name);
      if (queue === undefined) {
        changes.push({ kind: "create", entity, detail: ordered ? "an ordered queue" : "a queue" });
        if (apply) await session?.query(this.#sql.addQueue, [column(name), "durable", ordered ? "1" : "0", null]);
      } else if (queue.lifetime !== "durable") {
        changes.push({ kind: "conflict", entity, detail: "it is a receiver's own, and gone with it" });
      } else if (ordered && !queue.ordered) {
        changes.push({ kind: "create", entity, detail: "the order of its keys, which it does not keep so far" });
        if (apply) await order(queue);
      }
    }
    for (const { name, extensions } of topology.topics) {
      refuse(extensions);
      if (found.topics.has(name)) continue;
      changes.push({ kind: "create", entity: `topic:${name}`, detail: "a topic" });
      await run(this.#sql.addTopic, column(name));
    }
    for (const { topic, to } of topology.bindings) {
      if (bound.has(bindingEntity(topic, to))) continue;
      changes.push({ kind: "create", entity: bindingEntity(topic, to), detail: "a binding" });
      await run(this.#sql.bind, column(topic), column(to));
    }
    if (session !== undefined && apply && changes.some(({ kind }) => kind === "create")) await this.#route(session);
    return [...changes, ...extraBindings(topology, found.bindings.filter((each) => isDurable(each, byName)))];
  }

  async #all(session: SqlSession): Promise<Found> {
    const [queues, topics, bindings] = await Promise.all(
      [this.#sql.queues, this.#sql.topics, this.#sql.bindings].map((text) => session.query(text)),
    );
    return {
      queues: (queues ?? []).map(queueOf),
      topics: new Set((topics ?? []).map(([name]) => fromText(String(name)))),
      bindings: (bindings ?? []).map(([topic, to]) => ({ topic: fromText(String(topic)), to: fromText(String(to)) })),
    };
  }

  /** Finds anew where all addresses lead. */
  async #route(session: SqlSession): Promise<void> {
    const { queues, bindings } = await this.#all(session);
    await this.#addRoutes(session, queues.flatMap((queue) => routesTo(queue, bindings)));
  }

  /** There may be more than before, never less: bindings go with their queue alone. */
  async #addRoutes(session: SqlSession, routes: readonly RouteRow[]): Promise<void> {
    const list = routes.map(({ address, queue, via }) => ({ address: column(address), queue, via: column(via) }));
    await session.query(this.#sql.addRoutes, [JSON.stringify(list)]);
  }
}

const nothing: Found = { queues: [], topics: new Set(), bindings: [] };

/** An address that leads to a queue, and the last one on the way. */
interface RouteRow {
  readonly address: Address;
  readonly queue: number;
  readonly via: Address;
}

/** All addresses that lead to a queue, each by a shortest way. */
function routesTo(queue: Queue, bindings: readonly Binding[]): readonly RouteRow[] {
  const own = `queue:${queue.name}`;
  const found = new Map<Address, RouteRow>([[own, { address: own, queue: queue.id, via: own }]]);
  const into = new Map<Address, string[]>();
  for (const { topic, to } of bindings) into.set(to, [...into.get(to) ?? [], topic]);
  for (const [to, { via }] of found) { // grows while it is gone through: breadth first
    for (const topic of into.get(to) ?? []) {
      const address = `topic:${topic}`;
      if (!found.has(address)) found.set(address, { address, queue: queue.id, via: to === own ? address : via });
    }
  }
  return [...found.values()];
}

/** Whether a binding is of a durable queue: those of receivers' own are their matter. */
function isDurable({ to }: Binding, byName: ReadonlyMap<string, Queue>): boolean {
  const name = queueName(to);
  return name !== undefined && byName.get(name)?.lifetime === "durable";
}

/** There are no settings of single queues. @throws {UnsupportedError} if there is one */
export function refuse(extensions: Entity["extensions"]): void {
  for (const { transport } of extensions) {
    throw new UnsupportedError(transportName, `a setting of "${transport}"`, "Take it away, or use that transport");
  }
}

function queueOf([id, name, lifetime, ordered]: SqlRow): Queue {
  return {
    id: Number(id),
    name: fromText(String(name)),
    lifetime: lifetime as Lifetime, // written by addQueue
    ordered: ordered === true,
  };
}
