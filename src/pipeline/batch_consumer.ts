/** Consumers of batches on their own, for files of their own. @module */
import type { Contract } from "../contracts/contract.ts";
import { definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import { checkBatchOptions } from "./batch.ts";
import { type Consumer, consumer, type ConsumerOptions } from "./consumer.ts";
import type { BatchHandler, BatchOptions } from "./context.ts";

/** Shared by all loaded copies of the package. */
const brand: unique symbol = Symbol.for("@hero/messaging/batch-consumer");

/** What a consumer of batches may say. */
export interface BatchConsumerOptions<in Out = never> extends BatchOptions<Out>, ConsumerOptions {}

const optionNames: OptionNames<BatchConsumerOptions> = { name: true, size: true, within: true, by: true, alone: true };

/** What a consumer of batches holds for the endpoint that runs it. */
export interface CollectedBatches {
  readonly options: BatchOptions;
  readonly handler: BatchHandler<unknown>;
}
interface Made extends Consumer {
  readonly [brand]: CollectedBatches;
}

/**
 * Makes a batch handler on its own, for a file of its own: `bus.add(storeReadings)`, or `.add(storeReadings)` on an
 * endpoint. It does what the endpoint's `batch` does.
 *
 * @throws {ConfigurationError} if `contract` is not one, or an option is not what it should be
 * @throws {InvalidNameError} if the name cannot be that of a queue
 * @example
 * ```ts
 * import { batchConsumer, event } from "@hero/messaging";
 *
 * const ReadingTaken = event<{ sensor: string; value: number }>("sensors.reading-taken");
 * const storeReadings = batchConsumer(ReadingTaken, { size: 100, within: "500ms" }, (batch, ctx) => {
 *   console.log(batch.map(({ message }) => message.value), ctx.endpoint);
 * });
 * ```
 */
export function batchConsumer<Out>(
  contract: Contract<never, Out, unknown, "command" | "event">,
  options: BatchConsumerOptions<Out>,
  handler: NoInfer<BatchHandler<Out>>,
): Consumer {
  definitionOf(contract, "the contract of a batch consumer");
  checkOptionNames(options, optionNames, `a batch consumer of "${contract.name}"`);
  const { name, ...batch } = options;
  checkBatchOptions(batch as BatchOptions, contract.name);
  if (typeof handler !== "function") {
    throw new ConfigurationError(`Cannot handle batches of "${contract.name}": give a function as the third argument`);
  }
  const refuse = (): never => {
    throw new ConfigurationError(`Cannot hand "${contract.name}" to a batch consumer by itself. Add that to a bus`);
  };
  const made: Made = {
    ...consumer(contract, refuse as never, name === undefined ? {} : { name }),
    // A batch holds messages of its own contract only.
    [brand]: { options: batch as BatchOptions, handler: handler as BatchHandler<unknown> },
  };
  return made;
}

/** What a consumer of batches holds, also one from another copy of the package; `undefined`: it is none. */
export function batchesOf(consumer: object): CollectedBatches | undefined {
  return brand in consumer ? (consumer as Made)[brand] : undefined; // what has the brand is one
}
