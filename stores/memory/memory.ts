/** The entry point's functions. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Store } from "../../src/spi/store.ts";
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";
import { Database, type MemoryDatabase } from "./database.ts";
import { MemoryStore } from "./store.ts";

/** What a memory store keeps its rows in. */
export interface MemoryStoreOptions {
  /** What it shares with other stores of this process. Default: a database of its own. */
  readonly database?: MemoryDatabase;
}

const optionNames: OptionNames<MemoryStoreOptions> = { database: true };

/**
 * Makes a store that never leaves the process: inbox, outbox, sagas and schedules with the promises of a database, but
 * for what a crash leaves. All time is that of the bus' clock. It has no transaction to write with: `Tx` is `undefined`.
 *
 * @throws {ConfigurationError} if an option is none, or the database is not of `memoryDatabase()`
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store<undefined> {
  checkOptionNames(options, optionNames, "memoryStore()");
  const { database = new Database() } = options;
  if (!(database instanceof Database)) {
    throw new ConfigurationError(
      `Cannot use this database for memoryStore(): it is none. Make one with memoryDatabase()`,
    );
  }
  return new MemoryStore(database);
}

/**
 * Makes a database for the stores of one process: `memoryStore({ database })`. It outlives them, so that a bus that is
 * stopped and made again finds what was left, as after a restart. Its rows are gone with it.
 */
export function memoryDatabase(): MemoryDatabase {
  return new Database();
}
