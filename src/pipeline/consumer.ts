/** Consumers on their own, for files of their own. @module */
import type { Contract } from "../contracts/contract.ts";
import { definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { ConsumeContext, Handler } from "./context.ts";
import type { Awaitable } from "../values/awaitable.ts";
import { checkName } from "../values/destination.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/** What a bus can run: a consumer, saga or activity. */
export interface Runnable<in Tx = unknown> {
  /** Names its endpoint when the bus makes one. */
  readonly name: string;
  /** Whose name that is: its own, or that of its contract. */
  readonly named: "itself" | "by its contract";
  /** An activity has two endpoints, all else one. */
  readonly runs: "on one endpoint" | "on two endpoints of its own";
  /** What it handles. */
  readonly contracts: readonly Contract[];
  /** Handles one message. */
  readonly consume: (context: ConsumeContext<never, Tx>) => Awaitable<unknown>;
}
/** What an endpoint can run, too: a consumer or saga. */
export interface Consumer<in Tx = unknown> extends Runnable<Tx> {
  /** An activity of a routing slip, which runs on two, is none. */
  readonly runs: "on one endpoint";
}
/** What a consumer may say. */
export interface ConsumerOptions {
  /** Left out: the contract's. */
  readonly name?: string;
}

const optionNames: OptionNames<ConsumerOptions> = { name: true };

/** Whether it is a consumer, a saga or the like: from JavaScript one may be given in a contract's place. */
export function isRunnable(value: unknown): value is Runnable {
  return typeof value === "object" && value !== null && "runs" in value && "consume" in value;
}

/**
 * Refuses what is none: from JavaScript it may be a handler, or, where modules import each other, not there yet.
 *
 * @param where as in `the bus`
 * @throws {ConfigurationError}
 */
export function checkRunnable(value: unknown, where: string): void {
  if (isRunnable(value)) return;
  throw new ConfigurationError(
    `Cannot add this to ${where}: it is ${value === undefined ? "undefined" : "not a consumer"}. ` +
      `Make one with consumer(contract, handler)`,
  );
}

/**
 * Makes a handler on its own, for a file of its own: `bus.add(submitOrder)`, or `.add(submitOrder)` on an endpoint.
 *
 * @throws {ConfigurationError} if `contract` is not one, or `handler` no function
 * @throws {InvalidNameError} if the name cannot be that of a queue
 * @example
 * ```ts
 * import { command, consumer } from "@hero/messaging";
 *
 * const RefundPayment = command<{ paymentId: string }>("payments.refund");
 * const refundPayment = consumer(RefundPayment, async (payment, ctx) => {
 *   console.log(payment.paymentId, ctx.messageId);
 * });
 * ```
 */
export function consumer<Out, Reply>(
  contract: Contract<never, Out, Reply>,
  handler: NoInfer<Handler<Out, Reply>>,
  options: ConsumerOptions = {},
): Consumer {
  definitionOf(contract, "the contract of a consumer");
  checkOptionNames(options, optionNames, `a consumer of "${contract.name}"`);
  if (typeof handler !== "function") {
    throw new ConfigurationError(
      `Cannot make a consumer of "${contract.name}": its handler must be a function, and is ${shown(handler)}`,
    );
  }
  return {
    name: options.name === undefined ? contract.name : checkName("a consumer", options.name),
    named: options.name === undefined ? "by its contract" : "itself",
    runs: "on one endpoint",
    contracts: [contract],
    // The bus hands it messages of its own contract only, in a handler's context.
    consume: (context) => handler(context.message, context as never),
  };
}
