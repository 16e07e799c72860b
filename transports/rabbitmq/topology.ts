/** Exchanges, queues and bindings: laid out as MassTransit does, so that both can share a broker. @module */
import type { Channel } from "amqplib";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Address, Change, DeployMode, Entity, Topology } from "../../src/spi/transport.ts";
import { queueName } from "../../src/values/destination.ts";
import type { Connection } from "./connection.ts";
import { bindDeadLetters, deadLetterArguments, declareDeadLetters } from "./dead_letters.ts";
import { codeOf, codes, mismatchIn, textOf } from "./errors.ts";
import { optionsOf, queueArguments, type RabbitmqQueueOptions, typeOf } from "./queue_options.ts";

/** Declares one thing; twice is once. */
type Declare = (channel: Channel) => Promise<unknown>;

/** Something that shall be, and how to find out whether it is. */
interface Part {
  readonly entity: string;
  readonly detail: string;
  readonly check: Declare;
  readonly declare: Declare;
  /** What it needs of others, once all are there. */
  readonly complete?: Declare;
}

/**
 * A queue and what leads to it, with its arguments.
 *
 * @param errors the queue to which it gives messages up, which is declared beside it
 */
function partsOfQueue(
  name: string,
  args: Readonly<Record<string, unknown>>,
  errors: string | undefined,
): readonly Part[] {
  return [{
    entity: `queue:${name}`,
    detail: `a durable queue with ${Object.entries(args).map(([key, value]) => `${key} = ${value}`).join(", ")}`,
    check: (channel) => channel.checkQueue(name),
    declare: async (channel) => {
      await channel.assertQueue(name, { arguments: args });
      await channel.assertExchange(name, "fanout");
      await channel.bindQueue(name, name, "");
    },
    ...(errors === undefined ? {} : { complete: (channel) => bindDeadLetters(channel, errors) }),
  }];
}

function partOfTopic(name: string): Part {
  return {
    entity: `topic:${name}`,
    detail: "a durable exchange of the type fanout",
    check: (channel) => channel.checkExchange(name),
    declare: (channel) => channel.assertExchange(name, "fanout"),
  };
}

/** From a topic to the exchange of a queue, or of another topic. */
async function bind(channel: Channel, topic: string, to: Address): Promise<void> {
  const target = queueName(to) ?? to.slice("topic:".length);
  if (target !== topic) await channel.bindExchange(target, topic, "");
}

/** What has been deployed through one transport, and how. */
export class Deployments {
  readonly #connection: Connection;
  readonly #defaults: RabbitmqQueueOptions;
  readonly #queues = new Map<string, readonly Part[]>();
  readonly #topics = new Map<string, Part>();
  readonly #single = new Map<string, boolean>();
  readonly #bindings = new Map<string, { readonly topic: string; readonly to: Address }>();

  /** @param defaults the settings of queues that say nothing else */
  constructor(connection: Connection, defaults: RabbitmqQueueOptions) {
    this.#connection = connection;
    this.#defaults = defaults;
  }

  /** As `Transport.deploy`. */
  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    checkNames(topology);
    const changes: Change[] = [];
    const created = new Set<string>();
    const asking = new Asking(this.#connection);
    const topics = topology.topics.map(({ name }) => [name, [partOfTopic(name)]] as const);
    const names = new Set(topology.queues.map(({ name }) => name));
    const queues = topology.queues.map((entity) => [entity.name, this.#partsOf(entity, names)] as const);
    for (const [, parts] of [...topics, ...queues]) {
      for (const part of parts) {
        const change = await compare(part, mode, asking);
        if (change === undefined) continue;
        changes.push(change);
        if (change.kind === "create") created.add(part.entity);
      }
    }
    asking.end();
    for (const { topic, to } of topology.bindings) {
      // AMQP cannot be asked for bindings: one is missing for sure where one of its ends is.
      if (created.has(`topic:${topic}`) || created.has(to)) {
        changes.push({ kind: "create", entity: `topic:${topic} -> ${to}`, detail: "a binding" });
      }
    }
    if (mode === "apply") {
      const conflicts = new Set(changes.filter(({ kind }) => kind === "conflict").map(({ entity }) => entity));
      const bindings = topology.bindings.filter(({ topic, to }) => {
        return !conflicts.has(`topic:${topic}`) && !conflicts.has(to);
      });
      await this.#connection.with(async (channel) => {
        for (const { topic, to } of bindings) await bind(channel, topic, to);
        for (const complete of completions(queues.map(([, parts]) => parts))) await complete(channel);
      });
      for (const [name, [part]] of topics) if (part !== undefined) this.#topics.set(name, part);
      for (const [name, parts] of queues) this.#queues.set(name, parts);
      for (const binding of bindings) this.#bindings.set(`${binding.topic} ${binding.to}`, binding);
    }
    return changes;
  }

