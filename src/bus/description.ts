/** A bus as plain data. @module */
import type { Definition } from "../contracts/definition.ts";
import { describeRetry } from "../pipeline/retry.ts";
import type { Routing } from "../pipeline/routing.ts";
import type { BusCore } from "./bus_core.ts";
import type { ContractDescription, Description, EndpointDescription } from "./control.ts";
import { isSubscribed } from "./endpoint.ts";
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

function describeEndpoint(plan: EndpointPlan, routing: Routing): EndpointDescription {
  const { concurrency: _, prefetch: __, retry, ...others } = plan.options;
  return {
    name: plan.name,
    address: routing.queue(plan.name),
    contracts: plan.declared.filter(isSubscribed).map(({ definition: { name, version } }) => ({ name, version })),
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
  if (typeof value === "function") return value.name === "" ? "a function" : value.name;
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "object" && value !== null ? plainRecord(value) : value;
}

function describeContract(definition: Definition, routing: Routing): ContractDescription {
  const bases: string[] = [];
  for (let base = definition.base; base !== undefined; base = base.base) bases.push(base.name);
  const { kind, name, version } = definition;
  return { kind, name, version, bases, topic: routing.topic(definition) };
}
