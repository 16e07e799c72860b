/**
 * A store in a PostgreSQL database: `postgres("postgres://localhost/orders")`. Needs npm:postgres beside this package,
 * or another driver in its place.
 *
 * @example
 * ```ts
 * import { postgres } from "@hero/messaging/postgres";
 *
 * const store = postgres({ url: "postgres://localhost/orders", max: 20 });
 * ```
 *
 * @module
 */
export { postgres, type PostgresClientOptions, type PostgresOptions, type PostgresTableOptions } from "./postgres.ts";
export type {
  JoinedSession,
  SqlClient,
  SqlConnection,
  SqlRow,
  SqlSession,
  SqlValue,
  UseTransaction,
} from "./sql_client.ts";
