/** Forgets messages that have had their effect long ago. @module */
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Store } from "../spi/store.ts";

const everyMs = 60_000;
const atOnce = 1000;

/** Has a store forget, now and then, what its inbox need not know any longer: one process of a bus does it for all. */
export class Sweeper {
  readonly #store: Store<unknown>;
  readonly #services: () => BusServices;
  #sweptAt: number | undefined;
  /** Of the lease: this process, as long as it runs. */
  #owner: string | undefined;

  constructor(store: Store<unknown>, services: () => BusServices) {
    this.#store = store;
    this.#services = services;
  }

  /** To be called whenever there is an occasion: it looks at the time first, unless told what it was lately. */
  sweep(now: number = this.#services().clock.now()): void {
    this.#sweptAt ??= now;
    if (now - this.#sweptAt < everyMs) return;
    this.#sweptAt = now;
    // What is left over is swept the next time.
    this.#sweepAlone().catch(() => {});
  }

  async #sweepAlone(): Promise<void> {
    const { bus, newId } = this.#services();
    this.#owner ??= newId();
    if (await this.#store.lease(JSON.stringify([bus, "sweep"]), this.#owner, everyMs) === undefined) return;
    while (await this.#store.sweep(atOnce) >= atOnce);
  }
}
