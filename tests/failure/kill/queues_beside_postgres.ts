/** Queues in the schema of a ledger in PostgreSQL. */
import client, { type TransactionSql } from "postgres";
import type { Store } from "../../../src/spi/store.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import type { Queues } from "./queues_beside.ts";

/** Those of a schema. */
export function besidePostgres(address: string): Queues {
  const [url = "", schema = ""] = address.split("#");
  const connection = { search_path: schema };
  const sql = client(url, { max: 1, onnotice: () => {}, connection });
  return {
    alone: (options) =>
      // As much as a killed process can tell apart.
      postgresTransport({ url, schema, max: 4, connection: { connection: { synchronous_commit: false } } }, options),
    given: (store, options) => postgresTransport(store as Store<TransactionSql>, options), // the ledger's own
    run: async (script) => void await sql.unsafe(script),
    count: async (from) => Number((await sql.unsafe(`SELECT count(*)::int AS n FROM ${from}`))[0]?.["n"]),
    watchOutbox: async () => {
      await sql.unsafe(`CREATE TABLE hops (id text);
        CREATE FUNCTION "${schema}".hop() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN INSERT INTO "${schema}".hops VALUES (NEW.id::text); RETURN NULL; END $$;
        CREATE TRIGGER hop AFTER INSERT ON hero_outbox FOR EACH ROW EXECUTE FUNCTION "${schema}".hop()`);
    },
    close: () => sql.end(),
  };
}
