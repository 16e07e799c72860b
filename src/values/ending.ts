/** How a unit of work hears that it is to end. @module */

/**
 * Ends a unit when its signal aborts. Lets go of it when it has ended: what a runtime makes for a listener may live in
 * V8's old generation from the start, and all that it refers to outlives small collections, too.
 */
export class Ending {
  /** `undefined`: it has ended. */
  unit: { end(cause: unknown): void } | undefined;

  /** @param unit that ends */
  constructor(unit: { end(cause: unknown): void }) {
    this.unit = unit;
  }

  /** Called by the signal. */
  handleEvent({ target }: Event): void {
    this.unit?.end((target as AbortSignal).reason); // it listens at nothing else
  }
}
