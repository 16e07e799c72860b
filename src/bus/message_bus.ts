/** The bus: what an application calls. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import { definitionOf } from "../contracts/definition.ts";
import type { Event } from "../contracts/event.ts";
import { checkAttached } from "../errors/attached.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { Middleware, SendMiddleware } from "../pipeline/context.ts";
import { checkedMiddleware } from "../pipeline/middleware.ts";
import { noOptions } from "../pipeline/draft.ts";
import { type BusObserver, checkedObserver } from "../pipeline/observers.ts";
import type {
  PublishOptions,
  RequestOptions,
  ScheduleOptions,
  ScheduleToken,
  Sender,
  SendOptions,
  When,
} from "../pipeline/sending.ts";
import type { EndpointStatistics } from "../pipeline/statistics.ts";
import type { Shape } from "../sagas/context.ts";
import type { SagaInstances } from "../sagas/instances.ts";
import type { Saga } from "../sagas/saga.ts";
import type { Change, DeployMode, Transport } from "../spi/transport.ts";
import type { Awaitable } from "../values/awaitable.ts";
import { checkSignal } from "../values/abortable.ts";
import { checkName } from "../values/destination.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { Bus, Connection } from "./bus.ts";
import { checkBusOptions } from "./bus_checks.ts";
import { BusCore, type Defaults } from "./bus_core.ts";
import { BusLife, stopOptionNames } from "./bus_life.ts";
import { BusSender } from "./bus_sender.ts";
import { BusStreams } from "./bus_streams.ts";
import type { BusOptions } from "./bus_options.ts";
import { checkRunnable, type Runnable } from "../pipeline/consumer.ts";
import type { Counts, Description, ErrorQueue, Health, ParkedMessages, StopOptions } from "./control.ts";
import { describeBus } from "./description.ts";
import type { Endpoint, EndpointBuilder } from "./endpoint.ts";
import type { EndpointOptions, Outbox, TxOf } from "./endpoint_options.ts";
import { endpointNameOf, Endpoints } from "./endpoints.ts";
import { EndpointErrorQueue } from "./error_queue.ts";
import { type Forgotten, healthOf } from "./health.ts";
import { StoreParkedMessages } from "./parked_messages.ts";
import { sagaInstances } from "./saga_access.ts";
import type { MessageStream } from "./stream.ts";
import { topologyOf } from "./topology.ts";

const signalName: OptionNames<{ readonly signal?: AbortSignal }> = { signal: true };
const deployModes: readonly DeployMode[] = ["plan", "check", "apply"];

/** The bus: see {@linkcode Bus}. */
export class MessageBus<Tx> implements Bus<Tx> {
  readonly name: string;
  readonly #middleware: Middleware[] = [];
  readonly #endpoints: Endpoints = new Endpoints(this.#middleware);
  readonly #core: BusCore;
  readonly #life: BusLife;
  readonly #sender: BusSender<Tx>;
  readonly #streams: BusStreams;

  constructor(options: BusOptions<Tx>, transport: Transport, defaults: Defaults) {
    this.name = checkName("a bus", options.name);
    checkBusOptions(options);
    this.#core = new BusCore(options, transport, (definition) => this.#endpoints.owner(definition), defaults);
    this.#core.onIntroduced = () => this.#endpoints.forget();
    this.#life = new BusLife(this.#core, this.#endpoints);
    this.#sender = new BusSender(this.#core, this.#life);
    // What a stream runs is handed no transaction.
    this.#streams = new BusStreams(this.name, this.#life, (source, own) => this.connect(source as Runnable<Tx>, own));
  }

  /** What is going on inside: for a test harness. */
  get life(): BusLife {
    return this.#life;
  }

