/** The first connection. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { notPermitted } from "../../src/errors/not_permitted.ts";
import { StoreTimeoutError, StoreUnavailableError } from "../../src/errors/store.ts";
import { abortable } from "../../src/values/abortable.ts";
import { exponentialBackoff } from "../../src/values/backoff.ts";
import type { Database } from "./database.ts";
import { stateOf } from "./errors.ts";

/** CTEs that are kept apart, hashes of 64 bits, defaults that are made in order. */
const oldest = 13;

/**
 * Resolves when the database answers. One that is not there yet is waited for, as a service and its database may start
 * together.
 *
 * @throws {ConfigurationError} if it is too old, the server has no such database, or the runtime permits no connection
 * @throws {AccessRefusedError} if the server refuses the user or the password; whatever else does not mend by waiting
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
      if (stateOf(error) === "42704") throw unknownParameter(error as Error, database.where); // `stateOf` says so
      if (!(error instanceof StoreUnavailableError || error instanceof StoreTimeoutError)) {
        throw notPermitted(error, `PostgreSQL at "${database.where}"`, "--allow-net and --allow-env") ?? error;
      }
      // The server has answered, and says so: no start of a service makes a database.
      if (stateOf(error.cause) === "3D000") {
        throw new ConfigurationError(
          `Cannot use PostgreSQL at "${database.where}": the server has no such database. ` +
            `Create it with CREATE DATABASE, or correct the name in the URL`,
          { cause: error.cause },
        );
      }
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

/** Other libraries take settings of their own from a URL, as `?schema=`; postgres.js hands all of it on. */
function unknownParameter(error: Error, where: string): ConfigurationError {
  return new ConfigurationError(
    `Cannot use PostgreSQL at "${where}": ${error.message}. Take it out of the URL, behind the "?", or out of ` +
      `{ connection: { connection } }; schema and most connections are options: postgres({ url, schema, max })`,
    { cause: error },
  );
}

/** What is asked. */
type Asked = Pick<Database<unknown>, "query" | "clock" | "where">;
