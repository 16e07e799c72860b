/** What puts endpoints on a bus under test. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { isPromise } from "../values/awaitable.ts";

/**
 * Refuses an async one: it would go on once the bus runs, and what it rejects with would be nobody's.
 *
 * @param given what it gave
 * @throws {ConfigurationError}
 */
export function checkConfigured(given: unknown, whose: string): void {
  if (!isPromise(given)) return;
  given.then(undefined, () => {});
  throw new ConfigurationError(
    `Cannot use { configure } of ${whose}: it gives a promise, and the bus starts without waiting for it. ` +
      `Await what it needs before, and give a function that is not async`,
  );
}
