/** The entry point's function. @module */
import type { Options, TransactionSql } from "postgres";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { JoinableStore } from "../../src/spi/store.ts";
import { type Duration, milliseconds } from "../../src/values/duration.ts";
import { loadClient } from "./client.ts";
import { checkClient, refuseClientOptions, refuseDriver, refuseInConnection } from "./given_client.ts";
import { Names } from "./names.ts";
import { PostgresJs } from "./postgres_js.ts";
import type { SqlClient } from "./sql_client.ts";
import { PostgresStore } from "./store.ts";
import { otherThanObject } from "../../src/values/kind_of.ts";
import { checkOnlyArgument, checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";

/** Where the tables are, and how they are watched: of every store. */
export interface PostgresTableOptions {
  /** The schema of the tables: letters, digits and `_`, at most 30. Made by deploying, if it is missing. Default: `"public"`. */
  readonly schema?: string;
  /** What the names of the tables begin with: letters, digits and `_`, at most 30. Default: `"hero_"`. */
  readonly prefix?: string;
  /** How often a process that waits for rows looks whether there are some. Default: `"1s"`. */
  readonly pollInterval?: Duration;
}

/** Where a store over postgres.js keeps its rows, and how. */
export interface PostgresOptions extends PostgresTableOptions {
  /** As in `postgres://user:password@host:5432/database`. Left out: `connection` and the environment say it. */
  readonly url?: string;
  /**
   * More options of postgres.js: `ssl`, `host`, `password`, `connection: { statement_timeout: 5000 }`, … Not used:
   * `max`, `prepare`, `idle_timeout`, `max_lifetime`, `onclose`. Notices of the server are dropped, not printed, unless
   * `onnotice` takes them.
   */
  readonly connection?: Omit<
    Options<Record<string, never>>,
    "max" | "prepare" | "idle_timeout" | "max_lifetime" | "onclose"
  >;
  /**
   * The most connections, without the one that listens. Each unit of work whose handler uses `ctx.tx` has one for itself:
   * as many as the `concurrency` of all endpoints with an outbox together, and two more, let none of them wait. Where
   * such units have all of them, one more is made for all else. Default: 10.
   */
  readonly max?: number;
  /**
   * How long nobody's turn may come among those who wait for a connection, at least 1 ms: then they are told so, by a
   * `StoreBusyError`, as those who have the connections may wait for one, too. Default: `"1m"`.
   */
  readonly poolTimeout?: Duration;
  /**
   * How long a connection may owe an answer, at least 1 ms. Then the server is asked on another whether it is at work for
   * it, as it is where a statement takes long or waits for a lock. If it is not, or does not say so within as long again,
   * the connection is ended, and what waits for it told at once; else it is asked again after as long. How long it may
   * take to connect is postgres.js' own `connect_timeout`. Default: `"10s"`.
   */
  readonly answerTimeout?: Duration;
  /**
   * Whether statements are prepared. Not behind a pooler that shares connections by transaction, unless it keeps prepared
   * statements. Left out: they are, where no pooler is seen.
   */
  readonly prepare?: boolean;
  /**
   * Whether to listen for what other processes write, on a connection of its own; a URL: elsewhere, past a pooler.
   * False: it is looked for every `pollInterval`. Default: true.
   */
  readonly listen?: boolean | string;
}

/** Where a store over another driver keeps its rows. */
export interface PostgresClientOptions<in out Tx> extends PostgresTableOptions {
  /** The driver; it is closed with the store. */
  readonly client: SqlClient<Tx>;
  /** As errors name the database. Default: `"the database"`. */
  readonly where?: string;
  /** Whether to listen, if the driver can. Default: true. */
  readonly listen?: boolean;
}

/** What {@linkcode PostgresOptions} may name. */
const optionNames: OptionNames<PostgresOptions> = {
  schema: true,
  prefix: true,
  pollInterval: true,
  url: true,
  connection: true,
  max: true,
  poolTimeout: true,
  answerTimeout: true,
  prepare: true,
  listen: true,
};
/** What {@linkcode PostgresClientOptions} may name. */
const clientOptionNames: OptionNames<PostgresClientOptions<unknown>> = {
  schema: true,
  prefix: true,
  pollInterval: true,
  client: true,
  where: true,
  listen: true,
};

/**
 * Makes a store in a PostgreSQL database, over npm:postgres. Nothing happens before its bus starts;
 * `bus.deploy("apply")` makes the tables.
 *
 * @param options the URL, or more
 * @throws {ConfigurationError} if an option is none
 * @throws {InvalidNameError} if schema or prefix are none
 */
export function postgres(options: string | PostgresOptions): JoinableStore<TransactionSql>;
/** The same, over another driver; `Tx` is what handlers then write with. */
export function postgres<Tx>(options: PostgresClientOptions<Tx>): JoinableStore<Tx>;
export function postgres(
  options: string | PostgresOptions | PostgresClientOptions<unknown>,
  ...more: readonly unknown[]
): JoinableStore<TransactionSql> | JoinableStore<unknown> {
  checkOnlyArgument(more, "postgres()", "postgres({ url, … })");
  const given = typeof options === "string" ? { url: options } : options;
  refuseDriver(given, "postgres()");
  refuseClientOptions(given);
  checkOptionNames(given, Object.hasOwn(given ?? {}, "client") ? clientOptionNames : optionNames, "postgres()");
  const { schema = "public", prefix = "hero_", pollInterval = "1s" } = given;
  const names = new Names(schema, prefix);
  const pollMs = milliseconds(pollInterval, "{ pollInterval }");
  if (pollMs < 1) throw new ConfigurationError(`Cannot use { pollInterval: ${pollInterval} }. Say at least 1 ms`);
  if ("client" in given) {
    const { client, where = "the database", listen = true } = given;
    checkClient(client);
    const listens = listen && client.listen !== undefined;
    return new PostgresStore({
      load: () => Promise.resolve(client),
      where,
      identity: client,
      names,
      max: client.max,
      listen: listens,
      pollMs,
    });
  }
  const { url, connection = {}, max = 10, prepare, listen = true } = given;
  const { poolTimeout = "1m", answerTimeout = "10s" } = given;
  const other = otherThanObject(connection);
  if (other !== undefined) {
    throw new ConfigurationError(
      `Cannot use ${other} as the { connection } of postgres(): it is an object of options of postgres.js. ` +
        "A URL is the { url }",
    );
  }
  refuseInConnection(connection);
  if (!Number.isInteger(max) || max < 1) {
    throw new ConfigurationError(`Cannot use { max: ${max} }. Say how many connections there may be, at least 1`);
  }
  const poolMs = milliseconds(poolTimeout, "{ poolTimeout }");
  if (poolMs < 1) throw new ConfigurationError(`Cannot use { poolTimeout: ${poolTimeout} }. Say at least 1 ms`);
  const answerMs = milliseconds(answerTimeout, "{ answerTimeout }");
  if (answerMs < 1) throw new ConfigurationError(`Cannot use { answerTimeout: ${answerTimeout} }. Say at least 1 ms`);
  const where = placeOf(url, connection);
  // postgres.js would print what the server notes, as that a table exists already, among what the application prints.
  const quiet = { onnotice: () => {}, ...connection };
  const listenUrl = typeof listen === "string" ? listen : undefined;
  if (listenUrl !== undefined) placeOf(listenUrl, {});
  return new PostgresStore<TransactionSql>({
    load: async (clock) => {
      const patience = { clock, ms: poolMs, where };
      return new PostgresJs(await loadClient(), { url, options: quiet, max, prepare, listenUrl, patience, answerMs });
    },
    where,
    identity: where,
    names,
    max,
    listen: listen !== false,
    pollMs,
  });
}

/** The database without the password. */
function placeOf(
  url: string | undefined,
  { host, port, database }: NonNullable<PostgresOptions["connection"]>,
): string {
  if (url === undefined) {
    return [
      host ?? "localhost",
      ...port === undefined ? [] : [`:${port}`],
      ...database === undefined ? [] : [
        `/${database}`,
      ],
    ].join("");
  }
  const refuse = (why: string): never => {
    throw new ConfigurationError(
      `Cannot use this URL for PostgreSQL: ${why}. Say it as in postgres://user:password@host:5432/database`,
    );
  };
  const [, authority, path = "", rest = ""] = /^postgres(?:ql)?:\/\/([^/?#]*)(\/[^?#]*)?(.*)$/s.exec(url) ?? [];
  if (authority === undefined) return refuse(`it does not begin with "postgres://"`);
  const hosts = authority.slice(authority.lastIndexOf("@") + 1);
  const user = authority.slice(0, -hosts.length || undefined);
  // Several hosts make no URL that a parser takes. A password that is cut short begins what is taken for a host.
  const [first = ""] = hosts.split(",");
  if (!isReadable(`postgres://${user}${first}${path}`) || rest.includes("#") || path.includes("@")) {
    return refuse(`it cannot be read. Write user, password and database with encodeURIComponent()`);
  }
  return `${hosts}${path}`;
}

/** Whether the client can read a URL, and what is percent-encoded in it. */
function isReadable(url: string): boolean {
  try {
    const { username, password, hostname, pathname } = new URL(url);
    for (const each of [username, password, hostname, pathname]) decodeURIComponent(each);
    return true;
  } catch {
    return false;
  }
}
