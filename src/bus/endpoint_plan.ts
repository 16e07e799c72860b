/** An endpoint's options, checked, and its pipeline, put together. @module */
import { ConfigurationError, UnsupportedError } from "../errors/configuration.ts";
import { StoreBatchUnits } from "../outbox/batch_units.ts";
import { type Foresee, foreseeing } from "../outbox/foresight.ts";
import { groupedUnits } from "../outbox/group_stage.ts";
import type { Storage } from "../outbox/storage.ts";
import { unitOfWork } from "../outbox/unit_stage.ts";
import { tellCaller } from "../sagas/runtime/callers.ts";
import { tellCompensationFailed } from "../sagas/runtime/compensation_failed.ts";
import type { SagaPart } from "../sagas/runtime/part.ts";
import { lookedUp, oneAtATime, type SagaParts } from "../sagas/runtime/stages.ts";
import { batchHandlerWithin } from "../pipeline/around_batches.ts";
import { BatchCollector, type BatchUnits, checkBatchOptions } from "../pipeline/batch.ts";
import { type Binding, Bindings } from "../pipeline/bindings.ts";
import { createCircuitBreaker } from "../pipeline/circuit_breaker.ts";
import { ConsumePipeline, stepsBefore } from "../pipeline/consume_pipeline.ts";
import type { ConsumeContext, Middleware, SendMiddleware } from "../pipeline/context.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import type { Gate } from "../pipeline/gate.ts";
import { createKillSwitch } from "../pipeline/kill_switch.ts";
import { around as withMiddleware } from "../pipeline/middleware.ts";
import { createRateLimit } from "../pipeline/rate_limit.ts";
import { byPolicies, byRule, type Decide } from "../pipeline/recovery.ts";
import type { Stage } from "../pipeline/stage.ts";
import { handling } from "../pipeline/stages/handling.ts";
import { memoryOutbox } from "../pipeline/stages/memory_outbox.ts";
import { inSpan } from "../pipeline/stages/telemetry.ts";
import { timeout } from "../pipeline/stages/timeout.ts";
import { TimeLimit } from "../pipeline/time_limit.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Clock } from "../spi/clock.ts";
import type { Capabilities } from "../spi/transport.ts";
import { milliseconds } from "../values/duration.ts";
import type { Declared, EndpointBuilder } from "./endpoint.ts";
import { checkLookUps, checkOptions } from "./endpoint_checks.ts";
import { type EndpointOptions, inboxWindowOf, isStored } from "./endpoint_options.ts";

const defaultConcurrency = 16;
const prefetchPerSlot = 4;
const defaultHoldInMs = 5 * 60_000;

/** What an endpoint needs before it can open its queue. */
export interface EndpointPlan {
  readonly name: string;
  readonly options: EndpointOptions;
  readonly concurrency: number;
  readonly prefetch: number;
  readonly holdMs: number;
  readonly ordered: boolean;
  readonly inboxWindowMs: number;
  readonly bindings: Bindings;
  readonly declared: readonly Declared[];
  readonly collectors: readonly BatchCollector[];
  readonly pipeline: ConsumePipeline;
  /** Told of deliveries that wait for their turn; `undefined`: nobody wants to know. */
  readonly foresee: Foresee | undefined;
  /** In the order in which a message passes them. */
  readonly stages: readonly string[];
  /** Around what its handlers send, in order. */
  readonly sendMiddleware: readonly string[];
  /** Made when the endpoint opens; `changed` is called when one may have opened. */
  gates(clock: Clock, changed: () => void): readonly Gate[];
}

/**
 * Checks an endpoint's options and puts its pipeline together.
 *
 * @throws {ConfigurationError} if they cannot work, or the transport lacks what they ask for
 */
