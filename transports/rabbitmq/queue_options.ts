/** The settings of single queues. @module */
import { ConfigurationError, UnsupportedError } from "../../src/errors/configuration.ts";
import type { Entity, Extension } from "../../src/spi/transport.ts";
import { type Duration, milliseconds } from "../../src/values/duration.ts";
import { transportName } from "./errors.ts";
import { isOfExchange } from "./exchange_options.ts";
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";

/** What `rabbitmq.queue({ … })` sets. What shapes the queue cannot be changed once it is there. */
export interface RabbitmqQueueOptions {
  /**
   * `"quorum"`: replicated, and counting deliveries. `"classic"`: neither. `"stream"`: kept after it was read, every
   * process reads all of it from its `offset` on. `"default"`: as the broker makes a queue of which nothing is said,
   * classic unless it is told otherwise, which is what MassTransit declares. Left out: `"quorum"`; `"classic"` where
   * `maxPriority` is given. Where `"default"` is said of all queues, as MassTransit's names do, an endpoint that says
   * another has that alone: no delivery limit and no dead-letter exchange that nobody asked for.
   */
  readonly type?: "quorum" | "classic" | "stream" | "default";
  /**
   * Of a stream: where this process begins. The first message that is kept, the last written block, what comes next, a
   * place in it, or a time. After a lost connection it goes on where it was. Default: `"next"`.
   */
  readonly offset?: "first" | "last" | "next" | number | Date;
  /** Of a stream: how long messages are kept; `maxLengthBytes` limits it, too. In blocks, so some stay longer. */
  readonly maxAge?: Duration;
  /** The highest priority, 1 to 255: higher ones come first. Only of classic queues. */
  readonly maxPriority?: number;
  /** Of a quorum queue: after so many returns the broker gives a message up. Default: 100; the bus does so after 10. */
  readonly deliveryLimit?: number;
  /**
   * One consumer at a time gets messages, whatever number waits to take over. Default: true for an endpoint with
   * `order: "key"`, else false.
   */
  readonly singleActiveConsumer?: boolean;
  /**
   * In how many parts the queue is, 2 to 64, each with a single active consumer: with `order: "key"` as many processes
   * take from it. Its messages are told apart by their key; those without one are all in one part. The processes share
   * the parts among them, every few seconds. Needs the broker's plugin `rabbitmq_consistent_hash_exchange`. To change the
   * number, empty the queue first.
   */
  readonly partitions?: number;
  /** How many messages may wait. */
  readonly maxLength?: number;
  /** How many bytes may wait, bodies alone. */
  readonly maxLengthBytes?: number;
  /** What happens above those: the oldest goes, or the sender is refused. Default: `"drop-head"`. */
  readonly overflow?: "drop-head" | "reject-publish";
  /** How long a message may wait; then it is dropped. */
  readonly messageTtl?: Duration;
  /** Of a classic queue: nobody else may consume while this process does; others fail to start. Default: false. */
  readonly exclusive?: boolean;
  /** Consumers with a higher one get messages first. Of this process, not of the queue. */
  readonly consumerPriority?: number;
  /**
   * What of which exchange the queue gets, beside what its endpoint subscribes to; of an exchange that is named here,
   * nothing else. It must be there, or be a contract's. Only of queues that are deployed.
   */
  readonly bind?: readonly RabbitmqBinding[];
  /**
   * Where what dies goes: what has expired, had no room, or was returned too often. It must be there: the queue of
   * another endpoint is an exchange, too. Left out: what was returned too often goes to the endpoint's error queue,
   * all else is dropped.
   */
  readonly deadLetter?: { readonly exchange: string; readonly routingKey?: string };
  /** Anything else that the broker takes when a queue is declared, by its name there. Wins. */
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

/** All settings of one queue. */
export interface QueueSettings extends RabbitmqQueueOptions {
  /** Its queues are declared with what was said of them alone, as MassTransit does. */
  readonly bare?: boolean;
}

/** One of {@linkcode RabbitmqQueueOptions.bind}. */
export interface RabbitmqBinding {
  /** By its name at the broker: a contract's has that of its topic. */
  readonly exchange: string;
  /** For a topic exchange a pattern, as in `eu.*` or `#`; for a direct one the key. Default: the empty one. */
  readonly routingKey?: string;
  /** For a headers exchange: those that count, and `x-match`. */
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

/** How often a quorum queue returns a message before the broker gives it up; the bus gives up first. */
const deliveryLimit = 100;
/** The most that the broker takes: for queues that keep what failed. */
export const noDeliveryLimit: number = 2 ** 31 - 1;

/** How the names of those end. */
export const keepsFailures: RegExp = /_(?:error|skipped)$/;

/** What {@linkcode RabbitmqQueueOptions} may name. */
const optionNames: OptionNames<RabbitmqQueueOptions> = {
  type: true,
  offset: true,
  maxAge: true,
  maxPriority: true,
  deliveryLimit: true,
  singleActiveConsumer: true,
  partitions: true,
  maxLength: true,
  maxLengthBytes: true,
  overflow: true,
  messageTtl: true,
  exclusive: true,
  consumerPriority: true,
  bind: true,
  deadLetter: true,
  arguments: true,
};

/**
 * Makes the setting.
 *
 * @throws {ConfigurationError} if it contradicts itself
 */
export function queueExtension(options: RabbitmqQueueOptions): Extension {
  checkOptionNames(options, optionNames, "rabbitmq.queue()");
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
  if (options.deliveryLimit !== undefined && typeOf(options) !== "quorum") {
    refuse(`only a quorum queue counts deliveries. Leave { deliveryLimit } out, or make it a quorum queue`);
  }
  for (const name of ["deliveryLimit", "maxLength", "maxLengthBytes"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      refuse(`${value} is no { ${name} }. Give a whole number from 1`);
    }
  }
  const other = options.type as string | undefined; // from JavaScript
  if (other !== undefined && !["quorum", "classic", "stream", "default"].includes(other)) {
    throw new UnsupportedError(transportName, `queues of the type "${other}"`, `Give "quorum", "classic" or "stream"`);
  }
  if (type === "stream") {
    for (
      const name of [
        "maxPriority",
        "singleActiveConsumer",
        "exclusive",
        "maxLength",
        "overflow",
        "messageTtl",
        "deadLetter",
      ] as const
    ) {
      if (options[name] !== undefined) refuse(`a stream has no { ${name} }. Leave it out, or give another { type }`);
    }
  } else {
    for (const name of ["offset", "maxAge"] as const) {
      if (options[name] !== undefined) {
        refuse(`only a stream has { ${name} }. Give { type: "stream" }, or leave it out`);
      }
    }
  }
  if (options.exclusive === true && typeOf(options) !== "classic") {
    refuse(
      `only a classic queue has { exclusive }. Give { type: "classic" }, or { singleActiveConsumer: true } instead`,
    );
  }
  if (options.exclusive === true && options.singleActiveConsumer === true) {
    refuse(`with { singleActiveConsumer } others wait their turn, with { exclusive } they fail. Choose one`);
  }
  const { partitions } = options;
  if (partitions !== undefined) {
    if (!(Number.isSafeInteger(partitions) && partitions >= 2 && partitions <= 64)) {
      refuse(`${partitions} is no number of { partitions }. Give 2 to 64`);
    }
    if (type === "stream" || options.exclusive === true) {
      refuse(`neither a stream nor an exclusive queue has { partitions }`);
    }
    if (options.singleActiveConsumer === false) refuse(`each of its { partitions } has a single active consumer`);
  }
  checkOffset(options.offset, refuse);
}

/**
 * The same of the settings of all queues.
 *
 * @throws {ConfigurationError} if they contradict themselves, or fit single queues alone
 */
export function checkDefaults(options: RabbitmqQueueOptions): void {
  checkQueueOptions(options);
  if (options.type !== "stream" && options.exclusive !== true) return;
  throw new ConfigurationError(
    `Cannot make every queue of a bus a stream, or one with an exclusive consumer: error queues are queues, too. ` +
      `Say so with rabbitmq.queue({ … }) in the extensions of an endpoint`,
  );
}

function checkOffset(offset: unknown, refuse: (why: string) => never): void {
  const fine = offset === undefined || offset === "first" || offset === "last" || offset === "next" ||
    (typeof offset === "number" && Number.isSafeInteger(offset) && offset >= 0) ||
    (offset instanceof Date && !Number.isNaN(offset.getTime()));
  if (!fine) {
    refuse(`${String(offset)} is no { offset }. Give "first", "last", "next", a whole number from 0 or a Date`);
  }
}

/** As `x-stream-offset`: a name or interval, a number, or seconds in a timestamp. */
export type StreamOffset = string | number | { readonly "!": "timestamp"; readonly value: number };

/** An offset as the broker takes it. */
export function streamOffset(offset: RabbitmqQueueOptions["offset"] = "next"): StreamOffset {
  return offset instanceof Date ? { "!": "timestamp", value: Math.floor(offset.getTime() / 1_000) } : offset;
}

/** All settings of one queue, the later winning. Those of other transports are refused. */
export function mergedOptions(
  defaults: RabbitmqQueueOptions,
  extensions: readonly Extension[],
): QueueSettings {
  let options: QueueSettings = { ...defaults, bare: defaults.type === "default" };
  for (const { transport, value } of extensions) {
    if (transport !== transportName) {
      throw new UnsupportedError(transportName, `a setting of "${transport}"`, "Take it away, or use that transport");
    }
    if (isOfExchange(value)) {
      throw new UnsupportedError(
        transportName,
        "an exchange's setting on an endpoint",
        "Give a contract rabbitmq.exchange({ … }), and an endpoint rabbitmq.queue({ … })",
      );
    }
    const own = value as RabbitmqQueueOptions; // made by `queueExtension` alone
    options = { ...options, ...own, bare: options.bare === true || own.type === "default" };
  }
  if (extensions.length > 0) checkQueueOptions(options);
  return options;
}

/**
 * The settings of a queue that shall be.
 *
 * @throws {ConfigurationError} if it is to be ordered, and is said to have several consumers at once
 */
export function optionsOf({ name, extensions, ordered }: Entity, defaults: RabbitmqQueueOptions): QueueSettings {
  const options = mergedOptions(defaults, extensions);
  if (ordered !== true) return options;
  if (options.type === "stream") {
    throw new UnsupportedError(transportName, `{ order: "key" } on the stream "${name}"`, "Give it another { type }");
  }
  if (options.singleActiveConsumer === false) {
    throw new ConfigurationError(
      `Cannot keep the order of "${name}" across processes: { singleActiveConsumer: false } has its queue give ` +
        `messages to all consumers at once. Leave it out, or { order: "key" } of the endpoint`,
    );
  }
  return { ...options, singleActiveConsumer: true };
}

/**
 * What a queue that keeps what failed has of its endpoint's, where queues are declared as MassTransit does, which copies
 * these.
 */
export function inherited({ bare, type, maxPriority }: QueueSettings): RabbitmqQueueOptions {
  if (bare !== true) return {};
  return {
    ...(type === undefined ? {} : { type }),
    ...(maxPriority === undefined ? {} : { maxPriority }),
  };
}

/** Of which type a queue is. */
export function typeOf({ type, maxPriority }: RabbitmqQueueOptions): "quorum" | "classic" | "stream" {
  if (type === "default") return "classic";
  return type ?? (maxPriority === undefined ? "quorum" : "classic");
}

/** What a durable queue is declared with. */
export function queueArguments(name: string, options: QueueSettings): Readonly<Record<string, unknown>> {
  const args: Record<string, unknown> = options.type === "default" ? {} : { "x-queue-type": typeOf(options) };
  if (typeOf(options) === "quorum") {
    // What failed before stays, however often an operator looks at it.
    const keeps = keepsFailures.test(name);
    const own = options.bare === true ? undefined : deliveryLimit;
    const limit = keeps && options.bare !== true ? noDeliveryLimit : options.deliveryLimit ?? own;
    if (limit !== undefined) args["x-delivery-limit"] = limit;
  }
  if (options.maxPriority !== undefined) args["x-max-priority"] = options.maxPriority;
  if (options.singleActiveConsumer === true || options.partitions !== undefined) {
    args["x-single-active-consumer"] = true;
  }
  if (options.maxLength !== undefined) args["x-max-length"] = options.maxLength;
  if (options.maxLengthBytes !== undefined) args["x-max-length-bytes"] = options.maxLengthBytes;
  if (options.overflow !== undefined) args["x-overflow"] = options.overflow;
  if (options.messageTtl !== undefined) {
    args["x-message-ttl"] = milliseconds(options.messageTtl, "{ messageTtl } of rabbitmq.queue()");
  }
  if (options.deadLetter !== undefined) {
    const { exchange, routingKey } = options.deadLetter;
    args["x-dead-letter-exchange"] = exchange;
    if (routingKey !== undefined) args["x-dead-letter-routing-key"] = routingKey;
  }
  // The broker takes no milliseconds here.
  if (options.maxAge !== undefined) {
    args["x-max-age"] = `${Math.ceil(milliseconds(options.maxAge, "{ maxAge } of rabbitmq.queue()") / 1_000)}s`;
  }
  return { ...args, ...options.arguments };
}
