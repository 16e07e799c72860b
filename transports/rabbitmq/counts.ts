/** How a transport is doing. @module */
import type { Transport } from "../../src/spi/transport.ts";

/** How a transport on RabbitMQ is doing, for metrics. */
export type RabbitmqCounts = {
  /** Connections that are there: 2, one to publish and one to consume, when all is well. */
  readonly connections: number;
  /** How often a connection was lost and came back. */
  readonly reconnects: number;
  /** Why the broker takes no messages, as it said: a memory or disk alarm. */
  readonly blocked: string | undefined;
  /** Messages that are published and not confirmed. */
  readonly unconfirmed: number;
  /** Messages that wait to be published. */
  readonly waiting: number;
  /** Messages that were handed out and are not settled. */
  readonly inFlight: number;
  /** Channels that are open. */
  readonly channels: number;
  /** Sources that are open. */
  readonly receivers: number;
  /** Those of them that should have a consumer at the broker: they are neither paused nor stopped. */
  readonly consumersWanted: number;
  /** Those of them that have one: fewer than wanted, for more than a moment, is a fault. */
  readonly consumers: number;
};

/** A transport on RabbitMQ. */
export interface RabbitmqTransport extends Transport {
  /** How it is doing, now. */
  readonly counts: RabbitmqCounts;
}
