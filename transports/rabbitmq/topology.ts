/** Exchanges, queues and bindings: laid out as MassTransit does, so that both can share a broker. @module */
import type { Channel } from "amqplib";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Address, Change, DeployMode, Entity, Topology } from "../../src/spi/transport.ts";
import { queueName } from "../../src/values/destination.ts";
import { bind, type Binding, bindingsOf } from "./bindings.ts";
import type { Connection } from "./connection.ts";
import { deadLetterArguments, isLimited } from "./dead_letters.ts";
import { codeOf, codes, toTyped } from "./errors.ts";
import { exchangeOptions, type RabbitmqExchangeOptions } from "./exchange_options.ts";
import { extras, isSame } from "./extras.ts";
import type { KnownBinding } from "./management.ts";
import { hashing, partsOf } from "./partitions.ts";
import {
  Asking,
  compare,
  completions,
  type Declare,
  declareAll,
  declarePart,
  type Part,
  partOfTopic,
  partsOfPartitions,
  partsOfQueue,
} from "./pieces.ts";
import {
  inherited,
  keepsFailures,
  optionsOf,
  queueArguments,
  type QueueSettings,
  type RabbitmqBinding,
  type RabbitmqQueueOptions,
  typeOf,
} from "./queue_options.ts";

/** What has been deployed through one transport, and how. */
export class Deployments {
  readonly #connection: Connection;
  readonly #defaults: RabbitmqQueueOptions;
  readonly #queues = new Map<string, readonly Part[]>();
  readonly #topics = new Map<string, Part>();
  readonly #single = new Map<string, boolean>();
  readonly #partitions = new Map<string, number>();
  /** The types of queues without priorities. */
  readonly #unprioritized = new Map<string, ReturnType<typeof typeOf>>();
  /** By the addresses of topics of commands and queries: who handles them. */
  readonly #owners = new Map<Address, string>();
  #hashes: Promise<boolean> | undefined;
  #remaking: Promise<void> | undefined;
  readonly #bindings = new Map<string, Binding>();
  readonly #types = new Map<string, NonNullable<RabbitmqExchangeOptions["type"]>>();
  readonly #list: (() => Promise<readonly KnownBinding[]>) | undefined;

  /**
   * @param defaults the settings of queues that say nothing else
   * @param list the bindings that there are, where the broker can be asked
   */
  constructor(
    connection: Connection,
    defaults: RabbitmqQueueOptions,
    list?: () => Promise<readonly KnownBinding[]>,
  ) {
    this.#connection = connection;
    this.#defaults = defaults;
    this.#list = list;
  }

