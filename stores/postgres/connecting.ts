/** The first connection. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { StoreUnavailableError } from "../../src/errors/store.ts";
import { abortable } from "../../src/values/abortable.ts";
import { exponentialBackoff } from "../../src/values/backoff.ts";
import type { Database } from "./database.ts";

/** CTEs that are kept apart, hashes of 64 bits, defaults that are made in order. */
const oldest = 13;

/**
 * Resolves when the database answers. One that is not there yet is waited for, as a service and its database may start
 * together.
 *
 * @throws {ConfigurationError} if it is too old; whatever does not mend by waiting
 */
export async function connected(database: Asked, signal: AbortSignal): Promise<void> {
  const backoff = exponentialBackoff({ min: 100, max: "5s" }, Math.random);
  for (let failures = 0;; failures++) {
    signal.throwIfAborted();
    try {
      const [row] = await abortable(database.query({ text: "SHOW server_version_num", values: [] }), signal);
      const version = Math.floor(Number(row?.[0]) / 10_000);
      if (version >= oldest) return;
      throw new ConfigurationError(`Cannot use PostgreSQL ${version}: it is too old. Use ${oldest} or newer`);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = database.clock.at(database.clock.now() + backoff(failures), resolve);
    try {
      await abortable(promise, signal);
    } finally {
      cancel();
    }
  }
}

/** What is asked. */
type Asked = Pick<Database<unknown>, "query" | "clock">;
