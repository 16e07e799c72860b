/** Finds out why messages died. @module */
import type { Message } from "amqplib";
import { UnroutableError } from "../../src/errors/sending.ts";
import type { Delivery, Receiver, Settlement, Sink, Source } from "../../src/spi/transport.ts";
import { RabbitDelivery } from "./claims.ts";
import { unsortedQueue } from "./dead_letters.ts";

/** What it takes from. */
export const unsortedSource: Source = {
  queue: unsortedQueue,
  topics: [],
  lifetime: "durable",
  credit: 100,
  ordered: false,
  holdMs: 0,
  extensions: [],
};

/** Takes what waits unsorted: what was returned too often goes to its error queue, all else is dropped. */
export class DeadSorting implements Sink {
  readonly #early: Delivery[] = [];
  #receiver: Receiver | undefined;

  /** It can settle from now on. */
  begin(receiver: Receiver): void {
    this.#receiver = receiver;
    this.deliver(this.#early.splice(0));
  }

  deliver(batch: readonly Delivery[]): void {
    const receiver = this.#receiver;
    if (receiver === undefined) this.#early.push(...batch);
    else for (const delivery of batch) void this.#sort(delivery, receiver);
  }

  lost(): void {}

  readdressed(): void {}

  async #sort(delivery: Delivery, receiver: Receiver): Promise<void> {
    const message = delivery instanceof RabbitDelivery ? delivery.claim?.message : undefined;
    const settle = async (settlement: Settlement) => await receiver.settle([settlement]);
    if (message === undefined || lastDeath(message) !== "delivery_limit") {
      return await settle({ delivery, outcome: "accept" });
    }
    try {
      await settle({ delivery, outcome: "move", to: `queue:${message.fields.routingKey}`, headers: {} });
    } catch (error) {
      // Its error queue is deleted, which is how all that dies there ends.
      await settle({ delivery, outcome: error instanceof UnroutableError ? "accept" : "release" });
    }
  }
}

/** Of what a message died last. */
function lastDeath({ properties }: Message): unknown {
  const deaths: unknown = properties.headers?.["x-death"];
  const last: unknown = Array.isArray(deaths) ? deaths[0] : undefined;
  return typeof last === "object" && last !== null && "reason" in last ? last.reason : undefined;
}
