/** The queues, topics and bindings that a bus needs. @module */
import type { Definition } from "../contracts/definition.ts";
import { faultDefinition } from "../contracts/fault.ts";
import type { Registry } from "../contracts/registry.ts";
import type { Routing } from "../pipeline/routing.ts";
import type { Address, Capabilities, Entity, Topology } from "../spi/transport.ts";
import { queueName, topicName } from "../values/destination.ts";
import { isSubscribed } from "./endpoint.ts";
import type { EndpointPlan } from "./endpoint_plan.ts";

/**
 * The names of the topics of what an endpoint handles; none where it does not subscribe. Where the broker has no
 * hierarchy, senders send a message to the topics of its bases, too: an endpoint that has one of those takes it there,
 * else it would come twice.
 */
export function topicsOf(plan: EndpointPlan, routing: Routing, { hierarchy }: Capabilities): readonly string[] {
  if (plan.options.subscribe === false) return [];
  const declared = plan.declared.filter(isSubscribed);
  const all = new Set(declared.map(({ definition }) => nameOf(routing.topic(definition))));
  if (hierarchy) return [...all];
  const topics = new Set<string>();
  for (const { definition } of declared) {
    if (!comesByBase(definition, routing, all)) topics.add(nameOf(routing.topic(definition)));
  }
  return [...topics];
}

function comesByBase(definition: Definition, routing: Routing, topics: ReadonlySet<string>): boolean {
  for (let base = definition.base; base !== undefined; base = base.base) {
    const topic = routing.topic(base);
    if (topic !== routing.topic(definition) && topics.has(nameOf(topic))) return true;
  }
  return false;
}

/** Everything that the endpoints and contracts of a bus need at the broker. */
export function topologyOf(
  plans: readonly EndpointPlan[],
  registry: Registry,
  routing: Routing,
  capabilities: Capabilities,
): Topology {
  const queues = new Map<string, Entity>();
  const topics = new Map<string, Entity>();
  const bindings = new Map<string, { readonly topic: string; readonly to: Address }>();
  const bind = (topic: string, to: Address) => void bindings.set(`${topic} ${to}`, { topic, to });
  const queue = (address: Address, plan?: EndpointPlan) =>
    void queues.set(nameOf(address), {
      name: nameOf(address),
      extensions: [...routing.extensions, ...plan?.options.extensions ?? []],
      ...(plan?.ordered === true ? { ordered: true } : {}),
    });
  for (const plan of plans) {
    const own = topicsOf(plan, routing, capabilities);
    if (plan.options.queue !== "instance") {
      queue(routing.queue(plan.name), plan);
      for (const topic of own) bind(topic, routing.queue(plan.name));
    }
    if (plan.options.keepFailed !== false) {
      queue(routing.queue(plan.name, "_error"));
      queue(routing.queue(plan.name, "_skipped"));
    }
    if (plan.options.audit !== undefined) queue(routing.named(plan.options.audit));
  }
  for (const definition of registry.all()) addContract(definition, routing, capabilities, topics, bind);
  for (const { topic } of bindings.values()) if (!topics.has(topic)) topics.set(topic, { name: topic, extensions: [] });
  return {
    queues: [...queues.values()],
    topics: [...topics.values()],
    bindings: [...bindings.values()],
  };
}

/** What one contract needs, with its faults: a bus that learns of it later. */
export function topologyOfContract(definition: Definition, routing: Routing, capabilities: Capabilities): Topology {
  const topics = new Map<string, Entity>();
  const bindings: { readonly topic: string; readonly to: Address }[] = [];
  addContract(definition, routing, capabilities, topics, (topic, to) => void bindings.push({ topic, to }));
  return { queues: [], topics: [...topics.values()], bindings };
}

function addContract(
  definition: Definition,
  routing: Routing,
  capabilities: Capabilities,
  topics: Map<string, Entity>,
  bind: (topic: string, to: Address) => void,
): void {
  const related = definition.faultOf === undefined ? [definition, faultDefinition(definition)] : [definition];
  for (const first of related) {
    for (let at: Definition | undefined = first; at !== undefined; at = at.base) {
      const topic = nameOf(routing.topic(at));
      // Several contracts may be routed to one topic: what any says of it counts.
      const before = topics.get(topic);
      topics.set(topic, {
        name: topic,
        extensions: [...new Set([...before?.extensions ?? [], ...at.extensions])],
        ...(at.kind !== "event" && (before === undefined || before.owned === true) ? { owned: true } : {}),
      });
      if (at.base === undefined || !capabilities.hierarchy) continue;
      const base = routing.topic(at.base);
      // Both may be routed to one topic.
      if (nameOf(base) !== topic) bind(topic, base);
    }
  }
}

function nameOf(address: Address): string {
  return queueName(address) ?? topicName(address) ?? address;
}
