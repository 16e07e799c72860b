/** The entry point's function. @module */
import { ConfigurationError, InvalidNameError } from "../../src/errors/configuration.ts";
import { shown } from "../../src/errors/shown.ts";
import type { Store } from "../../src/spi/store.ts";
import { type Duration, milliseconds } from "../../src/values/duration.ts";
import { Files } from "./files.ts";
import { faultOf } from "./path.ts";
import { SqliteStore } from "./store.ts";
import type { SqliteTransaction } from "./transaction.ts";
import { checkOnlyArgument, checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";

/** Where a SQLite store keeps its rows, and how. */
export interface SqliteOptions {
  /** The file; made if it is missing. On a disk of this machine: a network's does not lock reliably. */
  readonly path: string;
  /**
   * What a commit survives. `"full"`: a power cut too, at the price of a wait for the disk. `"normal"`: a killed process,
   * but a power cut may undo the last commits. Default: `"full"`.
   */
  readonly synchronous?: "full" | "normal";
  /** What the names of the tables begin with: letters, digits and `_`, at most 40. Default: `"hero_"`. */
  readonly prefix?: string;
  /** How long another process may keep the file locked before it is an error. Default: `"30s"`. */
  readonly lockTimeout?: Duration;
}

/** Of this process: stores on one file share its connections. */
const files = new Files();

/** What {@linkcode SqliteOptions} may name. */
const optionNames: OptionNames<SqliteOptions> = {
  path: true,
  synchronous: true,
  prefix: true,
  lockTimeout: true,
};

/**
 * Makes a store in a file. Nothing happens before its bus starts; `bus.deploy("apply")` makes the tables.
 *
 * @param options the file, or more
 * @throws {ConfigurationError} if the path is empty or `":memory:"`, or an option is none
 * @throws {InvalidNameError} if the prefix is none
 */
export function sqlite(options: string | SqliteOptions): Store<SqliteTransaction>;
export function sqlite(options: string | SqliteOptions, ...more: readonly unknown[]): Store<SqliteTransaction> {
  checkOnlyArgument(more, "sqlite()", `sqlite({ path: "app.db", … })`);
  if (typeof options === "object") checkOptionNames(options, optionNames, "sqlite()");
  const given: Partial<SqliteOptions> = typeof options === "string" ? { path: options } : options ?? {};
  const { path, synchronous = "full", prefix = "hero_", lockTimeout = "30s" } = given;
  const fault = typeof path === "string" ? faultOf(path) : "it needs the path of a file, as text";
  if (typeof path !== "string" || fault !== undefined) {
    const where = typeof path === "string" ? "" : ` at ${shown(path ?? options)}`;
    throw new ConfigurationError(
      `Cannot keep a SQLite store${where}: ${fault}. Name one, or use memoryStore() where nothing is to last`,
    );
  }
  if (synchronous !== "full" && synchronous !== "normal") {
    throw new ConfigurationError(`Cannot use { synchronous: "${synchronous}" }. Say "full" or "normal"`);
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,39}$/.test(prefix) || /^sqlite_/i.test(prefix)) {
    throw new InvalidNameError(
      "the tables of a store",
      prefix,
      "a prefix has 1 to 40 letters, digits and _, begins with no digit and not with sqlite_",
    );
  }
  return new SqliteStore(
    { path, synchronous, prefix, lockTimeoutMs: milliseconds(lockTimeout, "{ lockTimeout }") },
    files,
  );
}
