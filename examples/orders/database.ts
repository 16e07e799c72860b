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

/** A server, where the entry point and its client are installed. Its transactions are SQL templates as they are. */
export async function postgresDatabase(url: string): Promise<Database<Sql>> {
  // By a name that is not written out: whoever has no PostgreSQL needs no client.
  const entryPoint = "@hero/messaging/postgres";
  const { postgres } = await import(entryPoint) as { readonly postgres: (url: string) => Store<Sql> };
  return { store: postgres(url), sql: (tx) => tx };
}
