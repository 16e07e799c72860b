/** Drops what is no longer worth handling. @module */
import { names } from "../../envelope/headers.ts";
import type { Consumption } from "../consumption.ts";

/**
 * Whether a message has expired, unless an operator has put it back since: it is counted and accepted or, where the
 * endpoint keeps such, moved to the error queue.
 *
 * @param keep whether it does
 */
export function expired(consumption: Consumption, keep: boolean): boolean {
  const { envelope: { expiresAt }, services } = consumption;
  if (expiresAt === undefined || expiresAt > services.clock.now()) return false;
  if (consumption.delivery.frame.headers[names.putBackAt] !== undefined) return false;
  consumption.unhandled = "expired";
  if (keep) {
    consumption.putAside("_error", {
      [names.reason]: "expired",
      [names.failedAt]: new Date(services.clock.now()).toISOString(),
      [names.failedEndpoint]: services.name,
    });
  }
  return true;
}
