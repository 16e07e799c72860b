/** What is sent. @module */
import { BackpressureError } from "../../src/errors/sending.ts";
import { ConflictError, StoreTimeoutError, StoreUnavailableError } from "../../src/errors/store.ts";
import { ClosedError } from "../../src/errors/transport.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import { Flight, refusalOf } from "./flight.ts";
import { retryMs, type Services } from "./services.ts";
import { transportName } from "./topology.ts";

/** More are in no single flight: messages, and bytes of their bodies. */
const [maxFlight, maxFlightBytes] = [1_000, 2 ** 24];

/** Nothing was written, and it may be soon. */
const mayBeSoon = [StoreUnavailableError, StoreTimeoutError, ConflictError] as const;

/** Sends in flights, one after the other, so that the order stays: what comes meanwhile is the next. */
export class Sender {
  readonly #services: Services;
  readonly #maxUnsent: number;
  #queue: Outgoing[] = [];
  #unsent = 0;
  /** Those who wait for room. */
  readonly #waiting: (() => void)[] = [];
  #flying: Promise<void> | undefined;
  #closed = false;

  /** @param maxUnsent above it senders wait; from twice that on they are refused */
  constructor(services: Services, maxUnsent: number) {
    this.#services = services;
    this.#maxUnsent = maxUnsent;
  }

  /** As `Transport.send`. */
  send(batch: readonly Outgoing[]): void | Promise<void> {
    for (const outgoing of batch) {
      const refusal = refusalOf(outgoing) ??
        (this.#unsent >= 2 * this.#maxUnsent ? new BackpressureError(outgoing.to, 2 * this.#maxUnsent) : undefined);
      if (refusal === undefined) {
        this.#queue.push(outgoing);
        this.#unsent++;
      } else outgoing.settled(refusal);
    }
    if (this.#queue.length > 0) this.#flying ??= this.#fly();
    if (this.#unsent > this.#maxUnsent) return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Resolves once all that was sent is settled. */
  async flush(): Promise<void> {
    await this.#flying;
  }

  /** What is not sent is not sent any more. */
  close(): void {
    this.#closed = true;
    const left = this.#queue;
    this.#queue = [];
    this.#settled(left.map((outgoing) => [outgoing, new ClosedError(`the transport "${transportName}"`), undefined]));
  }

  async #fly(): Promise<void> {
    while (this.#queue.length > 0) {
      let [count, bytes] = [0, 0];
      while (count < this.#queue.length && count < maxFlight && bytes < maxFlightBytes) {
        bytes += this.#queue[count++]?.frame.body.byteLength ?? 0;
      }
      const batch = this.#queue.splice(0, count);
      const flight = new Flight(this.#services, batch, false);
      for (;;) {
        const error = await this.#write(batch, flight);
        if (error === undefined) break;
        const again = mayBeSoon.some((kind) => error instanceof kind);
        if (!again || this.#closed) {
          this.#settled(batch.map((outgoing) => [outgoing, this.#closed ? closed(error) : error, undefined]));
          break;
        }
        this.#services.failed(error);
        await this.#services.pause(retryMs);
      }
    }
    this.#flying = undefined; // in the very turn in which nothing was left
  }

  async #write(batch: readonly Outgoing[], flight: Flight): Promise<Error | undefined> {
    const { database, worked } = this.#services;
    try {
      const told = flight.committed(await database.write(flight.begin(), database.end));
      worked();
      this.#settled(batch.map((outgoing) => {
        const result = told.get(outgoing);
        return result instanceof Error ? [outgoing, result, undefined] : [outgoing, undefined, result];
      }));
      return undefined;
    } catch (error) {
      flight.undone();
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #settled(all: readonly (readonly [Outgoing, Error | undefined, string | undefined])[]): void {
    this.#unsent -= all.length;
    for (const [outgoing, error, receipt] of all) {
      if (error === undefined) outgoing.settled(undefined, receipt);
      else outgoing.settled(error);
    }
    if (this.#unsent <= this.#maxUnsent) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }
}

function closed(cause: Error): ClosedError {
  return new ClosedError(`the transport "${transportName}"`, { cause });
}
