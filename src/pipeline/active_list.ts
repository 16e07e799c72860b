/** The messages that an endpoint is handling. @module */
import type { Delivery } from "../spi/transport.ts";
import type { Consumption } from "./consumption.ts";

/**
 * The messages that an endpoint is handling. Linked through themselves: a map that is filled and emptied with every
 * message keeps garbage alive until the next major collection.
 */
export class ActiveList {
  #first: Consumption | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds one. */
  add(consumption: Consumption): void {
    consumption.following = this.#first;
    if (this.#first !== undefined) this.#first.previous = consumption;
    this.#first = consumption;
    this.#size++;
  }

  /** Takes one out that was added. */
  remove(consumption: Consumption): void {
    const { previous, following } = consumption;
    if (previous === undefined) this.#first = following;
    else previous.following = following;
    if (following !== undefined) following.previous = previous;
    consumption.previous = undefined;
    consumption.following = undefined;
    this.#size--;
  }

  /** Looks all through: claims are seldom lost. */
  find(delivery: Delivery): Consumption | undefined {
    for (const consumption of this) if (consumption.delivery === delivery) return consumption;
    return undefined;
  }

  /** The latest first. The one at hand may be taken out meanwhile. */
  *[Symbol.iterator](): Generator<Consumption> {
    for (let at = this.#first; at !== undefined;) {
      const { following } = at;
      yield at;
      at = following;
    }
  }
}