export function planEndpoint(
  builder: EndpointBuilder,
  busMiddleware: readonly Middleware[],
  services: BusServices,
  transport: { readonly name: string; readonly capabilities: Capabilities },
  storage: () => Storage,
): EndpointPlan {
  const { name, options, declared } = builder;
  checkOptions(builder, transport);
  const middleware = [...busMiddleware, ...builder.middleware];
  const limit = limitOf(builder, services.clock);
  const collectors: BatchCollector[] = [];
  const batchUnits = isStored(options) ? batchUnitsOf(builder, storage()) : undefined;
  const bound = declared.map((each) => bind(each, name, middleware, collectors, limit, batchUnits));
  const bindings = new Bindings(bound, services.registry);
  const parts = new Map(declared.flatMap(({ part }, at): [Binding, SagaPart][] => {
    const binding = bound[at];
    return part === undefined || binding === undefined ? [] : [[binding, part]];
  }));
  const sizes = declared.flatMap(({ batch }) =>
    batch === undefined ? [] : [checkBatchOptions(batch.options, name).size]
  );
  const concurrency = options.concurrency ?? defaultConcurrency;
  const prefetch = options.prefetch ?? Math.max(concurrency * prefetchPerSlot, ...sizes.map((size) => size * 2));
  if (sizes.some((size) => size > prefetch)) {
    throw new ConfigurationError(
      `A batch of "${name}" takes ${
        Math.max(...sizes)
      } messages, and only ${prefetch} may come at once. Raise { prefetch }`,
    );
  }
  checkLookUps(parts, name, storage);
  const around = stagesAround(options, limit, storage, parts);
  return {
    name,
    options,
    concurrency,
    prefetch,
    holdMs: Math.max(milliseconds(options.hold ?? defaultHoldInMs), milliseconds(options.timeout ?? 0)),
    ordered: options.order === "key",
    inboxWindowMs: inboxWindowOf(options, name),
    bindings,
    declared,
    collectors,
    pipeline: new ConsumePipeline({
      keepExpired: options.expired === "error",
      around,
      handle: services.telemetry === undefined ? handling : inSpan(handling),
      decide: decideBy(options),
      publishFaults: options.publishFaults ?? true,
      tellMore: builder.sagas.length > 0 ? tellOfSagas : undefined,
      auditTo: options.audit === undefined ? undefined : services.routing.named(options.audit),
    }),
    foresee: isStored(options) ? foreseeing(name, storage()) : undefined,
    stages: [
      ...gateNames(options),
      ...stepsBefore.filter((step) => step !== "telemetry" || services.telemetry !== undefined)
        .flatMap((step) =>
          step === "decode" ? [...services.transforms.map(({ name }) => name).toReversed(), step] : [step]
        ),
      "recovery",
      ...around.map(({ name }) => name),
      ...middleware.map(nameOf),
      "handlers",
    ],
    sendMiddleware: builder.sendMiddleware.map(nameOf),
    gates: (clock, changed) => gatesOf(options, clock, changed),
  };
}

function unitStage({ outbox }: EndpointOptions, storage: Storage): Stage {
  const group = typeof outbox === "object" ? outbox.group ?? 1 : 1;
  if (group === 1) return unitOfWork(storage);
  const { name, capabilities } = storage.store;
  if (capabilities.atomic === "database" && group <= capabilities.maxOperations) return groupedUnits(storage, group);
  throw new UnsupportedError(name, `{ outbox: { group: ${group} } }`, `Say { outbox: true }, or a smaller group`);
}

function stagesAround(
  options: EndpointOptions,
  limit: TimeLimit | undefined,
  storage: () => Storage,
  parts: SagaParts,
): readonly Stage[] {
  return [
    ...(parts.size > 0 ? [oneAtATime(parts)] : []),
    ...(isStored(options) ? [unitStage(options, storage())] : []),
    ...(parts.size > 0 && !isStored(options) ? [unitOfWork(storage(), "stateful")] : []),
    ...(parts.size > 0 ? [lookedUp(parts)] : []),
    ...(options.outbox === "memory" ? [memoryOutbox] : []),
    ...(limit === undefined ? [] : [timeout(limit)]),
  ];
}

