/** Ends attempts that take too long. @module */
import { HandlerTimeoutError } from "../../errors/receiving.ts";
import type { Clock } from "../../spi/clock.ts";
import { isPromise } from "../../values/awaitable.ts";
import { Deadlines } from "../../values/deadlines.ts";
import type { Consumption } from "../consumption.ts";
import type { Stage } from "../stage.ts";

interface Attempt {
  readonly consumption: Consumption;
  readonly reject: (error: Error) => void;
}

/**
 * Fails an attempt that has not ended in time, and aborts its signal. What the handler still does is ignored, also what
 * it throws.
 */
export function timeout(timeoutInMs: number, clock: Clock): Stage {
  const deadlines = new Deadlines<Attempt>(clock, ({ consumption, reject }) => {
    const error = new HandlerTimeoutError(consumption.services.name, timeoutInMs);
    // Before the signal: a handler that ends because of it has failed all the same.
    reject(error);
    consumption.abort(error);
  });
  return {
    name: "timeout",
    around: (next) => (consumption) => {
      const result = next(consumption);
      if (!isPromise(result)) return result;
      const { promise, reject } = Promise.withResolvers<never>();
      const deadline = deadlines.add(clock.now() + timeoutInMs, { consumption, reject });
      return Promise.race([result, promise]).finally(() => deadlines.remove(deadline));
    },
  };
}
