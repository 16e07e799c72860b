/** What is known about sending a contract before the first message. @module */
import type { Definition } from "../contracts/definition.ts";
import { type Reader, validator } from "../contracts/reading.ts";
import { messageType } from "../envelope/message_type.ts";
import type { Address, Capabilities } from "../spi/transport.ts";
import type { Routed } from "./outgoing_message.ts";
import type { Routing } from "./routing.ts";

/** What is known about sending a contract before the first message. */
export interface SendPlan extends Routed {
  readonly definition: Definition;
  /** The `hero-type` header. */
  readonly type: string;
  readonly to: Address;
  /** The topics of its bases, where the broker does not forward to them. */
  readonly alsoTo: readonly Address[];
  /** The same for a message that goes elsewhere: a reply, or one with a `to` of its own. */
  readonly alone: Routed;
  readonly validate: Reader | undefined;
  readonly priority: number | undefined;
  /** Resolves when the contract's topic is there; `undefined` once it is. */
  ready: Promise<void> | undefined;
}

const none: readonly Address[] = Object.freeze([]);

/** Plans how a contract is sent. */
export function planSend(definition: Definition, routing: Routing, capabilities: Capabilities): SendPlan {
  const { to } = routing.destination(definition);
  return {
    definition,
    type: messageType(definition),
    to,
    alsoTo: capabilities.hierarchy || to.startsWith("queue:") ? none : baseTopics(definition, routing, to),
    alone: { definition, alsoTo: none },
    validate: validator(definition, "send"),
    priority: levelOf(definition.priority, capabilities),
    ready: undefined,
  };
}

/** Each once: several contracts may be routed to one topic. */
function baseTopics(definition: Definition, routing: Routing, own: Address): readonly Address[] {
  const topics = new Set<Address>();
  for (let base = definition.base; base !== undefined; base = base.base) topics.add(routing.topic(base));
  topics.delete(own);
  return topics.size === 0 ? none : [...topics];
}

/** A priority as the transport has it: above its highest it counts as that; `undefined`: it has none. */
export function levelOf(priority: number, capabilities: Capabilities): number | undefined {
  return capabilities.priorities === 0 || priority === 0 ? undefined : Math.min(priority, capabilities.priorities - 1);
}

/** Whether the transport keeps a message that long. */
export function carries({ delay }: Capabilities, waitInMs: number): boolean {
  return delay !== false && waitInMs <= delay.maxMs;
}
