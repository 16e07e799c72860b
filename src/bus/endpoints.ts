/** The endpoints of one bus. @module */
import type { Definition } from "../contracts/definition.ts";
import {
  ConfigurationError,
  DuplicateContractError,
  DuplicateOwnerError,
  InvalidNameError,
  UnknownEndpointError,
  UnsupportedError,
} from "../errors/configuration.ts";
import { NotStartedError } from "../errors/lifecycle.ts";
import type { Middleware } from "../pipeline/context.ts";
import type { EndpointServices } from "../pipeline/endpoint_services.ts";
import { typesByTopic } from "../pipeline/stages/reading.ts";
import { SharedLook } from "../pipeline/shared_look.ts";
import { Statistics } from "../pipeline/statistics.ts";
import type { Address, Source } from "../spi/transport.ts";
import { checkName, isDestination, queueName } from "../values/destination.ts";
import type { BusCore } from "./bus_core.ts";
import type { Runnable } from "../pipeline/consumer.ts";
import type { SagaDefinition } from "../sagas/definition.ts";
import { type Declared, EndpointBuilder, isSubscribed } from "./endpoint.ts";
import { type EndpointOptions, isStored } from "./endpoint_options.ts";
import { type EndpointPlan, planEndpoint } from "./endpoint_plan.ts";
import { EndpointRuntime } from "./endpoint_runtime.ts";
import { checkQueues } from "./queue_checks.ts";
import { topicsOf } from "./topology.ts";

/** The endpoints of one bus: those that were declared, and those that run. */
export class Endpoints {
  readonly #builders = new Map<string, EndpointBuilder>();
  readonly #runtimes = new Map<string, EndpointRuntime>();
  readonly #middleware: readonly Middleware[];
  #plans: Map<string, EndpointPlan> | undefined;
  /** By contract; made anew when it is asked for after endpoints have come or gone. */
  #owners: Map<string, EndpointPlan> | undefined;

  /** @param middleware the bus' own, read when endpoints are planned */
  constructor(middleware: readonly Middleware[]) {
    this.#middleware = middleware;
  }

