/** Where the shop keeps its rows and its queues: SQLite or PostgreSQL. Everything else is the same for both. */
import type { Store, Transport } from "@hero/messaging";
import { sqlite, type SqliteTransaction } from "@hero/messaging/sqlite";
import { sqliteTransport } from "@hero/messaging/sqlite/transport";

export type Row = Readonly<Record<string, unknown>>;
/** A statement within a transaction; what stands in `${…}` is a parameter. */
export type Sql = (strings: TemplateStringsArray, ...values: readonly (string | number)[]) => Promise<readonly Row[]>;

/** What a killed worker had in hand comes to another so much later: a day of this shop is short. */
const lease = "3s";

/** A store, queues beside it, and how to write SQL in its transactions. */
export interface Database<in out Tx> {
  readonly store: Store<Tx>;
  /** In the same database: what a handler writes and sends is one commit with the message that it handles. */
  queues(): Transport;
  sql(tx: Tx): Sql;
}

/** A file: no server. */
export function sqliteDatabase(path: string): Database<SqliteTransaction> {
  const store = sqlite(path);
  return {
    store,
    queues: () => sqliteTransport(store, { lease }),
    sql: (tx) => (strings, ...values) => tx.all(strings.join("?"), ...values),
  };
}

/** A server. Imported only if it is asked for: whoever has no PostgreSQL needs no client. */
export async function postgresDatabase(url: string): Promise<Database<Sql>> {
  const { postgres } = await import("@hero/messaging/postgres");
  const { postgresTransport } = await import("@hero/messaging/postgres/transport");
  const store = postgres(url);
  // Its transactions are templates as they are: the part of them that the shop uses.
  return { store: store as Store<Sql>, queues: () => postgresTransport(store, { lease }), sql: (tx) => tx };
}
