/** The settings of single queues. @module */
import { ConfigurationError, UnsupportedError } from "../../src/errors/configuration.ts";
import type { Entity, Extension } from "../../src/spi/transport.ts";
import { type Duration, milliseconds } from "../../src/values/duration.ts";
import { transportName } from "./errors.ts";

/** What `rabbitmq.queue({ … })` sets. What shapes the queue cannot be changed once it is there. */
export interface RabbitmqQueueOptions {
  /** Replicated and counting deliveries, or not. Default: `"quorum"`; `"classic"` where `maxPriority` is given. */
  readonly type?: "quorum" | "classic";
  /** The highest priority, 1 to 255: higher ones come first. Only of classic queues. */
  readonly maxPriority?: number;
  /** Of a quorum queue: after so many returns the broker gives a message up. Default: 100; the bus does so after 10. */
  readonly deliveryLimit?: number;
  /**
   * One consumer at a time gets messages, whatever number waits to take over. Default: true for an endpoint with
   * `order: "key"`, else false.
   */
  readonly singleActiveConsumer?: boolean;
  /** How many messages may wait. */
  readonly maxLength?: number;
  /** How many bytes may wait, bodies alone. */
  readonly maxLengthBytes?: number;
  /** What happens above those: the oldest goes, or the sender is refused. Default: `"drop-head"`. */
  readonly overflow?: "drop-head" | "reject-publish";
  /** How long a message may wait; then it is dropped. */
  readonly messageTtl?: Duration;
  /** Consumers with a higher one get messages first. Of this process, not of the queue. */
  readonly consumerPriority?: number;
  /** Anything else that the broker takes when a queue is declared, by its name there. Wins. */
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

/** How often a quorum queue returns a message before the broker gives it up; the bus gives up first. */
const deliveryLimit = 100;
/** The most that the broker takes: for queues that keep what failed. */
const noLimit = 2 ** 31 - 1;

/**
 * Makes the setting.
 *
 * @throws {ConfigurationError} if it contradicts itself
 */
export function queueExtension(options: RabbitmqQueueOptions): Extension {
  checkQueueOptions(options);
  return { transport: transportName, value: options };
}

/** @throws {ConfigurationError} if the options contradict themselves */
export function checkQueueOptions(options: RabbitmqQueueOptions): void {
  const { type, maxPriority } = options;
  const refuse = (why: string): never => {
    throw new ConfigurationError(`Cannot set up a queue of RabbitMQ: ${why}`);
  };
  if (maxPriority !== undefined) {
    if (type === "quorum") {
      refuse(`a quorum queue has no { maxPriority }. Leave { type } out, which makes the queue classic`);
    }
    if (!(Number.isSafeInteger(maxPriority) && maxPriority >= 1 && maxPriority <= 255)) {
      refuse(`${maxPriority} is no { maxPriority }. Give 1 to 255; up to 10 is cheap`);
    }
  }
  if (options.deliveryLimit !== undefined && typeOf(options) === "classic") {
    refuse(`a classic queue counts no deliveries. Leave { deliveryLimit } out, or make it a quorum queue`);
  }
  for (const name of ["deliveryLimit", "maxLength", "maxLengthBytes"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      refuse(`${value} is no { ${name} }. Give a whole number from 1`);
    }
  }
  const other = options.type as string | undefined; // from JavaScript
  if (other !== undefined && other !== "quorum" && other !== "classic") {
    throw new UnsupportedError(transportName, `queues of the type "${other}"`, `Give "quorum" or "classic"`);
  }
}

/** All settings of one queue, the later winning. Those of other transports are refused. */
export function mergedOptions(
  defaults: RabbitmqQueueOptions,
  extensions: readonly Extension[],
): RabbitmqQueueOptions {
  let options = defaults;
  for (const { transport, value } of extensions) {
    if (transport !== transportName) {
      throw new UnsupportedError(transportName, `a setting of "${transport}"`, "Take it away, or use that transport");
    }
    options = { ...options, ...value as RabbitmqQueueOptions }; // made by `queueExtension` alone
  }
  if (extensions.length > 0) checkQueueOptions(options);
  return options;
}

/**
 * The settings of a queue that shall be.
 *
 * @throws {ConfigurationError} if it is to be ordered, and is said to have several consumers at once
 */
export function optionsOf({ name, extensions, ordered }: Entity, defaults: RabbitmqQueueOptions): RabbitmqQueueOptions {
  const options = mergedOptions(defaults, extensions);
  if (ordered !== true) return options;
  if (options.singleActiveConsumer === false) {
    throw new ConfigurationError(
      `Cannot keep the order of "${name}" across processes: { singleActiveConsumer: false } has its queue give ` +
        `messages to all consumers at once. Leave it out, or { order: "key" } of the endpoint`,
    );
  }
  return { ...options, singleActiveConsumer: true };
}

/** Of which type a queue is. */
export function typeOf({ type, maxPriority }: RabbitmqQueueOptions): "quorum" | "classic" {
  return type ?? (maxPriority === undefined ? "quorum" : "classic");
}

/** What a durable queue is declared with. */
export function queueArguments(name: string, options: RabbitmqQueueOptions): Readonly<Record<string, unknown>> {
  const args: Record<string, unknown> = { "x-queue-type": typeOf(options) };
  if (typeOf(options) === "quorum") {
    // What failed before stays, however often an operator looks at it.
    const keeps = /_(?:error|skipped)$/.test(name);
    args["x-delivery-limit"] = options.deliveryLimit ?? (keeps ? noLimit : deliveryLimit);
  }
  if (options.maxPriority !== undefined) args["x-max-priority"] = options.maxPriority;
  if (options.singleActiveConsumer === true) args["x-single-active-consumer"] = true;
  if (options.maxLength !== undefined) args["x-max-length"] = options.maxLength;
  if (options.maxLengthBytes !== undefined) args["x-max-length-bytes"] = options.maxLengthBytes;
  if (options.overflow !== undefined) args["x-overflow"] = options.overflow;
  if (options.messageTtl !== undefined) args["x-message-ttl"] = milliseconds(options.messageTtl);
  return { ...args, ...options.arguments };
}
