/** Queries. @module */
import type { Contract, OwnedOptions, Replies, ReplyOf } from "./contract.ts";
import { define } from "./definition.ts";

/** Asks one owner and gets an answer. */
export interface Query<in In, out Reply, out Out = In> extends Contract<In, Out, Reply, "query"> {
  /** The same contract, able to read messages of an older version too. */
  upcast<Old>(older: Contract<never, Old>, upcast: (old: Old) => In): Query<In, Reply, Out>;
}

/**
 * Makes a query: a message that asks its one owner, gets an answer and never changes state.
 *
 * @param name the identity on the wire, as in `orders.get-order`
 * @throws {InvalidNameError} if the name cannot stand on a wire
 * @throws {ConfigurationError} if an option is not what it should be
 * @example
 * ```ts
 * import { query } from "@hero/messaging";
 *
 * const GetOrder = query<{ orderId: string }, { status: string }>("orders.get-order");
 * ```
 */
export function query<In, Reply, Out = In, Named extends Replies = never>(
  name: string,
  options: OwnedOptions<In, Out, Reply, Named> = {},
): Query<In, ReplyOf<Reply, Named>, Out> {
  // A definition has all that the interface has; its types exist for the compiler alone.
  return define({ kind: "query", name }, options) as unknown as Query<In, ReplyOf<Reply, Named>, Out>;
}
