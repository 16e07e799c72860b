/**
 * The transport on RabbitMQ: `rabbitmq("amqp://…")`. Needs `npm:amqplib`, which it loads when it opens.
 *
 * @module
 */
export { type Rabbitmq, rabbitmq } from "./rabbitmq.ts";
export type { RabbitmqCredentials, RabbitmqOptions } from "./options.ts";
export type { RabbitmqTls } from "./tls.ts";
export type { RabbitmqExchangeOptions } from "./exchange_options.ts";
export type { RabbitmqBinding, RabbitmqQueueOptions } from "./queue_options.ts";
export type { RabbitmqCounts, RabbitmqTransport } from "./counts.ts";
