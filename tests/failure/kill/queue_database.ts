/** Where the queues of a process lie: in a SQLite file, or in a schema of PostgreSQL (`postgres://…#schema`). */
import type { Host, Transport } from "../../../src/spi/transport.ts";
import type { Store, Unit } from "../../../src/spi/store.ts";
import { sqlite, type SqliteTransaction } from "../../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";

/** How long leases are, and how often is looked. */
export interface QueueOptions {
  readonly lease?: "1s";
  readonly pollInterval?: "1h";
}

/** A store, and a transport that was given it. */
export interface Together {
  readonly store: Store<unknown>;
  readonly transport: Transport;
}

/** Queues, and a table of effects beside them. */
export interface QueueDatabase {
  /** A transport alone. */
  transport(options: QueueOptions): Transport;
  /** One that shares its transactions with a store, which is open. */
  together(host: Host, options: QueueOptions): Promise<Together>;
  /** Writes an effect in the unit's transaction. */
  write(unit: Unit<unknown>, text: string, name: string): Promise<void>;
}

/** By its address. */
export async function queueDatabase(address: string): Promise<QueueDatabase> {
  if (!address.startsWith("postgres:")) return inSqlite(address);
  const { inPostgres } = await import("./queue_postgres.ts");
  return inPostgres(address);
}

function inSqlite(path: string): QueueDatabase {
  return {
    transport: (options) => sqliteTransport(path, { synchronous: "normal", ...options }),
    together: async (host, options) => {
      const store = sqlite({ path, synchronous: "normal" });
      await store.open(host);
      return { store: store as Store<unknown>, transport: sqliteTransport(store, options) }; // its own units alone
    },
    write: async ({ tx }, text, name) => {
      await (tx as SqliteTransaction).run("INSERT INTO own VALUES (?, ?)", text, name); // of this store
    },
  };
}
