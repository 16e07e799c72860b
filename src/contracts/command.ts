/** Commands. @module */
import type { Contract, Empty, NoReply, OwnedOptions, Replies, ReplyOf } from "./contract.ts";
import { define } from "./definition.ts";

/** Asks one owner to do something. */
export interface Command<in In, out Reply = NoReply, out Out = In> extends Contract<In, Out, Reply, "command"> {
  /** The same contract, able to read messages of an older version too. */
  upcast<Old>(older: Contract<never, Old>, upcast: (old: Old) => In): Command<In, Reply, Out>;
}

/**
 * Makes a command: a message that asks its one owner to do something.
 *
 * @param name the identity on the wire, as in `orders.submit-order`
 * @throws {InvalidNameError} if the name cannot stand on a wire
 * @throws {ConfigurationError} if an option is not what it should be
 * @example
 * ```ts
 * import { command } from "@hero/messaging";
 *
 * interface SubmitOrder { orderId: string; total: number }
 * const SubmitOrder = command<SubmitOrder>("orders.submit-order", { key: (m) => m.orderId, to: "queue:orders" });
 * ```
 */
export function command<In = Empty, Reply = NoReply, Out = In, Named extends Replies = never>(
  name: string,
  options: OwnedOptions<In, Out, Reply, Named> = {},
): Command<In, ReplyOf<Reply, Named>, Out> {
  // A definition has all that the interface has; its types exist for the compiler alone.
  return define({ kind: "command", name }, options) as unknown as Command<In, ReplyOf<Reply, Named>, Out>;
}
