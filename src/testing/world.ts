/** A simulated application and all around it. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import type { FailedMessage } from "../bus/control.ts";
import { EndpointErrorQueue } from "../bus/error_queue.ts";
import { MessageBus } from "../bus/message_bus.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { BackpressureError } from "../errors/sending.ts";
import { DisconnectedError } from "../errors/transport.ts";
import type { PublishOptions, RequestOptions, SendOptions } from "../pipeline/sending.ts";
import { Serializers } from "../serialization/negotiation.ts";
import type { Transport } from "../spi/transport.ts";
import type { Duration } from "../values/duration.ts";
import { type Random, randomBytes, seededRandom } from "../values/random.ts";
import { createUuidV7 } from "../values/uuid_v7.ts";
import { FaultyTransport } from "./fault_injection_transport.ts";
import { Dice, type FaultCounts, type Rates } from "./faults.ts";
import {
  type MemoryBroker,
  type MemoryDatabase,
  testBroker,
  testDatabase,
  testDefaults,
  testTransport,
} from "./in_memory.ts";
import { type ConfigureInstance, type InstanceOptions, type Shared, SimulatedInstance } from "./instance.ts";
import { type Ledger, WorldLedger } from "./ledger.ts";
import { Life } from "./life.ts";
import { Timeline } from "./timeline.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** A simulated application, as its scenario and its invariant see it. */
export interface World {
  /** All chance in this world follows from it. */
  readonly seed: number;
  /** The world's time. It passes by itself. */
  readonly clock: VirtualClock;
  /** For the scenario's own choices; the same whatever goes wrong. */
  readonly random: Random;
  /**
   * Starts an instance of an application: a bus of this name on the world's broker. After a crash another takes its
   * place, set up anew. Resolves when it runs.
   *
   * @param configure endpoints and middleware; called for each of its lives
   * @throws {ConfigurationError} if there is one of that name; and what `bus.start()` throws
   */
  instance(name: string, configure: ConfigureInstance, options?: InstanceOptions): Promise<void>;
  /**
   * Stops an instance, as an upgrade would, and starts it anew; does nothing while it has crashed.
   *
   * @param options `deadline`: how long its handlers may finish; 30 s
   */
  restart(name: string, options?: { readonly deadline?: Duration }): Promise<void>;
  /** Sends a command from outside, again with the same id until the broker has it. */
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions): Promise<void>;
  /** Publishes an event from outside, again with the same id until the broker has it. */
  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: PublishOptions): Promise<void>;
  /** Requests an answer from outside; once. */
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: RequestOptions,
  ): Promise<Reply>;
  /** Waits on the world's clock. */
  delay(duration: Duration): Promise<void>;
  /** What instances have written down; it outlives them. */
  ledger<Entry>(name: string): Ledger<Entry>;
  /** What an endpoint has given up. */
  errors(endpoint: string): Promise<readonly FailedMessage[]>;
  /** How often each fault has happened so far. */
  readonly faults: FaultCounts;
  /** What has happened so far. Prints as a table. */
  timeline(): Timeline;
}

/** How long who sends from outside waits before it tries again, in milliseconds. */
const againInMs = 100;

/** A world of one seed. */
export class SimulatedWorld implements World {
  readonly seed: number;
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: Random;
  readonly #dice: Dice;
  readonly #broker: MemoryBroker = testBroker(false);
  readonly #database: MemoryDatabase = testDatabase();
  readonly #timeline: Timeline;
  readonly #ledgers = new Map<string, WorldLedger<unknown>>();
  readonly #instances = new Map<string, SimulatedInstance>();
  readonly #newId: () => string;
  readonly #chance: Random;
  readonly #outside: MessageBus<undefined>;
  readonly #transport: Transport;

