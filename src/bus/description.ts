/** A bus as plain data. @module */
import type { Definition } from "../contracts/definition.ts";
import type { Registry } from "../contracts/registry.ts";
import type { Routing } from "../pipeline/routing.ts";
import type { ContractDescription, Description } from "./control.ts";
import type { EndpointPlan } from "./endpoint_plan.ts";

/** Describes a bus. */
export function describeBus(
  bus: { readonly name: string; readonly transport: string; readonly store: string },
  plans: readonly EndpointPlan[],
  registry: Registry,
  routing: Routing,
): Description {
  const known = [...registry.all()];
  return {
    bus: bus.name,
    transport: bus.transport,
    store: bus.store,
    endpoints: plans.map((plan) => ({
      name: plan.name,
      address: routing.queue(plan.name),
      contracts: plan.declared.map(({ definition: { name, version } }) => ({ name, version })),
      concurrency: plan.concurrency,
      prefetch: plan.prefetch,
      stages: plan.stages,
    })),
    contracts: known.map((definition) => describeContract(definition, routing)),
    routes: known.filter(({ kind }) => kind !== "event").map((definition) => ({
      contract: definition.name,
      version: definition.version,
      ...routing.destination(definition),
    })),
  };
}

function describeContract(definition: Definition, routing: Routing): ContractDescription {
  const bases: string[] = [];
  for (let base = definition.base; base !== undefined; base = base.base) bases.push(base.name);
  const { kind, name, version } = definition;
  return { kind, name, version, bases, topic: routing.topic(definition) };
}
