/** Faults: what is published when an endpoint gives up on a message. @module */
import type { ExceptionInfo } from "../errors/exception_info.ts";
import type { HostInfo } from "../runtime/host.ts";
import type { Contract } from "./contract.ts";
import { define, type Definition, definitionOf, withBases } from "./definition.ts";
import type { Event } from "./event.ts";

/** The message of a fault. */
export interface Fault<out Message> {
  /** Of this fault. */
  readonly faultId: string;
  /** Of the message that was given up. */
  readonly faultedMessageId: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /** One, or several of a batch or of parallel branches; the first is the reason. */
  readonly exceptions: readonly ExceptionInfo[];
  /** Where it was given up. */
  readonly host: HostInfo;
  /** What was given up, as it was sent. */
  readonly message: Message;
}

/** The contract of a definition's faults: one for each definition, also where several were asked for. */
const faults = new WeakMap<Definition, Definition>();

/**
 * What is published when an endpoint gives up on a message of `contract`, as an event like any other. The fault of a
 * base also tells of the messages derived from it.
 *
 * @throws {ConfigurationError} if `contract` is not one, or is its own base
 * @example
 * ```ts
 * import { command, createBus, fault } from "@hero/messaging";
 *
 * const SubmitOrder = command<{ orderId: string }>("orders.submit-order");
 * createBus({ name: "orders" })
 *   .endpoint("failures")
 *   .handle(fault(SubmitOrder), ({ message, exceptions }) => console.error(message.orderId, exceptions[0]?.message));
 * ```
 */
export function fault<In, Out>(contract: Contract<In, Out>): Event<Fault<In>, Fault<Out>> {
  // A definition has all that the interface has; its types exist for the compiler alone.
  return faultDefinition(definitionOf(contract, "the contract of a fault")) as unknown as Event<Fault<In>, Fault<Out>>;
}

/** The same, of a definition. */
export function faultDefinition(of: Definition): Definition {
  const known = faults.get(of);
  if (known !== undefined) return known;
  withBases(of);
  const made = define({ kind: "event", name: `fault:${of.name}`, faultOf: of }, {
    version: of.version,
    ...(of.base === undefined ? {} : { extends: faultDefinition(of.base) }),
  });
  faults.set(of, made);
  return made;
}