  /** Declares again what was deployed: the broker may have lost it. What it refuses is left to whoever needs it. */
  async again(): Promise<void> {
    const all: Declare[] = [];
    for (const part of this.#topics.values()) all.push(part.declare);
    for (const parts of this.#queues.values()) for (const part of parts) all.push(part.declare);
    for (const { topic, to } of this.#bindings.values()) all.push((channel) => bind(channel, topic, to));
    all.push(...completions(this.#queues.values()));
    let next = 0;
    while (next < all.length) {
      try {
        await this.#connection.with(async (channel) => {
          for (; next < all.length; next++) await all[next]?.(channel);
        });
      } catch (error) {
        if (codeOf(error) === undefined) throw error; // the connection is gone
        next++;
      }
    }
  }

  /** Declares a queue again, if it was deployed. */
  async queueAgain(channel: Channel, name: string): Promise<void> {
    for (const part of this.#queues.get(name) ?? []) await part.declare(channel);
    for (const { topic, to } of this.#bindings.values()) if (to === `queue:${name}`) await bind(channel, topic, to);
  }

  /** Whether a queue that was deployed here has a single active consumer; `undefined`: it was not deployed here. */
  single(name: string): boolean | undefined {
    return this.#single.get(name);
  }

  #partsOf(entity: Entity, queues: ReadonlySet<string>): readonly Part[] {
    const { name } = entity;
    const options = optionsOf(entity, this.#defaults);
    this.#single.set(name, options.singleActiveConsumer === true);
    const errors = `${name}_error`;
    // A classic queue gives nothing up.
    return typeOf(options) === "quorum" && queues.has(errors)
      ? partsOfQueue(name, { ...deadLetterArguments(errors), ...queueArguments(name, options) }, errors)
      : partsOfQueue(name, queueArguments(name, options), undefined);
  }
}

/** One channel for many questions: a new one where an answer has ended it. */
class Asking {
  readonly #connection: Connection;
  #channel: Channel | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async ask(question: Declare): Promise<void> {
    this.#channel ??= await this.#connection.channel();
    try {
      await question(this.#channel);
    } catch (error) {
      this.#channel = undefined;
      throw error;
    }
  }

  end(): void {
    void this.#channel?.close().catch(() => {}); // the connection has ended it
  }
}

/** Compares, and makes what is missing where that is asked for. */
async function compare(
  { entity, detail, check, declare }: Part,
  mode: DeployMode,
  asking: Asking,
): Promise<Change | undefined> {
  try {
    await asking.ask(check);
  } catch (error) {
    if (codeOf(error) !== codes.notFound) throw error;
    if (mode === "apply") await asking.ask(declare);
    return { kind: "create", entity, detail };
  }
  try {
    // What is there is not changed by that, and what differs is told by nothing else.
    await asking.ask(declare);
  } catch (error) {
    if (codeOf(error) === codes.accessRefused) return undefined; // no right to manage; it is there
    if (codeOf(error) !== codes.preconditionFailed) throw error;
    return { kind: "conflict", entity, detail: mismatchIn(error) ?? textOf(error) };
  }
  return undefined;
}

/** What is to be done once all queues are there. */
function completions(queues: Iterable<readonly Part[]>): readonly Declare[] {
  const all: Declare[] = [];
  for (const parts of queues) for (const { complete } of parts) if (complete !== undefined) all.push(complete);
  return all.length === 0 ? all : [declareDeadLetters, ...all];
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