  /** As `Transport.deploy`. */
  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    checkNames(topology);
    await this.#checkHashing(topology);
    const changes: Change[] = [];
    const created = new Set<string>();
    const asking = new Asking(this.#connection);
    const topics = topology.topics.map(({ name, extensions }) => {
      const options = exchangeOptions(name, extensions);
      this.#types.set(name, options.type ?? "fanout");
      return [name, [partOfTopic(name, options)]] as const;
    });
    const entities = new Map(topology.queues.map((entity) => [entity.name, entity]));
    const owned = new Set(topology.topics.filter((each) => each.owned === true).map(({ name }) => name));
    for (const { topic, to } of topology.bindings) {
      const owner = queueName(to);
      if (owner !== undefined && owned.has(topic)) this.#owners.set(`topic:${topic}`, owner);
    }
    const own = new Map(topology.queues.map((entity) => [entity.name, optionsOf(entity, this.#defaults).bind ?? []]));
    const wanted = bindingsOf(topology.bindings, { types: this.#types, own });
    const queues = topology.queues.map((entity) => [entity.name, this.#partsOf(entity, entities)] as const);
    for (const [, parts] of [...topics, ...queues]) {
      for (const part of parts) {
        const change = await compare(part, mode, asking);
        if (change === undefined) continue;
        changes.push(change);
        if (change.kind === "create") created.add(part.entity);
      }
    }
    changes.push(...await this.#surplus(topology, asking));
    asking.end();
    changes.push(...await this.#compareBindings(topology, wanted, created, mode));
    if (mode === "apply") {
      const conflicts = new Set(changes.filter(({ kind }) => kind === "conflict").map(({ entity }) => entity));
      const bindings = wanted.filter(({ source, to }) => !conflicts.has(`topic:${source}`) && !conflicts.has(to));
      await this.#connection.with(async (channel) => {
        for (const binding of bindings) await naming(binding.entity, bind(channel, binding));
        for (const { entity, complete } of completions(queues.map(([, parts]) => parts))) {
          await naming(entity, complete(channel));
        }
      });
      for (const [name, [part]] of topics) if (part !== undefined) this.#topics.set(name, part);
      for (const [name, parts] of queues) this.#queues.set(name, parts);
      for (const binding of bindings) this.#bindings.set(JSON.stringify(binding), binding);
    }
    return changes;
  }

  /** Declares again what was deployed: the broker may have lost it. What it refuses is left to whoever needs it. */
  async again(): Promise<void> {
    const all: Declare[] = [];
    for (const part of [...this.#topics.values(), ...[...this.#queues.values()].flat()]) {
      all.push((channel) => declarePart(channel, part));
    }
    for (const binding of this.#bindings.values()) all.push((channel) => bind(channel, binding));
    for (const { complete } of completions(this.#queues.values())) all.push(complete);
    await declareAll(this.#connection, all);
  }

  /** The same as soon as a queue is missed; false: it was not deployed here. */
  async remake(to: Address): Promise<boolean> {
    const queue = queueName(to);
    if (queue === undefined || !this.#queues.has(queue)) return false;
    await (this.#remaking ??= this.again().finally(() => this.#remaking = undefined));
    return true;
  }

  /** What was deployed and may be sent to. */
  get addresses(): readonly Address[] {
    const queues = [...this.#queues.keys()].filter((name) => !keepsFailures.test(name)).map((name) => `queue:${name}`);
    return [...queues, ...[...this.#topics.keys()].map((name) => `topic:${name}`)];
  }

  /** Declares a queue again, if it was deployed. */
  async queueAgain(channel: Channel, name: string): Promise<void> {
    for (const part of this.#queues.get(name) ?? []) await declarePart(channel, part);
    for (const binding of this.#bindings.values()) if (binding.target === name) await bind(channel, binding);
  }

  /** Binds a queue that lives as long as its receiver, and has no exchange. */
  async bindInstance(
    channel: Channel,
    queue: string,
    topics: readonly string[],
    own: readonly RabbitmqBinding[],
  ): Promise<void> {
    const wanted = topics.map((topic) => ({ topic, to: `queue:${queue}` }));
    for (const each of bindingsOf(wanted, { types: this.#types, own: new Map([[queue, own]]) })) {
      await channel.bindQueue(queue, each.source, each.routingKey, each.arguments);
    }
  }

  /** What is missing and what is superfluous of the bindings. */
  async #compareBindings(
    topology: Topology,
    wanted: readonly Binding[],
    created: ReadonlySet<string>,
    mode: DeployMode,
  ): Promise<readonly Change[]> {
    let known: readonly KnownBinding[] | undefined;
    try {
      known = await this.#list?.();
    } catch (error) {
      // It says what to look at; that it is away is no reason not to start.
      if (mode !== "apply") throw error;
    }
    const missing = (binding: Binding): boolean =>
      // AMQP cannot be asked for bindings: one is missing for sure where one of its ends is.
      created.has(`topic:${binding.source}`) || created.has(binding.to) ||
      (known !== undefined && !known.some((each) => isSame(each, binding)));
    const changes: Change[] = wanted.filter(missing).map(({ entity }) => ({
      kind: "create",
      entity,
      detail: "a binding",
    }));
    return known === undefined ? changes : [...changes, ...extras(topology, wanted, known)];
  }

  /** Whether it is for whoever takes from a queue to find out why its messages died. */
  unsorted(name: string): boolean {
    return this.#queues.get(name)?.some(({ unsorted }) => unsorted === true) ?? false;
  }

  /** The queues in which the messages of a queue wait. */
  queuesOf(name: string): readonly string[] {
    const count = this.#partitions.get(name);
    return count === undefined ? [name] : partsOf(name, count);
  }

  /** By what an address is known to choose who gets a message; `undefined`: by nothing, all get it. */
  choosesBy(to: Address): "key" | "headers" | undefined {
    const type = to.startsWith("topic:") ? this.#types.get(to.slice("topic:".length)) : undefined;
    return type === "headers" ? type : type === "direct" || type === "topic" ? "key" : undefined;
  }

  /**
   * The queue that alone gets what is sent to an address, where it is known to have no priorities. It is not of what
   * another process has deployed, nor of an event, which others may take, too.
   */
  ignoresPriority(to: Address): string | undefined {
    const queue = queueName(to) ?? this.#owners.get(to);
    const type = queue === undefined ? undefined : this.#unprioritized.get(queue);
    // From 4.0 on, a quorum queue has two, from 4.3 on 32.
    const some = type === "quorum" && Number(this.#connection.version?.split(".")[0] ?? 4) >= 4;
    return type === undefined || some ? undefined : queue;
  }

  /** Whether a queue that was deployed here has a single active consumer; `undefined`: it was not deployed here. */
  single(name: string): boolean | undefined {
    return this.#single.get(name);
  }

  #partsOf(entity: Entity, queues: ReadonlyMap<string, Entity>): readonly Part[] {
    const { name } = entity;
    const keepsFor = queues.get(name.replace(keepsFailures, ""));
    const options: QueueSettings = {
      ...optionsOf(entity, this.#defaults),
      ...(keepsFor === undefined || keepsFor === entity ? {} : inherited(optionsOf(keepsFor, this.#defaults))),
    };
    this.#single.set(name, options.singleActiveConsumer === true);
    if (options.maxPriority === undefined && options.arguments?.["x-max-priority"] === undefined) {
      this.#unprioritized.set(name, typeOf(options));
    }
    if (options.partitions !== undefined) this.#partitions.set(name, options.partitions);
    const errors = `${name}_error`;
    // A classic queue gives nothing up, and who says where to does not want it in the error queue.
    const givesUp = typeOf(options) === "quorum" && options.bare !== true && queues.has(errors) &&
      options.deadLetter === undefined;
    const own = queueArguments(name, options);
    const args = { ...(givesUp ? deadLetterArguments(errors, isLimited(own)) : {}), ...own };
    if (options.partitions === undefined) return partsOfQueue(name, args, givesUp ? errors : undefined);
    return partsOfPartitions(name, options.partitions, args, givesUp ? errors : undefined);
  }

  /** What is there of parts that a queue shall not have, and would still get messages. */
  async #surplus(topology: Topology, asking: Asking): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (const entity of topology.queues) {
      const { partitions } = optionsOf(entity, this.#defaults);
      if (partitions === undefined) continue;
      const next = `${entity.name}_${partitions}`;
      try {
        await asking.ask((channel) => channel.checkQueue(next));
      } catch (error) {
        if (codeOf(error) !== codes.notFound) throw toTyped(error, `queue:${next}`, "deploy");
        continue;
      }
      const detail = `"${next}" is a part that { partitions: ${partitions} } does not have. ` +
        `Stop all that take from it, empty it, and delete it and its binding`;
      changes.push({ kind: "conflict", entity: `queue:${entity.name}`, detail });
    }
    return changes;
  }

  /** @throws {ConfigurationError} if a queue shall be in parts, and the broker cannot choose by a key */
  async #checkHashing({ queues }: Topology): Promise<void> {
    const first = queues.find((entity) => optionsOf(entity, this.#defaults).partitions !== undefined);
    if (first === undefined) return;
    this.#hashes ??= this.#connection.knows(hashing);
    const hashes = await this.#hashes.finally(() => this.#hashes = undefined);
    if (hashes) return;
    throw new ConfigurationError(
      `Cannot deploy "${first.name}" in parts: the broker has no consistent hash exchange. ` +
        `Run "rabbitmq-plugins enable rabbitmq_consistent_hash_exchange" there, or leave { partitions } out`,
    );
  }
}

/** @throws what the broker says, as an error that names the entity */
async function naming(entity: string, asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    throw toTyped(error, entity, "deploy");
  }
}

/** @throws {ConfigurationError} if a queue would get the messages of a topic that only has its name */
function checkNames({ queues, topics, bindings }: Topology): void {
  const names = new Set(queues.map(({ name }) => name));
  for (const { name } of topics) {
    if (!names.has(name)) continue;
    if (bindings.some(({ topic, to }) => topic === name && to === `queue:${name}`)) continue;
    throw new ConfigurationError(
      `Cannot deploy the queue and the topic "${name}" on RabbitMQ: each is an exchange of that name, so the queue ` +
        `would get all that is published to the topic. Rename the endpoint or the contract`,
    );
  }
}
