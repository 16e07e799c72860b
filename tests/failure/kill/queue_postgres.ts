/** Queues in PostgreSQL: `postgres://user@host:port/database#schema`. */
import type { TransactionSql } from "postgres";
import type { Store } from "../../../src/spi/store.ts";
import { postgres } from "../../../stores/postgres/mod.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import type { QueueDatabase } from "./queue_database.ts";

/** Those of a schema. */
export function inPostgres(address: string): QueueDatabase {
  const [url = "", schema = ""] = address.split("#");
  return {
    transport: (options) => postgresTransport({ url, schema, max: 3 }, options),
    together: async (host, options) => {
      const store = postgres({ url, schema, max: 6 });
      await store.open(host);
      return { store: store as Store<unknown>, transport: postgresTransport(store, options) }; // its own units alone
    },
    write: async (unit, text, name) => {
      const tx = unit.tx as TransactionSql; // of this store
      await tx`INSERT INTO ${tx(`${schema}.own`)} VALUES (${text}, ${name})`;
    },
  };
}
