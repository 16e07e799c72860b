/** Events. @module */
import type { Contract, ContractOptions, Empty, NoReply } from "./contract.ts";
import { define } from "./definition.ts";

/** Says that something happened. */
export interface Event<in In, out Out = In> extends Contract<In, Out, NoReply, "event"> {
  /** The same contract, able to read messages of an older version too. */
  upcast<Old>(older: Contract<never, Old>, upcast: (old: Old) => In): Event<In, Out>;
}

/**
 * Makes an event: a message that says what happened, to whoever subscribes.
 *
 * @param name the identity on the wire, as in `orders.order-submitted`
 * @throws {InvalidNameError} if the name cannot stand on a wire
 * @throws {ConfigurationError} if an option is not what it should be
 * @example
 * ```ts
 * import { event } from "@hero/messaging";
 *
 * const OrderEvent = event<{ orderId: string }>("orders.order-event");
 * const OrderSubmitted = event<{ orderId: string; total: number }>("orders.order-submitted", {
 *   extends: OrderEvent, // subscribers to OrderEvent get it, too
 *   key: (m) => m.orderId,
 * });
 * ```
 */
export function event<In = Empty, Out = In>(name: string, options: ContractOptions<In, Out> = {}): Event<In, Out> {
  // A definition has all that the interface has; its types exist for the compiler alone.
  return define({ kind: "event", name }, options) as unknown as Event<In, Out>;
}