  constructor(seed: number, rates: Rates) {
    this.seed = seed;
    // Four streams: what one part asks for does not change what another gets.
    const [first, second, third, fourth] = [0, 1, 2, 3].map((stream) => seededRandom(seed + stream / 4));
    this.random = first ?? Math.random;
    this.#dice = new Dice(rates, second ?? Math.random);
    this.#chance = third ?? Math.random;
    this.#newId = createUuidV7(this.clock, randomBytes(fourth ?? Math.random));
    this.#timeline = new Timeline(this.clock);
    const name = "outside";
    const inner = testTransport(this.#broker);
    const life = new Life({
      name,
      dice: this.#dice,
      mortal: false,
      disconnect: () => this.#broker.disconnect(inner),
      died: () => {},
      note: (what, where, messageId) => this.#timeline.note(name, what, where, messageId),
    });
    this.#transport = new FaultyTransport(inner, life, this.clock.background);
    const { clock } = this;
    this.#outside = new MessageBus<undefined>(
      { name, transport: this.#transport, clock, random: this.#chance, newId: this.#newId },
      this.#transport,
      testDefaults,
    );
    this.#outside.observe(this.#timeline.observer(name));
  }

  get faults(): FaultCounts {
    return this.#dice.counts;
  }

  /** Opens the way from outside. */
  start(): Promise<void> {
    return this.#outside.start();
  }

  async instance(name: string, configure: ConfigureInstance, options: InstanceOptions = {}): Promise<void> {
    if (this.#instances.has(name) || name === this.#outside.name) {
      throw new ConfigurationError(`This world has an instance "${name}" already. Give it another name`);
    }
    const shared: Shared = {
      broker: this.#broker,
      database: this.#database,
      clock: this.clock,
      dice: this.#dice,
      random: this.#chance,
      newId: this.#newId,
      timeline: this.#timeline,
      ledger: (ledger) => this.ledger(ledger),
    };
    const instance = new SimulatedInstance(name, shared, configure, options);
    this.#instances.set(name, instance);
    instance.begin();
    await instance.started;
  }

  async restart(name: string, options: { readonly deadline?: Duration } = {}): Promise<void> {
    const instance = this.#instances.get(name);
    if (instance === undefined) throw new ConfigurationError(`This world has no instance "${name}". Start it first`);
    await instance.restart(options.deadline ?? "30s");
  }

  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions): Promise<void> {
    return this.#insist(options, (options) => this.#outside.send(command, message, options));
  }
  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: PublishOptions): Promise<void> {
    return this.#insist(options, (options) => this.#outside.publish(event, message, options));
  }
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: RequestOptions,
  ): Promise<Reply> {
    return this.#outside.request(contract, message, options);
  }
  async #insist<Options extends SendOptions>(
    options: Options | undefined,
    send: (options: SendOptions) => Promise<void>,
  ): Promise<void> {
    const messageId = options?.messageId ?? this.#newId();
    for (;;) {
      try {
        return await send({ ...options, messageId });
      } catch (error) {
        if (!(error instanceof DisconnectedError || error instanceof BackpressureError)) throw error;
        await this.delay(againInMs);
      }
    }
  }

  delay(duration: Duration): Promise<void> {
    return this.clock.delay(duration);
  }

  ledger<Entry>(name: string): WorldLedger<Entry> {
    let ledger = this.#ledgers.get(name);
    if (ledger === undefined) this.#ledgers.set(name, ledger = new WorldLedger<unknown>());
    // Who names a ledger says what is in it.
    return ledger as WorldLedger<Entry>;
  }

  async errors(endpoint: string): Promise<readonly FailedMessage[]> {
    const addresses = { aside: `queue:${endpoint}_error`, endpoint: `queue:${endpoint}` } as const;
    const call = `world.errors("${endpoint}")`;
    const serializers = new Serializers(undefined, undefined);
    const queue = new EndpointErrorQueue(this.#transport, addresses, serializers, call, () => this.clock.now());
    return await Array.fromAsync(queue.list());
  }

  timeline(): Timeline {
    return this.#timeline;
  }

  /** Why an instance could not begin another life. */
  get failure(): { readonly problem: string; readonly error: Error } | undefined {
    for (const { name, failure } of this.#instances.values()) {
      if (failure === undefined) continue;
      const { life, error } = failure;
      return { problem: `the instance "${name}" could not begin its life ${life}: ${error.message}`, error };
    }
    return undefined;
  }

  /** What is under way, one entry each; empty: the world is at rest, but for its timers. */
  unfinished(): readonly string[] {
    const buses = [
      { name: this.#outside.name, activity: this.#outside.life.activity },
      ...[...this.#instances.values()].map(({ name, activity }) => ({ name, activity })),
    ];
    return buses.flatMap(({ name, activity }) => {
      if (activity === undefined) return [`"${name}" has crashed`];
      const { sending, handling, running } = activity;
      if (sending + handling === 0) return [];
      return [
        `"${name}" sends ${sending} and handles ${handling} messages: ` +
        running.map(({ endpoint, type, messageId }) => `${type} ${messageId} on "${endpoint}"`).join(", "),
      ];
    });
  }
}
