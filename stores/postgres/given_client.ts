/** What an application gives for a driver. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { otherThanObject } from "../../src/values/kind_of.ts";
import type { SqlClient } from "./sql_client.ts";

/** What each driver must have. */
const needed = ["connect", "query", "join", "defer", "close"] as const satisfies readonly (keyof SqlClient<unknown>)[];

const what = "Give a SqlClient, made around the driver; or { url }, for which npm:postgres is the driver";

/**
 * Refuses what is no driver as a store uses it, above all another library's pool.
 *
 * @throws {ConfigurationError} which says what it lacks
 */
export function checkClient(client: unknown): void {
  const refuse = (why: string): never => {
    throw new ConfigurationError(`Cannot use this { client } of postgres(): ${why}. ${what}`);
  };
  const other = otherThanObject(client);
  if (other !== undefined) refuse(`it is ${other}`);
  const given = client as Partial<Record<keyof SqlClient<unknown>, unknown>>; // asked for what it has
  const lacks = needed.filter((name) => typeof given[name] !== "function");
  const missing = Number.isInteger(given.max) ? lacks : ["max", ...lacks];
  if (missing.length > 0) refuse(`it lacks ${missing.join(", ")}`);
}

/**
 * Refuses a client of a driver where options are wanted.
 *
 * @param whose as in `postgres()`
 * @throws {ConfigurationError} which says where it belongs
 */
export function refuseDriver(given: unknown, whose: string): void {
  if (typeof given === "function" && "unsafe" in given) {
    throw new ConfigurationError(
      `Cannot use this as the options of ${whose}: it is a client of postgres.js. Give { url }, and in { connection } ` +
        "what else that has; what is sent with { tx } joins its transactions",
    );
  }
  if (typeof given !== "object" || given === null || !("query" in given) || !("connect" in given)) return;
  throw new ConfigurationError(
    `Cannot use this as the options of ${whose}: it is a client of a driver. ${what}`,
  );
}

/** How else a URL is called. */
const urlNames = ["connectionString", "uri", "dsn"];
/** Options of postgres.js that people look for beside the URL, where it has them itself. */
const clientsOwn = [
  "host",
  "port",
  "path",
  "database",
  "username",
  "user",
  "password",
  "pass",
  "ssl",
  "connect_timeout",
  "target_session_attrs",
  "fetch_types",
  "onnotice",
  "types",
  "transform",
  "debug",
];
/** What the store says of each connection itself. */
const storesOwn = ["idle_timeout", "max_lifetime", "onclose"];
/** What has a name of the store's own. */
const besides = ["max", "prepare"];

/**
 * Refuses options that have another name, or another place, here.
 *
 * @throws {ConfigurationError} which says it
 */
export function refuseClientOptions(given: unknown): void {
  if (otherThanObject(given) !== undefined) return;
  for (const name of Object.keys(given as object)) { // seen above
    const what = urlNames.includes(name)
      ? "Write { url }"
      : clientsOwn.includes(name)
      ? `Write { connection: { ${name} } }, as it is postgres.js'`
      : storesOwn.includes(name)
      ? "The store ends its connections itself: leave it out"
      : undefined;
    if (what === undefined) continue;
    throw new ConfigurationError(`Cannot use { ${name} } for postgres(): there is no such option. ${what}`);
  }
}

/**
 * Refuses, in `{ connection }`, what would have no effect there.
 *
 * @throws {ConfigurationError} which says what to do instead
 */
export function refuseInConnection(connection: object): void {
  for (const name of Object.keys(connection)) {
    const what = besides.includes(name)
      ? `Write it beside that: postgres({ url, ${name}, connection })`
      : storesOwn.includes(name)
      ? "The store ends its connections itself: leave it out"
      : undefined;
    if (what === undefined) continue;
    throw new ConfigurationError(
      `Cannot use { ${name} } in the { connection } of postgres(): it has no effect. ${what}`,
    );
  }
}