function batchUnitsOf({ name, declared }: EndpointBuilder, storage: Storage): BatchUnits | undefined {
  if (declared.every(({ batch }) => batch === undefined)) return undefined;
  const { store } = storage;
  const { atomic, maxOperations } = store.capabilities;
  const tooLarge = declared.find(({ batch }) =>
    batch !== undefined && checkBatchOptions(batch.options, name).size > maxOperations
  );
  if (tooLarge !== undefined) {
    throw new UnsupportedError(
      store.name,
      `batches of more than ${maxOperations} messages of "${tooLarge.definition.name}" in a unit of work, on "${name}"`,
      `Give a smaller { size }`,
    );
  }
  if (atomic === "database") return new StoreBatchUnits(storage);
  throw new UnsupportedError(
    store.name,
    `batches in a unit of work, on "${name}"`,
    `Handle messages one by one there: what it writes together is of one`,
  );
}

function limitOf({ name, options }: EndpointBuilder, clock: Clock): TimeLimit | undefined {
  if (options.timeout === undefined) return undefined;
  return new TimeLimit(milliseconds(options.timeout), clock, name);
}

/** Also without any policy: a failure must not leave standing what the handler asked for, as in `ctx.defer`. */
function decideBy({ recoverability, retry, redeliver }: EndpointOptions): Decide {
  if (recoverability !== undefined) return byRule(recoverability);
  return byPolicies(retry, (redeliver ?? []).map((each) => milliseconds(each)));
}

/** As `bus.describe()` lists it. */
export function nameOf(middleware: Middleware | SendMiddleware, index: number): string {
  return `middleware ${middleware.name === "" ? index + 1 : middleware.name}`;
}

function bind(
  { definition, handler, batch, part }: Declared,
  endpoint: string,
  middleware: readonly Middleware[],
  collectors: BatchCollector[],
  limit: TimeLimit | undefined,
  units: BatchUnits | undefined,
): Binding {
  let innermost: (context: ConsumeContext) => unknown = handler;
  if (batch !== undefined) {
    const within = batchHandlerWithin(middleware, batch.handler);
    const collector = new BatchCollector(checkBatchOptions(batch.options, endpoint), within, limit, units);
    collectors.push(collector);
    innermost = (context) => collector.collect(context);
  }
  return {
    definition,
    run: withMiddleware(middleware, innermost),
    batched: batch !== undefined,
    stateful: part !== undefined,
    instances: part === undefined ? undefined : instancesFor(part),
  };
}

/** What is loaded with a lock is loaded in a transaction: nothing of it is known before. */
function instancesFor({ saga: { name, concurrency }, ids }: SagaPart): Binding["instances"] {
  return concurrency === "pessimistic" ? undefined : (message) => ids(message).map((id) => ({ saga: name, id }));
}

async function tellOfSagas(consumption: Consumption, error: Error): Promise<void> {
  await tellCaller(consumption, error);
  await tellCompensationFailed(consumption, error);
}

function gatesOf(options: EndpointOptions, clock: Clock, changed: () => void): readonly Gate[] {
  const { killSwitch, circuitBreaker, rateLimit } = options;
  return [
    ...(killSwitch === undefined ? [] : [createKillSwitch(killSwitch, clock, changed)]),
    ...(circuitBreaker === undefined ? [] : [createCircuitBreaker(circuitBreaker, clock, changed)]),
    ...(rateLimit === undefined ? [] : [createRateLimit(rateLimit, clock, changed)]),
  ];
}

function gateNames({ killSwitch, circuitBreaker, rateLimit }: EndpointOptions): readonly string[] {
  return [
    ...(killSwitch === undefined ? [] : ["kill switch"]),
    ...(circuitBreaker === undefined ? [] : ["circuit breaker"]),
    ...(rateLimit === undefined ? [] : ["rate limit"]),
    "concurrency and order",
  ];
}
