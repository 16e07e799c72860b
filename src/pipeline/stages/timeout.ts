/** Ends attempts that take too long. @module */
import { isPromise } from "../../values/awaitable.ts";
import type { Stage } from "../stage.ts";
import type { TimeLimit } from "../time_limit.ts";

/** Fails an attempt that has not ended in time. What waits for its batch is not timed: the batch is. */
export function timeout(limit: TimeLimit): Stage {
  return {
    name: "timeout",
    around: (next) => (consumption) => {
      const result = next(consumption);
      if (!isPromise(result)) return result;
      const batched = consumption.match?.readings.every(({ binding }) => binding.batched) ?? false;
      return batched ? result : limit.hold(result, [consumption]);
    },
  };
}
