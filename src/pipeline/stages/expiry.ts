/** Drops what is no longer worth handling. @module */
import { names } from "../../envelope/headers.ts";
import type { Stage } from "../stage.ts";

/**
 * Lets no expired message through: it is counted and accepted or, where asked, moved to the error queue.
 *
 * @param keep whether expired messages go to the error queue
 */
export function expiry(keep: boolean): Stage {
  return {
    name: "ttl",
    around: (next) => (consumption) => {
      const { envelope, services } = consumption;
      if (envelope.expiresAt === undefined || envelope.expiresAt > services.clock.now()) return next(consumption);
      consumption.unhandled = "expired";
      if (keep) {
        consumption.outcome = {
          outcome: "move",
          to: services.routing.queue(services.name, "_error"),
          headers: {
            [names.reason]: "expired",
            [names.failedAt]: new Date(services.clock.now()).toISOString(),
            [names.failedEndpoint]: services.name,
          },
        };
      }
    },
  };
}