  /** Those that run. */
  get running(): readonly EndpointRuntime[] {
    return [...this.#runtimes.values()];
  }
  /** Those that have been planned: at start, or by `describe` or `deploy` before. */
  get plans(): readonly EndpointPlan[] {
    return [...this.#plans?.values() ?? []];
  }
  /** The names of all. */
  get names(): readonly string[] {
    return [...this.#builders.keys()];
  }

  /**
   * Declares an endpoint.
   *
   * @param instead what to do where there is one
   * @throws {InvalidNameError} if it cannot be so called, {@linkcode ConfigurationError} if there is one of that name
   */
  declare(
    name: string,
    options: EndpointOptions,
    bus: string,
    instead = "Add to that one, or choose another name",
  ): EndpointBuilder {
    checkName("an endpoint", name);
    if (isDestination(name)) {
      throw new InvalidNameError("an endpoint", name, "that is an address. Leave out what is before its first colon");
    }
    if (this.#builders.has(name)) {
      throw new ConfigurationError(
        `The bus "${bus}" has an endpoint "${name}" already. ${instead}`,
      );
    }
    const builder = new EndpointBuilder(name, options, bus);
    this.#builders.set(name, builder);
    return builder;
  }

  /** The names of those whose queues are to outlive a process. */
  get lasting(): readonly string[] {
    return [...this.#builders.values()].filter(({ options }) => options.queue !== "instance").map(({ name }) => name);
  }
  /** The names of all sagas. */
  get sagas(): readonly string[] {
    return [...this.#builders.values()].flatMap(({ sagas }) => sagas.map(({ name }) => name));
  }
  /** The names of those whose messages are handled in units of work. */
  get outboxes(): readonly string[] {
    return [...this.#builders.values()].filter(({ options }) => isStored(options)).map(({ name }) => name);
  }
  /** The endpoint of a saga; `undefined`: it is on none. */
  ofSaga(saga: SagaDefinition): string | undefined {
    return [...this.#builders.values()].find(({ sagas }) => sagas.includes(saga))?.name;
  }

  /** Whose endpoint a command's or query's is: it must be one. */
  owner(definition: Definition): EndpointPlan | undefined {
    this.#owners ??= new Map(
      this.plans.filter(({ options }) => options.subscribe !== false)
        .flatMap((plan) => plan.declared.filter(isSubscribed).map((each) => [each.definition.name, plan] as const)),
    );
    return this.#owners.get(definition.name);
  }

  /**
   * Plans all endpoints; again, if nothing runs yet.
   *
   * @throws {DuplicateOwnerError} if two handle one command or query; and for options that cannot work
   */
  plan(core: BusCore): readonly EndpointPlan[] {
    if (this.#runtimes.size > 0) return this.plans;
    const owners: Owners = new Map();
    this.#checkSagas();
    for (const builder of this.#builders.values()) checkOwners(builder, owners);
    for (const { declared } of this.#builders.values()) {
      for (const definition of knownBy(declared)) core.registry.add(definition);
    }
    const plans = [...this.#builders.values()].map((builder) => this.#planOne(builder, core));
    checkQueues(plans, core.routing);
    this.#plans = new Map(plans.map((plan) => [plan.name, plan]));
    this.#owners = undefined;
    return plans;
  }

  /** Plans one more, while the others run. */
  planMore(builder: EndpointBuilder, core: BusCore): EndpointPlan {
    const owners: Owners = new Map();
    this.#checkSagas();
    for (const each of this.#builders.values()) checkOwners(each, owners);
    for (const definition of knownBy(builder.declared)) core.registry.add(definition);
    core.onIntroduced();
    const plan = this.#planOne(builder, core);
    checkQueues([...this.plans, plan], core.routing);
    (this.#plans ??= new Map()).set(plan.name, plan);
    this.#owners = undefined;
    return plan;
  }

  #checkSagas(): void {
    const found = new Map<string, string>();
    for (const { name, sagas } of this.#builders.values()) for (const saga of sagas) checkSagaOnce(saga, name, found);
  }

  #planOne(builder: EndpointBuilder, core: BusCore): EndpointPlan {
    return planEndpoint(builder, this.#middleware, core.services, core.transport, () => core.needStorage());
  }

  /** What was declared is final. */
  seal(): void {
    for (const builder of this.#builders.values()) builder.seal();
  }

  /** Opens an endpoint's queue. */
  async open(plan: EndpointPlan, core: BusCore): Promise<EndpointRuntime> {
    const builder = this.#builders.get(plan.name);
    const { queue, services } = this.#servicesOf(plan, core, builder);
    const source: Source = {
      queue,
      topics: topicsOf(plan, core.routing, core.transport.capabilities),
      lifetime: plan.options.queue === "instance" ? "instance" : "durable",
      credit: plan.prefetch,
      // What waits in a batch for others is none of these.
      ...plan.collectors.length === 0 ? { concurrency: plan.concurrency } : {},
      ordered: plan.ordered,
      holdMs: plan.holdMs,
      extensions: [...core.routing.extensions, ...plan.options.extensions ?? []],
    };
    const runtime = new EndpointRuntime(plan, services, source);
    this.#runtimes.set(plan.name, runtime);
    try {
      await runtime.open(core.transport);
    } catch (error) {
      this.#runtimes.delete(plan.name);
      throw error;
    }
    return runtime;
  }

  #servicesOf(plan: EndpointPlan, core: BusCore, builder: EndpointBuilder | undefined): {
    readonly queue: string;
    readonly services: EndpointServices;
  } {
    const shared = core.routing.queue(plan.name);
    const address = plan.options.queue === "instance" ? `${shared}-${core.services.newId()}` : shared;
    return {
      queue: queueName(address) ?? address,
      services: {
        ...core.services,
        outbound: core.inside,
        name: plan.name,
        address,
        concurrency: plan.concurrency,
        keepsFailed: plan.options.keepFailed ?? true,
        ordered: plan.ordered,
        inboxWindowMs: plan.inboxWindowMs,
        look: new SharedLook(core.services.clock),
        overtaking: plan.options.overtaking === "allowed",
        sendMiddleware: builder?.sendMiddleware ?? [],
        settling: { receiver: undefined },
        bindings: plan.bindings,
        typeByTopic: typesByTopic(
          plan.declared.filter(isSubscribed).map(({ definition }) => definition),
          (each) => core.routing.topic(each),
        ),
        statistics: new Statistics(),
      },
    };
  }

  /** Takes one off the bus. */
  remove(name: string): void {
    this.#builders.delete(name);
    this.#plans?.delete(name);
    this.#owners = undefined;
    this.#runtimes.delete(name);
  }

  /** @throws {UnknownEndpointError} if there is none */
  known(name: string): void {
    if (!this.#builders.has(name)) throw new UnknownEndpointError(name, this.names);
  }

  /** @throws {UnknownEndpointError} if there is none, {@linkcode NotStartedError} if it does not run yet */
  runtime(name: string): EndpointRuntime {
    const runtime = this.#runtimes.get(name);
    if (runtime !== undefined) return runtime;
    const builder = this.#builders.get(name);
    if (builder === undefined) throw new UnknownEndpointError(name, this.names);
    throw new NotStartedError(builder.bus, `ask for the endpoint "${name}"`);
  }

  /** Of the queue of one that runs. */
  addressOf(name: string): Address | undefined {
    return this.#runtimes.get(name)?.services.address;
  }

  /** What was learnt about types is forgotten: the bus knows more contracts by now. */
  forget(): void {
    for (const { plan } of this.#runtimes.values()) plan.bindings.forget();
  }
}

/** An endpoint that does not subscribe gets only what is sent to its queue: it owns nothing. */
function checkOwners({ name, declared, options }: EndpointBuilder, owners: Owners): void {
  if (options.subscribe === false) return;
  for (const { definition } of declared.filter(isSubscribed)) {
    if (definition.kind === "event") continue;
    const other = owners.get(definition.name);
    if (other !== undefined && other.endpoint !== name) {
      // Who wrote two contracts under one name is helped by that, not by talk of owners.
      if (other.definition !== definition && other.definition.version === definition.version) {
        throw new DuplicateContractError(definition.name, definition.version);
      }
      throw new DuplicateOwnerError(definition.name, [other.endpoint, name]);
    }
    owners.set(definition.name, { endpoint: name, definition });
  }
}

/**
 * Refuses a saga that would run twice.
 *
 * @param found the endpoints of sagas, by their names
 * @throws {ConfigurationError}
 */
function checkSagaOnce(saga: SagaDefinition, endpoint: string, found: Map<string, string>): void {
  const other = found.get(saga.name);
  if (other !== undefined) {
    throw new ConfigurationError(
      `Cannot run "${saga.name}" on "${endpoint}": a saga of that name is on "${other}". ` +
        `Its instances have one endpoint; add it once, or name one of the two differently`,
    );
  }
  found.set(saga.name, endpoint);
}

/** The contracts of an endpoint that have topics. */
function knownBy(declared: readonly Declared[]): readonly Definition[] {
  return declared.flatMap((each) => [...isSubscribed(each) ? [each.definition] : [], ...each.part?.publishes ?? []]);
}

/** By the name of what is owned. */
type Owners = Map<string, { readonly endpoint: string; readonly definition: Definition }>;

/**
 * The name of the endpoint that the bus makes for a runnable: its own, else its contract's; of an event, with the bus's
 * in front, as two applications that subscribe must not compete for one queue.
 */
export function endpointNameOf(runnable: Runnable, bus: string): string {
  if (runnable.runs !== "on one endpoint") {
    throw new UnsupportedError("the bus", `"${runnable.name}", which has endpoints of its own`, `Add a consumer`);
  }
  const [contract] = runnable.contracts;
  return runnable.named === "by its contract" && contract?.kind === "event" ? `${bus}-${runnable.name}` : runnable.name;
}
