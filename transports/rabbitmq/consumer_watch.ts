/** Compares the consumers that should be with those that are. @module */
import type { Channel } from "amqplib";
import type { Host } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import { codeOf, codes } from "./errors.ts";
import type { RabbitReceiver } from "./receiver.ts";

/**
 * Asks the broker now and then whether the queues of receivers are there and have consumers. A broker tells of most that
 * ends a consumer; what it does not tell, or what was lost on the way, would be silence for ever.
 */
export class ConsumerWatch {
  readonly #host: Host;
  readonly #everyInMs: number;
  readonly #connection: Connection;
  readonly #receivers: ReadonlySet<RabbitReceiver>;
  #end: (() => void) | undefined;

  constructor(host: Host, everyInMs: number, connection: Connection, receivers: ReadonlySet<RabbitReceiver>) {
    this.#host = host;
    this.#everyInMs = everyInMs;
    this.#connection = connection;
    this.#receivers = receivers;
  }

  /** Begins. */
  start(): void {
    const { clock } = this.#host;
    this.#end = clock.at(clock.now() + this.#everyInMs, () => {
      void this.#look().catch(() => {}).then(() => this.#end === undefined ? undefined : this.start());
    });
  }

  /** Ends. */
  stop(): void {
    this.#end?.();
    this.#end = undefined;
  }

  /** What the connection loses meanwhile is found by itself. */
  async #look(): Promise<void> {
    const wanted = [...this.#receivers].filter((receiver) => receiver.wanting);
    let channel: Channel | undefined;
    for (const receiver of wanted) {
      if (!this.#connection.ready) return;
      if (!receiver.consuming) {
        receiver.kick();
        continue;
      }
      try {
        channel ??= await this.#connection.channel();
        const { consumerCount } = await channel.checkQueue(receiver.queue);
        if (consumerCount === 0 && receiver.counted) {
          receiver.renew(new Error("The broker has no consumer of it any more"));
        }
      } catch (error) {
        channel = undefined; // the answer has ended it
        const code = codeOf(error);
        if (code === undefined) return; // the connection has ended, too
        if (code === codes.notFound) receiver.renew(new Error("The queue is not there any more"));
      }
    }
    await channel?.close();
  }
}
