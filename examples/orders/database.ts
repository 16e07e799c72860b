/** Where the service keeps its rows: SQLite, or PostgreSQL. Everything else is the same for both. */
import type { Store } from "@hero/messaging";
import { sqlite, type SqliteTransaction } from "@hero/messaging/sqlite";

export type Row = Readonly<Record<string, unknown>>;
/** A statement within a transaction; what stands in `${…}` is a parameter. */
export type Sql = (strings: TemplateStringsArray, ...values: readonly (string | number)[]) => Promise<readonly Row[]>;

/** A store, and how to write SQL in its transactions. */
export interface Database<in out Tx> {
  readonly store: Store<Tx>;
  sql(tx: Tx): Sql;
}

/** A file: no server. */
export function sqliteDatabase(path: string): Database<SqliteTransaction> {
  return {
    store: sqlite(path),
    sql: (tx) => (strings, ...values) => tx.all(strings.join("?"), ...values),
  };
}

/** A server. Imported only if it is asked for: whoever has no PostgreSQL needs no client. */
export async function postgresDatabase(url: string): Promise<Database<Sql>> {
  const { postgres } = await import("@hero/messaging/postgres");
  // Its transactions are templates as they are: the part of them that the service uses.
  return { store: postgres(url) as Store<Sql>, sql: (tx) => tx };
}
