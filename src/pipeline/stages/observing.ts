/** Shows what becomes of messages: statistics and observers. @module */
import { isPromise } from "../../values/awaitable.ts";
import type { Consumption } from "../consumption.ts";
import type { Stage } from "../stage.ts";

/** Outermost: counts, and tells observers, what becomes of each message. */
export const observing: Stage = {
  name: "statistics",
  around: (next) => (consumption) => {
    const { services } = consumption;
    services.statistics.received++;
    const result = next(consumption);
    return isPromise(result) ? result.then(() => over(consumption)) : over(consumption);
  },
};

/** Inside the decoding: tells of what came. */
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

function over(consumption: Consumption): void {
  const { services, unhandled, error, lost } = consumption;
  const { statistics, observers } = services;
  const why = lost ? "lost" : unhandled;
  if (why === undefined) {
    if (error !== undefined) return;
    statistics.consumed++;
    if (!observers.any) return;
    const observed = consumption.observed();
    observers.tell((observer) => observer.consumed?.(observed));
    return;
  }
  if (why === "skipped" || why === "expired" || why === "deferred" || why === "lost") statistics[why]++;
  if (!observers.any) return;
  const observed = consumption.observed();
  observers.tell((observer) => observer.unhandled?.(observed, why));
}
