/** What a bus is wired of. @module */
import { type Definition, definitionOf } from "../contracts/definition.ts";
import { faultDefinition } from "../contracts/fault.ts";
import { Registry } from "../contracts/registry.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import { TopologyError } from "../errors/transport.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { StoppedError } from "../errors/lifecycle.ts";
import { Storage } from "../outbox/storage.ts";
import type { SendMiddleware } from "../pipeline/context.ts";
import { guardedTelemetry } from "../pipeline/guarded_telemetry.ts";
import { type ObservedSend, Observers } from "../pipeline/observers.ts";
import { Outbound } from "../pipeline/outbound.ts";
import { Transforming } from "../pipeline/transforming.ts";
import type { OutgoingMessage, SendTarget } from "../pipeline/outgoing_message.ts";
import { Routing } from "../pipeline/routing.ts";
import { type IdSource, SendPipeline } from "../pipeline/send_pipeline.ts";
import { hostInfo } from "../runtime/host.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { Serializers } from "../serialization/negotiation.ts";
import type { Store } from "../spi/store.ts";
import type { Change, DeployMode, Topology, Transport } from "../spi/transport.ts";
import { checkName } from "../values/destination.ts";
import { createUuidV7 } from "../values/uuid_v7.ts";
import { BusSchedules } from "./bus_schedules.ts";
import type { BusOptions } from "./bus_options.ts";
import { type Owners, RequestClient } from "./request_client.ts";
import { topologyOfContract } from "./topology.ts";

/** How many messages may wait here, unless said otherwise. */
export const defaultSendBuffer = 10_000;

/** What stands in for what an application leaves out. */
export interface Defaults {
  /** Made if an endpoint asks for one. */
  readonly store: () => Store<unknown>;
  /** Whether a store is asked now and then, though it has not said that there is anything. Left out: it is. */
  readonly polled?: boolean;
  /** What observers are shown of a message that was sent. Left out: itself. */
  readonly shown?: (message: unknown) => unknown;
}

/** What a bus is wired of: everything but its endpoints and its life. */
export class BusCore {
  readonly name: string;
  /** As the application gave them. */
  readonly options: BusOptions<unknown>;
  readonly transport: Transport;
  readonly registry = new Registry();
  readonly routing: Routing;
  readonly observers = new Observers();
  readonly sendMiddleware: SendMiddleware[] = [];
  /** Where what the application sends goes. */
  readonly outbound: SendTarget;
  /** Where what its handlers send goes. */
  readonly inside: SendTarget;
  readonly #outbound: Outbound;
  readonly #transforming: readonly Transforming[];
  readonly requests: RequestClient;
  readonly services: BusServices;
  readonly #deploy: "apply" | "check";
  readonly #makeStorage: () => Storage;
  #storage: Storage | undefined;
  #storing: Promise<unknown> | undefined;
  /** The contracts whose topics are there. */
  readonly #introduced = new Set<Definition>();
  /** Told of contracts that the bus learns of while it runs. */
  onIntroduced: () => void = () => {};
  #open = false;

