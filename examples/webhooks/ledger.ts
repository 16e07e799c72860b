/** The ledger: watches the bus, so that in the end every webhook is accounted for. */
import type { BusObserver, ObservedDelivery, ObservedFailure, ObservedSend } from "@hero/messaging";
import { activity } from "./activity.ts";
import { WebhookReceived } from "./contracts.ts";
import { gateway } from "./gateway.ts";
import { readModel } from "./read_model.ts";

/** What happened at one endpoint. */
export interface Entry {
  consumed: number;
  retried: number;
  faulted: number;
}

/** Counts what happens at each endpoint, and measures the time from a webhook's arrival to its place in the read model. */
export class Ledger implements BusObserver {
  readonly #entries = new Map<string, Entry>();
  readonly #arrivedAt = new Map<string, number>();
  readonly #published = new Map<string, number>();
  readonly #latenciesInMs: number[] = [];
  #wake: () => void = () => {};
  #putBack = 0;

  /** A webhook has arrived; it is about to be sent. */
  arrived(deliveryId: string): void {
    this.#arrivedAt.set(deliveryId, performance.now());
  }
  /** Messages were put back from the error queue of the gateway. */
  putBack(count: number): void {
    this.#putBack += count;
  }

  published({ name, error }: ObservedSend): void {
    if (error === undefined) this.#published.set(name, (this.#published.get(name) ?? 0) + 1);
    this.#wake();
  }
  consumed({ endpoint, message }: ObservedDelivery): void {
    this.at(endpoint).consumed++;
    if (endpoint === readModel) this.#arriveAtReadModel(message as WebhookReceived); // it handles nothing else
    this.#wake();
  }
  retried({ endpoint }: ObservedFailure): void {
    this.at(endpoint).retried++;
  }
  faulted({ endpoint }: ObservedFailure): void {
    this.at(endpoint).faulted++;
    this.#wake();
  }

  #arriveAtReadModel({ deliveryId }: WebhookReceived): void {
    const at = this.#arrivedAt.get(deliveryId);
    if (at !== undefined) this.#latenciesInMs.push(performance.now() - at);
  }

  /** What happened at an endpoint so far. */
  at(endpoint: string): Entry {
    let entry = this.#entries.get(endpoint);
    if (entry === undefined) this.#entries.set(endpoint, entry = { consumed: 0, retried: 0, faulted: 0 });
    return entry;
  }
  /** Webhooks that have arrived. */
  get arrivals(): number {
    return this.#arrivedAt.size;
  }
  /** Messages that were put back. */
  get returns(): number {
    return this.#putBack;
  }
  /** Webhooks that the gateway has neither handled nor given up. */
  get underWay(): number {
    return this.arrivals + this.#putBack - this.#over(gateway);
  }
  /** Whether nothing is under way, neither webhooks nor the events that follow from them. */
  get idle(): boolean {
    const ofOwnKind = this.allPublished - this.publishedOf(WebhookReceived.name);
    return this.underWay === 0 && this.#over(readModel) === this.allPublished && this.#over(activity) === ofOwnKind;
  }
  #over(endpoint: string): number {
    const { consumed, faulted } = this.at(endpoint);
    return consumed + faulted;
  }
  /** Events published: those of one contract, or all. */
  publishedOf(contract: string): number {
    return this.#published.get(contract) ?? 0;
  }
  get allPublished(): number {
    return [...this.#published.values()].reduce((sum, count) => sum + count, 0);
  }
  /** From arrival to the read model, in milliseconds, the shortest first; of what came since this was last asked. */
  takeLatencies(): readonly number[] {
    return this.#latenciesInMs.splice(0).sort((a, b) => a - b);
  }

  /** Resolves when `condition` holds; asked again whenever something happened. */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition()) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        signal.addEventListener("abort", wake, { once: true });
        this.#wake = wake;
      });
    }
  }
}
