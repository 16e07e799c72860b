/** A ledger in PostgreSQL: `postgres://user@host:port/database#schema`. */
import client, { type TransactionSql } from "postgres";
import { postgres } from "../../../stores/postgres/mod.ts";
import type { Ledger } from "./ledger.ts";

/** A ledger in a schema of its own. */
export function inPostgres(address: string): Ledger<TransactionSql> {
  const [url = "", schema = ""] = address.split("#");
  const sql = client(url, { max: 1, onnotice: () => {} });
  const own = (table: string): string => `"${schema}".${table}`;
  const count = async (table: string): Promise<number> => {
    const [row] = await sql.unsafe(`SELECT count(*)::int AS n FROM ${own(table)}`);
    return Number(row?.["n"]);
  };
  return {
    clock: "database",
    prepare: async () => {
      await sql.unsafe(`CREATE SCHEMA "${schema}";
        CREATE TABLE ${own("effects")} (step text NOT NULL, input integer NOT NULL);
        CREATE TABLE ${own("numbers")} (last integer NOT NULL);
        INSERT INTO ${own("numbers")} VALUES (0)`);
    },
    // As much as a killed process can tell apart.
    store: () => postgres({ url, schema, max: 6, connection: { connection: { synchronous_commit: false } } }),
    write: async (tx, { step, input }) => {
      await tx`INSERT INTO ${tx(`${schema}.effects`)} (step, input) VALUES (${step}, ${input})`;
    },
    next: async (tx) => {
      const [row] = await tx`UPDATE ${tx(`${schema}.numbers`)} SET last = last + 1 RETURNING last`;
      return Number(row?.["last"]);
    },
    effects: async () => {
      const rows = await sql.unsafe(`SELECT step, input FROM ${own("effects")}`);
      return rows.map(({ step, input }) => ({ step: String(step), input: Number(input) }));
    },
    left: async () => ({
      inbox: await count("hero_inbox"),
      outbox: await count("hero_outbox"),
      schedules: await count("hero_schedules"),
    }),
    endLeases: async () => {
      for (const table of ["hero_outbox", "hero_schedules"]) {
        const [there] = await sql`SELECT to_regclass(${own(table)}) AS name`;
        if (there?.["name"] != null) {
          await sql.unsafe(`UPDATE ${own(table)} SET free_at = due_at WHERE free_at > due_at`);
        }
      }
    },
    close: () => sql.end(),
    drop: async () => void await sql.unsafe(`DROP SCHEMA "${schema}" CASCADE`),
  };
}
