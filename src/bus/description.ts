/** A bus as plain data. @module */
import type { Contract } from "../contracts/contract.ts";
import type { Definition } from "../contracts/definition.ts";
import { checkBatchOptions, type CheckedBatchOptions } from "../pipeline/batch.ts";
import { describeRetry } from "../pipeline/retry.ts";
import type { Routing } from "../pipeline/routing.ts";
import { type BusCore, defaultSendBuffer } from "./bus_core.ts";
import type {
  BusSettingsDescription,
  ConsumerDescription,
  ContractDescription,
  Description,
  EndpointDescription,
} from "./control.ts";
import { type Declared, isSubscribed } from "./endpoint.ts";
import { type EndpointPlan, nameOf } from "./endpoint_plan.ts";
import { topologyOf } from "./topology.ts";

/** Describes a bus. */
export function describeBus(core: BusCore, plans: readonly EndpointPlan[]): Description {
  const { registry, routing, transport } = core;
  const known = [...registry.all()];
  const { queues, topics, bindings } = topologyOf(plans, registry, routing, transport.capabilities);
  return {
    bus: core.name,
    transport: transport.name,
    store: core.storage?.store.name ?? "memory",
    settings: describeSettings(core),
    endpoints: plans.map((plan) => describeEndpoint(plan, routing)),
    sendStages: [...core.sendMiddleware.map(nameOf), ...core.services.transforms.map(({ name }) => name)],
    contracts: known.map((definition) => describeContract(definition, routing)),
    routes: known.filter(({ kind }) => kind !== "event").map((definition) => ({
      contract: definition.name,
      version: definition.version,
      ...routing.destination(definition),
    })),
    topology: {
      queues: queues.map(({ name }) => `queue:${name}`),
      topics: topics.map(({ name }) => `topic:${name}`),
      bindings: bindings.map(({ topic, to }) => ({ from: `topic:${topic}`, to })),
    },
  };
}

function describeSettings({ options, services }: BusCore): BusSettingsDescription {
  const { prefix = "", deploy = "apply", sendBuffer = defaultSendBuffer, routes = {}, naming = {}, host = {} } =
    options;
  const { serializers } = services;
  const routed: readonly (readonly [string, readonly Contract[]])[] = Object.entries(routes);
  return {
    prefix,
    deploy,
    sendBuffer,
    writes: serializers.default.contentType,
    reads: serializers.contentTypes,
    routes: Object.fromEntries(routed.map(([address, contracts]) => [address, contracts.map(({ name }) => name)])),
    naming: plainRecord(naming),
    telemetry: options.telemetry !== undefined,
    host: plainRecord(host),
    replaced: (["clock", "newId", "random"] as const).filter((each) => options[each] !== undefined),
  };
}

/** One for each that was added, though a saga declares many. */
function describeConsumers({ name, declared }: EndpointPlan): readonly ConsumerDescription[] {
  const parts = Map.groupBy(declared, ({ consumer }) => consumer);
  return [...parts].map(([consumer, parts]) => {
    const [batch] = parts.flatMap((each) => each.batch ?? []);
    return {
      name: consumer.name,
      kind: consumer.kind,
      contracts: contractsOf(parts),
      ...(batch === undefined ? {} : { batch: describeBatch(checkBatchOptions(batch.options, name)) }),
    };
  });
}

function describeBatch(
  { size, withinInMs, by, alone }: CheckedBatchOptions,
): NonNullable<ConsumerDescription["batch"]> {
  return { size, withinInMs, ...(by === undefined ? {} : { by: functionName(by) }), alone };
}

function contractsOf(declared: readonly Declared[]): EndpointDescription["contracts"] {
  return declared.filter(isSubscribed).map(({ definition: { name, version } }) => ({ name, version }));
}

function describeEndpoint(plan: EndpointPlan, routing: Routing): EndpointDescription {
  const { concurrency: _, prefetch: __, retry, ...others } = plan.options;
  return {
    name: plan.name,
    address: routing.queue(plan.name),
    contracts: contractsOf(plan.declared),
    consumers: describeConsumers(plan),
    concurrency: plan.concurrency,
    prefetch: plan.prefetch,
    stages: plan.stages,
    sendMiddleware: plan.sendMiddleware,
    settings: { ...(retry === undefined ? {} : { retry: describeRetry(retry) }), ...plainRecord(others) },
  };
}

function plainRecord(record: object): Readonly<Record<string, unknown>> {
  const said = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said.map(([key, value]) => [key, plain(value)]));
}

/** Options are data and functions: error classes, rules. */
function plain(value: unknown): unknown {
  if (typeof value === "function") return functionName(value);
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "object" && value !== null ? plainRecord(value) : value;
}

function functionName({ name }: { readonly name: string }): string {
  return name === "" ? "a function" : name;
}

function describeContract(definition: Definition, routing: Routing): ContractDescription {
  const bases: string[] = [];
  for (let base = definition.base; base !== undefined; base = base.base) bases.push(base.name);
  const { kind, name, version } = definition;
  return { kind, name, version, bases, topic: routing.topic(definition) };
}
