/** A channel of a receiver, and the consumers on it. @module */
import type { Channel, ConsumeMessage } from "amqplib";
import { AcknowledgementTimeoutError, DisconnectedError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { Ages } from "./ages.ts";
import { Claims } from "./claims.ts";
import { lossOf, transportName } from "./errors.ts";
import type { StreamOffset } from "./queue_options.ts";
import type { ReceiverOptions, ReceiverServices } from "./receiver_options.ts";

/** Whoever opens sessions. */
export interface SessionOwner {
  readonly address: string;
  /** Whether its queue may have been deleted since it took from it. */
  readonly bereft: boolean;
  /** One has come; `null`: the broker has cancelled the consumer. */
  came(session: Session, message: ConsumeMessage | null): void;
  /** The channel has ended. */
  closed(session: Session, reason: Error): void;
  /** Nothing is held any more, and the broker has heard of all. */
  allHeard(): void;
}

/** How much sooner than the broker's limit it may seem to be: messages and what takes them back travel for a moment. */
const toleranceInMs = 1_000;

/** One channel of a receiver, and its consumers if there are any. */
export class Session {
  readonly channel: Channel;
  readonly claims: Claims;
  /** Whether the broker is to send; what comes all the same goes back. */
  taking = false;
  readonly #owner: SessionOwner;
  readonly #clock: Clock;
  readonly #ages = new Ages();
  readonly #consumers: string[] = [];
  /** How many it has had. */
  #tags = 0;
  #prefetch = 0;

  private constructor(channel: Channel, { host }: ReceiverServices, owner: SessionOwner) {
    this.channel = channel;
    this.claims = new Claims(channel, host.clock, () => owner.allHeard());
    this.#owner = owner;
    this.#clock = host.clock;
  }

  /**
   * Opens a channel, and makes what is to be consumed on it.
   *
   * @throws {DisconnectedError} if there is no connection
   */
  static async open(services: ReceiverServices, owner: SessionOwner): Promise<Session> {
    const { connection } = services;
    if (!connection.ready) throw new DisconnectedError(transportName, `receive from "${owner.address}"`);
    const channel = await connection.channel();
    let reason: Error | undefined;
    const session = new Session(channel, services, owner);
    channel.on("error", (error: Error) => reason = error);
    channel.on("close", () => owner.closed(session, lossOf(reason, owner.address)));
    await services.declare(channel, owner.bereft);
    return session;
  }

  /** How many consumers the broker has. */
  get consumers(): number {
    return this.#consumers.length;
  }

  /** What they prefetch, together; 0: there is none. */
  get prefetch(): number {
    return this.#prefetch;
  }

  /**
   * Why the broker has cancelled a consumer, which it does not say: from RabbitMQ 4.3 on, a quorum queue takes back in
   * this way what was not settled within the broker's limit.
   */
  cancelled(limitInMs: number): Error {
    const { oldest } = this.claims;
    const held = oldest === undefined ? 0 : this.#ages.of(oldest, this.#clock.now());
    return held > 0 && held >= limitInMs - toleranceInMs
      ? new AcknowledgementTimeoutError(this.#owner.address, limitInMs)
      : new Error("The broker has cancelled the consumer");
  }

  /** Takes the consumers away. What has come stays. */
  async cancel(): Promise<void> {
    this.#prefetch = 0;
    for (const consumer of this.#consumers.splice(0)) await this.channel.cancel(consumer);
  }

  /** Adds a consumer, so that all prefetch `wanted`: the broker limits each by itself. */
  async consume(
    wanted: number,
    { queue, priority, exclusive }: ReceiverOptions,
    offset: StreamOffset | undefined,
  ): Promise<void> {
    const { channel, claims } = this;
    const prefetch = wanted - this.#prefetch;
    claims.prefetch = wanted;
    this.taking = true;
    this.#prefetch = wanted;
    const [, { consumerTag }] = await Promise.all([
      channel.prefetch(prefetch),
      channel.consume(queue, (message) => this.#came(message), {
        // Each delivery says it: the broker's own are 31 bytes long.
        consumerTag: String(++this.#tags),
        exclusive,
        ...(priority === undefined ? {} : { priority }),
        ...(offset === undefined ? {} : { arguments: { "x-stream-offset": offset } }),
      }),
    ]);
    this.#consumers.push(consumerTag);
  }

  #came(message: ConsumeMessage | null): void {
    if (message !== null) {
      const { deliveryTag } = message.fields;
      this.#ages.note(deliveryTag, this.#clock.now(), this.claims.oldest ?? deliveryTag);
    }
    this.#owner.came(this, message);
  }
}