  endpoint<Box extends Outbox = false>(name: string, options?: EndpointOptions<Box>): Endpoint<TxOf<Box, Tx>> {
    this.#life.configuring(`make the endpoint "${name}"`);
    // The builder hands handlers whatever transaction the endpoint has; the type says which that is.
    return this.#endpoints.declare(name, options ?? {}, this.name) as Endpoint<unknown> as Endpoint<TxOf<Box, Tx>>;
  }
  add(runnable: Runnable<Tx>, options: EndpointOptions = {}): this {
    checkRunnable(runnable, "the bus");
    this.#life.configuring(`add "${runnable.name}"`);
    this.#declare(runnable, options);
    return this;
  }
  #declare(runnable: Runnable<Tx>, options: EndpointOptions): EndpointBuilder {
    // What a runnable is handed is what this bus' store gives.
    const any = runnable as Runnable;
    const instead = runnable.named === "by its contract"
      ? `Name the consumer, as in consumer(contract, handler, { name }), or add it to that endpoint`
      : `Name one of the two differently`;
    return this.#endpoints.declare(endpointNameOf(any, this.name), options, this.name, instead).add(any);
  }
  use(middleware: Middleware): this {
    this.#life.configuring("use middleware");
    this.#middleware.push(checkedMiddleware(middleware, this.name));
    return this;
  }
  useSend(middleware: SendMiddleware): this {
    this.#life.configuring("use middleware");
    this.#core.sendMiddleware.push(checkedMiddleware(middleware, this.name));
    return this;
  }
  observe(observer: BusObserver): () => void {
    return this.#core.observers.add(checkedObserver(observer, this.name));
  }

  async connect(runnable: Runnable<Tx>, options: EndpointOptions = {}): Promise<Connection> {
    checkRunnable(runnable, "the bus");
    this.#life.check(`connect "${runnable.name}"`);
    const builder = this.#declare(runnable, options);
    builder.seal();
    return await this.#life.connect(builder);
  }

  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options: PublishOptions<Tx> = noOptions): Promise<void> {
    checkAttached(this, "bus", "publish");
    return this.#sender.send("publish", event, message, options);
  }
  send<In>(
    command: Command<In, unknown, unknown>,
    message: NoInfer<In>,
    options: SendOptions<Tx> = noOptions,
  ): Promise<void> {
    checkAttached(this, "bus", "send");
    return this.#sender.send("send", command, message, options);
  }
  async request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options: RequestOptions = {},
  ): Promise<Reply> {
    checkAttached(this, "bus", "request");
    // The contract's type says what its owner answers; a reply schema has checked it.
    return await this.#sender.request(contract, message, options) as Reply;
  }
  schedule<In>(
    contract: Contract<In, unknown, unknown, "command" | "event">,
    message: NoInfer<In>,
    when: When,
    options: ScheduleOptions<Tx> = {},
  ): Promise<ScheduleToken> {
    checkAttached(this, "bus", "schedule");
    return this.#sender.schedule(contract, message, when, options);
  }
  unschedule(token: ScheduleToken, options: { readonly tx?: Tx } = {}): Promise<void> {
    checkAttached(this, "bus", "unschedule");
    return this.#sender.unschedule(token, options);
  }
  transaction<Result>(work: (tx: Tx, sender: Sender) => Awaitable<Result>): Promise<Result> {
    checkAttached(this, "bus", "transaction");
    return this.#sender.transaction(work);
  }

  stream<Out>(
    contract: Contract<never, Out, unknown>,
    options: { readonly signal?: AbortSignal } = {},
  ): MessageStream<Out> {
    checkAttached(this, "bus", "stream");
    definitionOf(contract, "the contract to stream");
    return this.#streams.open(contract, options);
  }
  sink<In>(event: Event<In, unknown>, options?: PublishOptions<never>): WritableStream<In>;
  sink<In>(command: Command<In, unknown, unknown>, options?: SendOptions<never>): WritableStream<In>;
  sink<In>(contract: Contract<In, unknown, unknown>, options: SendOptions<never> = noOptions): WritableStream<In> {
    checkAttached(this, "bus", "sink");
    const kind = definitionOf(contract, "the contract of a sink").kind === "event" ? "publish" : "send";
    return new WritableStream<In>({
      write: (message) => this.#sender.send(kind, contract, message, options),
    });
  }

  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    checkAttached(this, "bus", "start");
    checkOptionNames(options, signalName, `start() on "${this.name}"`);
    const { signal } = options;
    checkSignal(signal, `start() on "${this.name}"`);
    await this.#life.start(signal);
    await this.#streams.opened();
  }
  // deno-lint-ignore require-await -- async, so that a deadline that is none rejects
  async stop(options: StopOptions = {}): Promise<void> {
    checkAttached(this, "bus", "stop");
    checkOptionNames(options, stopOptionNames, `stop() on "${this.name}"`);
    return this.#life.stop(options);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async pause(endpoint: string): Promise<void> {
    await this.#endpoints.runtime(endpoint).pause();
  }
  // deno-lint-ignore require-await -- async, so that an unknown endpoint rejects
  async resume(endpoint: string): Promise<void> {
    this.#endpoints.runtime(endpoint).resume();
  }
  async counts(endpoint: string): Promise<Counts> {
    return await this.#life.counts(endpoint);
  }
  statistics(endpoint: string): EndpointStatistics {
    return this.#endpoints.runtime(endpoint).services.statistics.snapshot();
  }
  errors(endpoint: string): ErrorQueue {
    return this.#aside(endpoint, "_error", "errors");
  }
  skipped(endpoint: string): ErrorQueue {
    return this.#aside(endpoint, "_skipped", "skipped");
  }
  #aside(endpoint: string, suffix: "_error" | "_skipped", call: "errors" | "skipped"): ErrorQueue {
    this.#endpoints.known(endpoint);
    const { routing, transport, services } = this.#core;
    // Of an endpoint with a queue of its own in each process, it is this one's that failures go back to.
    const own = this.#endpoints.addressOf(endpoint) ?? routing.queue(endpoint);
    const addresses = { aside: routing.queue(endpoint, suffix), endpoint: own };
    const { serializers, clock } = services;
    return new EndpointErrorQueue(
      transport,
      addresses,
      serializers,
      `bus.${call}("${endpoint}")`,
      () => clock.now(),
      () => this.#life.reach(),
    );
  }
  sagas<S extends Shape>(saga: Saga<S>): SagaInstances<S> {
    this.#life.check("ask for instances of a saga");
    return sagaInstances(saga, this.#core, this.#endpoints, (endpoint) => this.errors(endpoint));
  }
  parked(): ParkedMessages {
    return new StoreParkedMessages(this.#core.storage, () => this.#life.reachStore());
  }
  describe(): Description {
    return describeBus(this.#core, this.#endpoints.plan(this.#core));
  }
  get #forgotten(): Forgotten {
    const { sagas, outboxes, lasting } = this.#endpoints;
    const { brokerLasts, storeOutlastsQueues } = this.#core;
    return {
      sagas: brokerLasts ? sagas : [],
      outboxes: brokerLasts ? outboxes : [],
      queues: storeOutlastsQueues ? lasting : [],
    };
  }
  health(): Health {
    return healthOf(
      this.#life.running,
      [`transport ${this.#core.transport.name}`, this.#life.transportStatus, this.#core.transport.counts],
      this.#core.storage,
      this.#endpoints.running,
      this.#forgotten,
      this.#core.services.clock.now(),
    );
  }
  async deploy(mode: DeployMode): Promise<readonly Change[]> {
    this.#life.checkNotStopped("deploy");
    if (!deployModes.includes(mode)) {
      throw new ConfigurationError(
        `Cannot deploy ${shown(mode)} on the bus "${this.name}": say "plan", "check" or "apply"`,
      );
    }
    const { registry, routing, transport } = this.#core;
    const plans = this.#endpoints.plan(this.#core);
    await this.#life.openTransport();
    const topology = topologyOf(plans, registry, routing, transport.capabilities);
    return [...await this.#core.deploy(topology, mode), ...await this.#core.deployStore(mode)];
  }
}
