/** Queues in the database of a ledger: `sqlite:<path>`, or `postgres://user@host:port/database#schema`. */
import type { Store } from "../../../src/spi/store.ts";
import type { Transport } from "../../../src/spi/transport.ts";
import type { SqliteTransaction } from "../../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { openNative } from "../../stores/sqlite/native.ts";

/** How long a message stays with a process that is dead. */
export interface Leasing {
  readonly lease: "1s" | "3s" | "30s";
}

/** Queues, and what any other program sees of them. */
export interface Queues {
  /** A transport by path or URL: it knows of no store. */
  alone(options: Leasing): Transport;
  /** One that was given its bus' store, which is the ledger's. */
  given(store: Store<unknown>, options: Leasing): Transport;
  /** Runs statements; names of tables without schema. */
  run(script: string): Promise<void>;
  /** How many rows there are; names of tables without schema. */
  count(from: string): Promise<number>;
  /** Counts from now on, in a table `hops`, what is put into the outbox, which is there. */
  watchOutbox(): Promise<void>;
  /** Ends this process' own connection. */
  close(): Promise<void>;
}

/** Those beside the ledger of this address. */
export async function queuesBeside(address: string): Promise<Queues> {
  if (address.startsWith("sqlite:")) return inSqlite(address.slice("sqlite:".length));
  const { besidePostgres } = await import("./queues_beside_postgres.ts");
  return besidePostgres(address);
}

function inSqlite(path: string): Queues {
  return {
    alone: (options) => sqliteTransport(path, { synchronous: "normal", ...options }),
    given: (store, options) => sqliteTransport(store as Store<SqliteTransaction>, options), // the ledger's own
    run: (script) => openNative(path, (database) => database.exec(script)),
    count: (from) =>
      openNative(path, (database) => Number(database.prepare(`SELECT count(*) AS n FROM ${from}`).get()?.["n"])),
    watchOutbox: () =>
      openNative(path, (database) => {
        database.exec(
          "CREATE TABLE hops (id TEXT); CREATE TRIGGER hop AFTER INSERT ON hero_outbox " +
            "BEGIN INSERT INTO hops VALUES (new.id); END",
        );
      }),
    close: () => Promise.resolve(),
  };
}