  constructor(options: BusOptions<unknown>, transport: Transport, owners: Owners, defaults: Defaults) {
    const { name } = options;
    this.name = name;
    this.options = options;
    this.transport = transport;
    this.#deploy = options.deploy ?? "apply";
    const prefix = options.prefix ?? "";
    if (prefix !== "") checkName(`the entities of "${name}" with the prefix`, prefix);
    this.routing = new Routing(options.naming ?? {}, prefix, options.routes ?? {}, transport.name);
    for (const definition of this.routing.routed) this.registry.add(definition);
    for (const contract of options.contracts ?? []) {
      this.registry.add(definitionOf(contract, `{ contracts } of "${name}"`));
    }
    const clock = options.clock ?? systemClock;
    const limit = options.sendBuffer ?? defaultSendBuffer;
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new ConfigurationError(`The bus "${name}" cannot buffer ${limit} messages. Give a whole number from 1`);
    }
    const telemetry = options.telemetry === undefined ? undefined : guardedTelemetry(options.telemetry);
    const services = (): BusServices => this.services;
    this.#outbound = new Outbound(
      transport,
      limit,
      { settled: (message, error) => this.#settled(message, error) },
      () => new StoppedError(name, "send"),
    );
    const transforms = transport.capabilities.references === true ? [] : options.transforms ?? [];
    const through = (to: SendTarget) => transforms.length === 0 ? to : new Transforming(transforms, to);
    this.outbound = through(this.#outbound);
    this.inside = through(this.#outbound.inside);
    const { store } = options;
    const { polled = true } = defaults;
    this.#makeStorage = () =>
      new Storage({
        store: store ?? defaults.store(),
        given: store !== undefined,
        polled,
        services,
        capabilities: transport.capabilities,
        target: this.#outbound.inside,
        enlist: transport.enlist === undefined ? undefined : (tx, receiver) => transport.enlist?.(tx, receiver),
        told: (message, error) => this.#settled(message, error),
      });
    if (store !== undefined) this.#storage = this.#makeStorage();
    this.#transforming = [this.outbound, this.inside].filter((each) => each instanceof Transforming);
    this.requests = new RequestClient(services, owners, clock);
    const given = options.newId;
    // Told nothing: what makes texts of any length may take a number for one.
    const newId: IdSource = given === undefined ? createUuidV7(clock) : () => given();
    const host = hostInfo(name, options.host ?? {});
    const serializers = new Serializers(options.serializer, options.serializers);
    const sendPipeline = new SendPipeline({
      bus: name,
      sender: { address: this.routing.queue(name), host },
      routing: this.routing,
      // What changes frames is to get them as bytes.
      capabilities: transforms.length === 0
        ? transport.capabilities
        : { ...transport.capabilities, keepsFrames: false },
      transport: transport.name,
      serializer: serializers.default,
      clock,
      newId,
      telemetry,
      middleware: this.sendMiddleware,
      shown: defaults.shown,
      later: () => this.#storage?.given === true ? this.#storage.later : undefined,
      introduce: (definition) => this.#introduce(definition),
    });
    this.services = {
      bus: name,
      host,
      clock,
      random: options.random ?? Math.random,
      newId,
      registry: this.registry,
      routing: this.routing,
      serializers,
      transforms,
      sendPipeline,
      outbound: this.outbound,
      observers: this.observers,
      telemetry,
      requests: this.requests,
      schedules: new BusSchedules(transport, () => this.#storage, services),
    };
  }

  /** Whether what the broker has outlives the processes of the bus; told by what is delayed, or else taken for granted. */
  get brokerLasts(): boolean {
    const { delay } = this.transport.capabilities;
    return delay === false || delay.durable !== false;
  }
  /** Whether a store was given whose rows outlive the queues, which are in memory as no transport was given. */
  get storeOutlastsQueues(): boolean {
    const storage = this.#storage;
    return this.options.transport === undefined && !this.brokerLasts && storage?.given === true &&
      storage.store.capabilities.durable !== false;
  }
  /** What it has of its store, if it needs one: the application has given it, or an endpoint asks for it. */
  get storage(): Storage | undefined {
    return this.#storage;
  }
  /** The same, for what asks. */
  needStorage(): Storage {
    return this.#storage ??= this.#makeStorage();
  }
  /** Opens the store, if it is needed, and makes its tables or checks that they are there. Once. */
  async openStorage(): Promise<void> {
    if (this.#storage === undefined) return;
    // That it is open tells nothing of its tables: whoever plans, or looks at what is parked, opens it as well.
    this.#storing ??= this.deployStore(this.#deploy);
    try {
      await this.#storing;
    } catch (error) {
      this.#storing = undefined;
      throw error;
    }
  }

  /** Messages that are on their way to the broker. */
  get sending(): number {
    const changing = this.#transforming.reduce((sum, { pending }) => sum + pending, 0);
    const stored = this.#storage?.sending ?? 0;
    return changing + this.#outbound.unsettled + this.services.sendPipeline.preparing + stored;
  }
  /** Resolves when the broker has all that was sent. */
  async drained(): Promise<void> {
    for (const each of this.#transforming) await each.drained();
    await this.#outbound.drained();
  }
  /** Sends nothing more. */
  close(): void {
    this.#outbound.close();
  }

  /** Makes the topology, or checks that it is there. All known contracts are sent without more ado from then on. */
  async prepare(topology: Topology): Promise<void> {
    await this.deploy(topology, this.#deploy);
    for (const definition of this.registry.all()) {
      this.#introduced.add(definition);
      // Its faults' topic has been made with its own: the first failure does not wait for it.
      if (definition.faultOf === undefined) this.#introduced.add(faultDefinition(definition));
    }
    this.#open = true;
  }

  /** @throws {TopologyError} from `check`, if anything is missing or different; from `apply`, if it is different */
  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    return checkChanges(await this.transport.deploy(topology, mode), mode);
  }
  /** The same of the store. */
  async deployStore(mode: DeployMode): Promise<readonly Change[]> {
    if (this.#storage === undefined) return [];
    await this.#storage.open();
    return checkChanges(await this.#storage.store.deploy(mode), mode);
  }

  #introduce(definition: Definition): Promise<void> | undefined {
    if (definition.local || this.#introduced.has(definition)) return undefined;
    this.registry.add(definition);
    this.onIntroduced();
    if (!this.#open) return undefined;
    this.#introduced.add(definition);
    if (this.#deploy === "check") return undefined;
    const topology = topologyOfContract(definition, this.routing, this.transport.capabilities);
    return this.deploy(topology, "apply").then(() => {}, (error) => {
      this.#introduced.delete(definition);
      throw error;
    });
  }

  #settled(message: OutgoingMessage, error: Error | undefined): void {
    if (!this.observers.any || message.copy) return;
    const { definition, envelope, kind, to } = message;
    const send: ObservedSend = {
      kind,
      to,
      error,
      contract: definition,
      name: definition.name,
      messageId: message.messageId,
      correlationId: envelope.correlationId,
      conversationId: envelope.conversationId,
      headers: envelope.headers,
      message: message.message,
    };
    if (kind === "publish") this.observers.tell((observer) => observer.published?.(send));
    else this.observers.tell((observer) => observer.sent?.(send));
  }
}

function checkChanges(changes: readonly Change[], mode: DeployMode): readonly Change[] {
  const problems = changes.filter(({ kind }) => kind === "conflict" || (kind === "create" && mode === "check"));
  if (problems.length === 0 || mode === "plan") return changes;
  // What is only different stays so, whoever deploys.
  const instead = problems.every(({ kind }) => kind === "conflict")
    ? { instead: 'What is there already is changed by nobody, nor by bus.deploy("apply")' }
    : {};
  throw new TopologyError(problems.map(({ entity, detail }) => `${entity}: ${detail}`), instead);
}
