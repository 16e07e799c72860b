/** Tells observers of what came. @module */
import type { Stage } from "../stage.ts";

/** Tells observers of a message that has been read. */
export const receiving: Stage = {
  name: "observers",
  around: (next) => (consumption) => {
    const { observers } = consumption.services;
    if (observers.any) {
      const observed = consumption.observed();
      observers.tell((observer) => observer.received?.(observed));
    }
    return next(consumption);
  },
};
