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
  if (typeof given !== "object" || given === null || !("query" in given) || !("connect" in given)) return;
  throw new ConfigurationError(
    `Cannot use this as the options of ${whose}: it is a client of a driver. ${what}`,
  );
}
