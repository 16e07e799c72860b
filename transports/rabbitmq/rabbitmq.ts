/** The entry point's functions. @module */
import type { Extension } from "../../src/spi/transport.ts";
import { exchangeExtension, type RabbitmqExchangeOptions } from "./exchange_options.ts";
import { type RabbitmqOptions, settingsOf } from "./options.ts";
import { checkDefaults, queueExtension, type RabbitmqQueueOptions } from "./queue_options.ts";
import type { RabbitmqTransport } from "./counts.ts";
import { RabbitTransport } from "./transport.ts";

/** What {@linkcode rabbitmq} is: a function, and the settings of single queues. */
export interface Rabbitmq {
  /**
   * Makes a transport on RabbitMQ, 3.10 or later. Nothing happens before its bus starts. Without options, on this
   * machine's broker.
   *
   * @param options a URL as in `amqp://user:password@host:5672/vhost`, or more
   * @throws {ConfigurationError} if the options cannot work
   * @throws {InvalidDurationError} if a duration is none
   */
  (options: string | RabbitmqOptions): RabbitmqTransport;
  // Apart, so that a URL which may be missing, as one of the environment, is no such broker without a word.
  /** Makes a transport on the RabbitMQ of this machine. */
  (): RabbitmqTransport;
  /**
   * The settings of one queue, for an endpoint's `extensions`.
   *
   * @throws {ConfigurationError} if they contradict themselves
   */
  queue(options: RabbitmqQueueOptions): Extension;
  /**
   * The settings of a contract's topic, for its `extensions`.
   *
   * @throws {ConfigurationError} for a type that there is not
   */
  exchange(options: RabbitmqExchangeOptions): Extension;
}

/**
 * Makes a transport on RabbitMQ; `rabbitmq.queue({ … })` sets up a single queue.
 *
 * @example
 * ```ts
 * import { createBus } from "@hero/messaging";
 * import { rabbitmq } from "@hero/messaging/rabbitmq";
 *
 * const bus = createBus({ name: "orders", transport: rabbitmq("amqp://localhost") });
 * bus.endpoint("orders", { extensions: [rabbitmq.queue({ maxLength: 1_000_000, overflow: "reject-publish" })] });
 * ```
 */
export const rabbitmq: Rabbitmq = Object.assign(
  (options: string | RabbitmqOptions = {}): RabbitmqTransport => {
    const settings = settingsOf(typeof options === "string" ? { url: options } : options);
    checkDefaults(settings.queue);
    return new RabbitTransport(settings);
  },
  { queue: queueExtension, exchange: exchangeExtension },
);
