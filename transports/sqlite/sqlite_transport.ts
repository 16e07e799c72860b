/** The entry point's function. @module */
import { ConfigurationError, InvalidNameError } from "../../src/errors/configuration.ts";
import type { Store } from "../../src/spi/store.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { type Duration, milliseconds } from "../../src/values/duration.ts";
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";
import { Files } from "../../stores/sqlite/files.ts";
import { faultOf } from "../../stores/sqlite/path.ts";
import { SqliteStore } from "../../stores/sqlite/store.ts";
import type { SqliteTransaction } from "../../stores/sqlite/transaction.ts";
import { SqliteTransport } from "./transport.ts";

/** How queues are kept in a file. The first three are the store's where one is given. */
export interface SqliteTransportOptions {
  /**
   * What a commit survives. `"full"`: a power cut too, at the price of a wait for the disk, which messages that are ready
   * together share. `"normal"`: a killed process, but a power cut may undo the last commits. Default: `"full"`.
   */
  readonly synchronous?: "full" | "normal";
  /** What the names of the tables begin with, before `queue_`: letters, digits and `_`, at most 40. Default: `"hero_"`. */
  readonly prefix?: string;
  /** How long another process may keep the file locked before it is an error. Default: `"30s"`. */
  readonly lockTimeout?: Duration;
  /**
   * How long a message stays with a process that gives no sign of life, at least a second; renewed after a third of it.
   * Default: `"30s"`.
   */
  readonly lease?: Duration;
  /**
   * How often is looked whether another process has written, where the system has not told of it, at least 1 ms. Default:
   * `"500ms"`.
   */
  readonly pollInterval?: Duration;
  /**
   * How many messages may be on their way to the file. Above it, senders wait; from twice that on they get a
   * `BackpressureError`. Default: 10,000.
   */
  readonly maxUnsent?: number;
}

/** Of this process' transports: they share connections with each other, and with no store that they were not given. */
const files = new Files();

/** What {@linkcode SqliteTransportOptions} may name. */
const optionNames: OptionNames<SqliteTransportOptions> = {
  synchronous: true,
  prefix: true,
  lockTimeout: true,
  lease: true,
  pollInterval: true,
  maxUnsent: true,
};

/**
 * Makes a transport whose queues lie in a SQLite file, for any number of processes on one machine. Nothing happens before
 * its bus starts; `bus.deploy("apply")` makes the tables.
 *
 * @param where the file, made if it is missing, on a disk of this machine; or the bus' store, `sqlite("…")`: then what a
 * handler receives, writes and sends can be one transaction
 * @throws {ConfigurationError} if the path is empty or `":memory:"`, the store is another's, or an option is none
 * @throws {InvalidNameError} if the prefix is none
 * @throws {InvalidDurationError} if a duration is none
 * @example
 * ```ts
 * import { createBus } from "@hero/messaging";
 * import { sqliteTransport } from "@hero/messaging/sqlite/transport";
 *
 * const bus = createBus({ name: "orders", transport: sqliteTransport("queues.db") });
 * ```
 */
export function sqliteTransport(
  where: string | Store<SqliteTransaction>,
  options: SqliteTransportOptions = {},
): Transport {
  checkOptionNames(options, optionNames, "sqliteTransport()");
  const { lease = "30s", pollInterval = "500ms", maxUnsent = 10_000 } = options;
  const settings = {
    leaseMs: milliseconds(lease, "{ lease }"),
    pollMs: milliseconds(pollInterval, "{ pollInterval }"),
    maxUnsent,
  };
  const refuse = (what: string): never => {
    throw new ConfigurationError(`Cannot make a SQLite transport: ${what}`);
  };
  if (settings.leaseMs < 1_000) refuse(`a lease of ${settings.leaseMs} ms is too short. Give "1s" or more`);
  if (settings.pollMs < 1) refuse(`it cannot look every ${settings.pollMs} ms. Give "1ms" or more`);
  if (!(Number.isSafeInteger(maxUnsent) && maxUnsent >= 1)) {
    refuse(`${maxUnsent} is no { maxUnsent }. Give a whole number from 1`);
  }
  if (typeof where !== "string") {
    if (!(where instanceof SqliteStore)) return refuse(`the store is none of sqlite(). Give that, or a path`);
    for (const name of ["synchronous", "prefix", "lockTimeout"] as const) {
      if (options[name] !== undefined) refuse(`{ ${name} } is the store's. Say it in sqlite({ … }) alone`);
    }
    return new SqliteTransport(where, { ...settings, prefix: `${where.prefix}queue_` });
  }
  const { synchronous = "full", prefix = "hero_", lockTimeout = "30s" } = options;
  const fault = faultOf(where);
  if (fault !== undefined) refuse(`${fault}. Name one, or use memory() where nothing is to last`);
  if (synchronous !== "full" && synchronous !== "normal") {
    refuse(`{ synchronous: "${synchronous}" } is neither "full" nor "normal". Say one of them`);
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,39}$/.test(prefix) || /^sqlite_/i.test(prefix)) {
    throw new InvalidNameError(
      "the tables of a transport",
      prefix,
      "a prefix has 1 to 40 letters, digits and _, begins with no digit and not with sqlite_",
    );
  }
  // A store that nobody else has: its tables are never made, its connections and its writer are what is wanted.
  const own = new SqliteStore({
    path: where,
    synchronous,
    prefix,
    lockTimeoutMs: milliseconds(lockTimeout, "{ lockTimeout }"),
  }, files);
  return new SqliteTransport(own, { ...settings, prefix: `${prefix}queue_` });
}
