/** Takes from a queue in parts. @module */
import type { Channel } from "amqplib";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Host, Receiver, Settlement } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import { codeOf, codes } from "./errors.ts";
import { partsOf } from "./partitions.ts";
import type { RabbitReceiver } from "./receiver.ts";

/** How often the parts are shared out anew. */
const everyInMs = 2_000;
/** How long the queue that counts processes outlives them. */
const goneAfterInMs = 60_000;

/** What it needs of its transport. */
export interface PartitionServices {
  readonly host: Host;
  readonly connection: Connection;
  /** Opens a receiver of one part. */
  open(part: string, credit: number): Promise<RabbitReceiver>;
  /** It takes nothing any more. */
  ended(): void;
}

/**
 * A receiver for each part that this process has. Who has a part holds a lock, a queue that is exclusive to its
 * connection, so that it is free when the process dies. Processes count themselves by consumers of one queue, and each
 * takes its share; who has more gives a part up once nothing of it is in flight.
 */
export class PartitionedReceiver implements Receiver {
  readonly address: string;
  readonly #queue: string;
  readonly #parts: readonly string[];
  readonly #services: PartitionServices;
  readonly #held = new Map<string, RabbitReceiver>();
  readonly #leaving = new Map<string, RabbitReceiver>();
  #credit: number;
  #members: Channel | undefined;
  #stopped = false;
  #endWait: () => void = () => {};
  #tending: Promise<void> = Promise.resolve();

  /** @throws {ConfigurationError} if there is not one credit for each part */
  constructor(queue: string, count: number, credit: number, services: PartitionServices) {
    if (credit < count) {
      throw new ConfigurationError(
        `Cannot take from "${queue}" in ${count} parts with a prefetch of ${credit}: each part needs one. ` +
          `Raise { prefetch } of the endpoint, or lower { partitions }`,
      );
    }
    this.address = `queue:${queue}`;
    this.#queue = queue;
    this.#parts = partsOf(queue, count);
    this.#credit = credit;
    this.#services = services;
  }

  /** Takes its share. */
  async start(): Promise<void> {
    await this.#tend();
    this.#wait();
  }

  /** The parts that this process has, for tests. */
  get parts(): readonly string[] {
    return [...this.#held.keys()];
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    // Each knows its own deliveries, and leaves the others alone.
    await Promise.all([...this.#all()].map((receiver) => receiver.settle(batch)));
  }

  credit(total: number): void {
    this.#credit = total;
    for (const receiver of this.#held.values()) receiver.credit(this.#share());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#services.ended();
    this.#endWait();
    await this.#tending;
    await Promise.all([...this.#all()].map((receiver) => receiver.stop()));
    void this.#members?.close().catch(() => {}); // the connection has ended it
  }

  *#all(): Iterable<RabbitReceiver> {
    yield* this.#held.values();
    yield* this.#leaving.values();
  }

  /** What each part may have in flight, so that all together keep to the credit. */
  #share(): number {
    return Math.floor(this.#credit / this.#parts.length);
  }

  #wait(): void {
    if (this.#stopped) return;
    const { clock } = this.#services.host;
    this.#endWait = clock.at(clock.now() + everyInMs, () => {
      // What fails now, as the connection is away, is tried again with the next turn.
      this.#tending = this.#tend().catch(() => {}).then(() => this.#wait());
    });
  }

  async #tend(): Promise<void> {
    const wanted = Math.ceil(this.#parts.length / Math.max(1, await this.#countMembers()));
    for (const part of [...this.#held.keys()]) if (!await this.#lock(part)) this.#leave(part);
    for (const part of [...this.#held.keys()].slice(wanted)) this.#leave(part);
    for (const [part, receiver] of [...this.#leaving]) {
      if (receiver.unsettled > 0) continue;
      await receiver.stop();
      await receiver.gone; // else who has it next takes what is behind what goes back
      this.#leaving.delete(part);
      await this.#services.connection.with((channel) => channel.deleteQueue(lockOf(part))).catch(() => {}); // not its own
    }
    for (const part of this.#parts) {
      if (this.#held.size >= wanted || this.#stopped) break;
      if (this.#held.has(part) || this.#leaving.has(part) || !await this.#lock(part)) continue;
      this.#held.set(part, await this.#services.open(part, this.#share()));
    }
  }

  #leave(part: string): void {
    const receiver = this.#held.get(part);
    if (receiver === undefined) return;
    receiver.credit(0);
    this.#held.delete(part);
    this.#leaving.set(part, receiver);
  }

  /** Whether it is, or is now, this process'. */
  async #lock(part: string): Promise<boolean> {
    try {
      await this.#services.connection.with((channel) =>
        channel.assertQueue(lockOf(part), { exclusive: true, durable: false, autoDelete: false })
      );
      return true;
    } catch (error) {
      if (codeOf(error) === codes.resourceLocked) return false;
      throw error;
    }
  }

  /** How many processes take from the queue, this one included. */
  async #countMembers(): Promise<number> {
    const name = `${this.#queue}_members`;
    if (this.#members === undefined) {
      const channel = await this.#services.connection.channel();
      channel.on("close", () => {
        if (this.#members === channel) this.#members = undefined;
      });
      await channel.assertQueue(name, { arguments: { "x-queue-type": "classic", "x-expires": goneAfterInMs } });
      await channel.consume(name, () => {}, { noAck: true });
      this.#members = channel;
    }
    return (await this.#members.checkQueue(name)).consumerCount;
  }
}

function lockOf(part: string): string {
  return `${part}_lock`;
}
