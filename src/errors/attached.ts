/** Methods that were taken off their object. @module */
import { ConfigurationError } from "./configuration.ts";

/**
 * Refuses a method that has lost its object, as in `({ publish }) => publish(…)`, in words that say so.
 *
 * @param self its `this`
 * @throws {ConfigurationError} if there is none
 */
export function checkAttached(self: unknown, object: "bus" | "ctx" | "mediator", method: string): void {
  if (self !== undefined) return;
  throw new ConfigurationError(
    `Cannot call ${method}() apart from its ${object}: what it belongs to is lost. Call ${object}.${method}(…)`,
  );
}
