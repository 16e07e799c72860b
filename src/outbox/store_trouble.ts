/** What units of work meet at their store. @module */
import { tellsOfStore } from "../errors/store.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Store } from "../spi/store.ts";

/** For so long a unit that has failed says how the store is, unless another is committed. */
const setbackMs = 60_000;
/** However many wait for a store, it is asked no more often: each time may be a connection that is made anew. */
const askEveryMs = 1_000;

/** Knows what a store has failed, and what waits until it takes something. */
export class StoreTrouble {
  readonly #store: Pick<Store<unknown>, "lease">;
  readonly #services: () => BusServices;
  /** The last unit that the store has failed, if none was committed since. */
  #setback: { readonly error: Error; readonly at: number } | undefined;
  /** What waits until the store takes something. */
  readonly #holds = new Set<{ readonly error: Error; readonly messages: number }>();
  #trying: Promise<unknown> | undefined;
  /** What it has said when it was asked last, if it took nothing. */
  #refused: { readonly error: unknown; readonly at: number } | undefined;

  constructor(store: Pick<Store<unknown>, "lease">, services: () => BusServices) {
    this.#store = store;
    this.#services = services;
  }

  /** What the last unit failed with, where that was the store's doing, and lately. */
  get setback(): Error | undefined {
    if (this.#setback === undefined) return undefined;
    const { error, at } = this.#setback;
    return this.#services().clock.now() - at < setbackMs ? error : undefined;
  }
  /** How many messages wait until the store takes something, and what it said last. */
  get held(): { readonly messages: number; readonly error: Error } | undefined {
    const last = [...this.#holds].at(-1);
    if (last === undefined) return undefined;
    let messages = 0;
    for (const each of this.#holds) messages += each.messages;
    return { messages, error: last.error };
  }

  /** A unit was committed. */
  over(): void {
    this.#setback = this.#refused = undefined;
  }
  /** A unit has failed: a statement says how the store is as well as a commit does. */
  failed(error: unknown): void {
    if (tellsOfStore(error)) this.#setback = { error, at: this.#services().clock.now() };
  }

  /**
   * Messages wait until the store takes something.
   *
   * @returns to be called when they wait no longer
   */
  hold(error: Error, messages: number): () => void {
    const hold = { error, messages };
    this.#holds.add(hold);
    return () => void this.#holds.delete(hold);
  }

  /** Writes what changes nothing, once for all who ask within a second; rejects where the store takes nothing. */
  async tryWrite(): Promise<void> {
    const { bus, newId, clock } = this.#services();
    if (this.#refused !== undefined) {
      const { error, at } = this.#refused;
      if (Math.abs(clock.now() - at) < askEveryMs) throw error;
    }
    this.#trying ??= this.#store.lease(JSON.stringify([bus, "try"]), newId(), 1).then(() => {
      this.#refused = undefined;
    }, (error) => {
      this.#refused = { error, at: clock.now() };
      throw error;
    }).finally(() => this.#trying = undefined);
    await this.#trying;
  }
}
