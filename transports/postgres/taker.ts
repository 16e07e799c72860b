/** Taking what a queue has, once. @module */
import type { Receiver, Sink } from "../../src/spi/transport.ts";
import type { Held } from "./message.ts";
import { type Claimed, type Place, start } from "./messages.ts";
import { PostgresReceiver } from "./receiver.ts";
import type { Services } from "./services.ts";
import type { Queue } from "./topology.ts";

/** A receiver that gets each message once that was there when it began, and ends then. */
export class Taker extends PostgresReceiver implements Receiver {
  readonly done: Promise<void>;
  readonly #last: number;
  readonly #end: () => void;
  /** The last that was taken. */
  #after: Place = start;
  #drained = false;

  /** @param last the last place that counts */
  constructor(
    services: Services,
    queue: Queue,
    sink: Sink,
    credit: number,
    among: Set<PostgresReceiver>,
    last: number,
  ) {
    super(services, queue, { credit, holdMs: Infinity, topics: [] }, sink, among);
    this.#last = last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#end = resolve;
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#drained = true;
    this.idle();
  }

  protected override get takesOffers(): boolean {
    return false;
  }

  protected override async claim(limit: number, accepted: readonly Held[]): Promise<Claimed> {
    const { database, messages, leaseMs } = this.services;
    const gone = accepted.length === 0 ? new Set<number>() : await messages.accept(database, accepted);
    const found = this.#drained
      ? []
      : await messages.take(database, this.queue.id, this.#after, this.#last, limit, leaseMs);
    const last = found.at(-1);
    if (last !== undefined) this.#after = { rank: last.rank, place: last.place };
    return { found, accepted: gone, dueInMs: Infinity };
  }

  protected override given(all: boolean): void {
    if (!all) return;
    this.#drained = true;
    this.idle();
  }

  protected override idle(): void {
    if (!this.#drained || this.claims.size > 0) return;
    this.#end();
    void super.stop();
  }
}
