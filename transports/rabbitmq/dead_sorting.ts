/** Finds out why messages died. @module */
import type { Message } from "amqplib";
import { UnroutableError } from "../../src/errors/sending.ts";
import { toError } from "../../src/errors/thrown.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { Delivery, Receiver, Sink, Source } from "../../src/spi/transport.ts";
import { type Claim, RabbitDelivery } from "./claims.ts";
import { unsortedQueue } from "./dead_letters.ts";
import { Retries } from "./retries.ts";

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

/**
 * Takes what waits unsorted: what was returned too often goes to its error queue, all else is dropped. What cannot be
 * moved is held, and tried again later and later: given back, it would be first in the queue, and come again at once.
 */
export class DeadSorting implements Sink {
  readonly #early: Delivery[] = [];
  readonly #retries: Retries<Delivery>;
  readonly #troubled: (cause: Error | undefined) => void;
  #receiver: Receiver | undefined;

  /** @param troubled is told why something cannot be moved, and with `undefined` when nothing is held any more */
  constructor(clock: Clock, troubled: (cause: Error | undefined) => void) {
    this.#troubled = troubled;
    this.#retries = new Retries(clock, (delivery) => void this.#sort(delivery));
  }

  /** It can settle from now on. */
  begin(receiver: Receiver): void {
    this.#receiver = receiver;
    this.deliver(this.#early.splice(0));
  }

  deliver(batch: readonly Delivery[]): void {
    if (this.#receiver === undefined) this.#early.push(...batch);
    else for (const delivery of batch) void this.#sort(delivery);
  }

  lost(deliveries: readonly Delivery[]): void {
    this.#over(...deliveries);
  }

  readdressed(): void {}

  async #sort(delivery: Delivery): Promise<void> {
    const claim = delivery instanceof RabbitDelivery ? delivery.claim : undefined;
    if (claim === undefined || lastDeath(claim.message) !== "delivery_limit") return await this.#drop(delivery);
    const errors = claim.message.fields.routingKey;
    try {
      await this.#receiver?.settle([{ delivery, outcome: "move", to: `queue:${errors}`, headers: {} }]);
    } catch (thrown) {
      // Its error queue is deleted, which is how all that dies there ends.
      if (thrown instanceof UnroutableError) return await this.#drop(delivery);
      return this.#failed(delivery, claim, errors, toError(thrown));
    }
    this.#over(delivery);
  }

  #failed(delivery: Delivery, { state }: Claim, errors: string, cause: Error): void {
    if (state !== "unsettled") return this.#over(delivery); // lost meanwhile: it comes again
    this.#retries.failed(delivery);
    const what = `Cannot move to "${errors}" what its queue gave up, and tries again`;
    this.#troubled(new Error(`${what}: ${cause.message}`, { cause }));
  }

  async #drop(delivery: Delivery): Promise<void> {
    await this.#receiver?.settle([{ delivery, outcome: "accept" }]);
    this.#over(delivery);
  }

  #over(...deliveries: readonly Delivery[]): void {
    if (this.#retries.over(...deliveries)) this.#troubled(undefined);
  }
}

/** Of what a message died last. */
function lastDeath({ properties }: Message): unknown {
  const deaths: unknown = properties.headers?.["x-death"];
  const last: unknown = Array.isArray(deaths) ? deaths[0] : undefined;
  return typeof last === "object" && last !== null && "reason" in last ? last.reason : undefined;
}
