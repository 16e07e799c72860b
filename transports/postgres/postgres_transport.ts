/** The entry point's function. @module */
import type { Sql } from "postgres";
import { ConfigurationError, InvalidNameError } from "../../src/errors/configuration.ts";
import { shown } from "../../src/errors/shown.ts";
import type { Store } from "../../src/spi/store.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { type Duration, milliseconds } from "../../src/values/duration.ts";
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";
import { optionsOf } from "../../stores/postgres/client_options.ts";
import { Names } from "../../stores/postgres/names.ts";
import { postgres, type PostgresClientOptions, type PostgresOptions } from "../../stores/postgres/postgres.ts";
import { otherThanObject } from "../../src/values/kind_of.ts";
import { refuseDriver } from "../../stores/postgres/given_client.ts";
import { PostgresStore } from "../../stores/postgres/store.ts";
import { PostgresTransport } from "./transport.ts";

/** How queues are kept in a database. */
export interface PostgresTransportOptions {
  /**
   * How long a message stays with a process that gives no sign of life, at least a second; renewed after a third of it.
   * Default: `"30s"`.
   */
  readonly lease?: Duration;
  /**
   * How often a receiver that waits looks for messages, whatever it hears of them, at least 1 ms. Default: `"500ms"`.
   */
  readonly pollInterval?: Duration;
  /**
   * How many messages may be on their way to the database. Above it, senders wait; from twice that on they get a
   * `BackpressureError`. Default: 10,000.
   */
  readonly maxUnsent?: number;
}

/** What {@linkcode PostgresTransportOptions} may name. */
const optionNames: OptionNames<PostgresTransportOptions> = { lease: true, pollInterval: true, maxUnsent: true };

/**
 * Makes a transport whose queues lie in a PostgreSQL database, for any number of processes. Nothing happens before its bus
 * starts; `bus.deploy("apply")` makes the tables.
 *
 * @param where the URL; or a client of postgres.js, which is asked where it connects to, and neither used nor closed; or
 * all options of `postgres()`, with another driver among them; or the bus' store, `postgres(…)`: then what a handler
 * receives, writes and sends can be one transaction
 * @throws {ConfigurationError} if the store is another's, or an option is none
 * @throws {InvalidNameError} if schema or prefix are none, or the prefix is longer than 24 characters
 * @throws {InvalidDurationError} if a duration is none
 * @example
 * ```ts
 * import { createBus } from "@hero/messaging";
 * import { postgresTransport } from "@hero/messaging/postgres/transport";
 *
 * const bus = createBus({ name: "orders", transport: postgresTransport("postgres://localhost/orders") });
 * ```
 */
export function postgresTransport<Tx>(
  where: string | Sql | PostgresOptions | PostgresClientOptions<Tx> | Store<Tx>,
  options: PostgresTransportOptions = {},
): Transport {
  checkOptionNames(options, optionNames, "postgresTransport()");
  const { lease = "30s", pollInterval = "500ms", maxUnsent = 10_000 } = options;
  const settings = {
    leaseMs: milliseconds(lease, "{ lease }"),
    pollMs: milliseconds(pollInterval, "{ pollInterval }"),
    maxUnsent,
    given: where instanceof PostgresStore,
  };
  const refuse = (what: string): never => {
    throw new ConfigurationError(`Cannot make a PostgreSQL transport: ${what}`);
  };
  if (settings.leaseMs < 1_000) refuse(`a lease of ${settings.leaseMs} ms is too short. Give "1s" or more`);
  if (settings.pollMs < 1) refuse(`it cannot look every ${settings.pollMs} ms. Give "1ms" or more`);
  if (!(Number.isSafeInteger(maxUnsent) && maxUnsent >= 1)) {
    refuse(`${maxUnsent} is no { maxUnsent }. Give a whole number from 1`);
  }
  if (where instanceof PostgresStore) return new PostgresTransport(where, namesOf(where), settings);
  // A client of postgres.js is a function that has `begin` as well.
  if (typeof where === "function") {
    if (otherThanObject(where.options) !== undefined) {
      return refuse("the function is no client of postgres.js. Give what that made, as in postgres(url)");
    }
    return postgresTransport(optionsOf(where), options);
  }
  if (typeof where !== "string" && (typeof where !== "object" || where === null)) {
    return refuse(`${shown(where)} is no place for its tables. Give a URL, or the store that postgres() made`);
  }
  refuseDriver(where, "postgresTransport()");
  if (typeof where !== "string" && "begin" in where) {
    return refuse(`the store is none of postgres(). Give that, or a URL`);
  }
  // A store that nobody else has: its tables are never made, its connections are what is wanted.
  // Soon enough for a lease to be renewed by another connection in time.
  const answerTimeout = Math.min(settings.leaseMs / 3, 10_000);
  const own = typeof where === "string"
    ? postgres({ url: where, answerTimeout })
    : "client" in where
    ? postgres(where)
    : postgres({ answerTimeout, ...where });
  if (!(own instanceof PostgresStore)) return refuse(`the store is none of postgres()`);
  return new PostgresTransport(own, namesOf(own), settings);
}

/** The tables' names, beside the store's. */
function namesOf({ names: { schema, prefix } }: { readonly names: Names }): Names {
  if (prefix.length > 24) {
    throw new InvalidNameError("the tables of a transport", prefix, "a prefix of queues has 24 characters at most");
  }
  return new Names(schema, `${prefix}queue_`);
}
