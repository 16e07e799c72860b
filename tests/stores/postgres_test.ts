/** The PostgreSQL store keeps the promises of a store, on a real database. */
import type { TransactionSql } from "postgres";
import { storeConformance } from "../conformance/store.ts";
import { realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { PostgresBench, skip } from "./postgres/server.ts";

const cases = storeConformance(() => {
  const bench = new PostgresBench();
  const own = (tx: unknown): TransactionSql => tx as TransactionSql; // this store's
  return Promise.resolve({
    clock: realTime(),
    connect: () => bench.store(),
    elsewhere: () => bench.store(),
    own: {
      create: async () => void await bench.sql.unsafe(`CREATE TABLE IF NOT EXISTS "${bench.schema}".own (text text)`),
      async add(tx, text) {
        const sql = own(tx);
        await sql`INSERT INTO ${sql(`${bench.schema}.own`)} VALUES (${text})`;
      },
      async within(tx) {
        const sql = own(tx);
        return (await sql`SELECT text FROM ${sql(`${bench.schema}.own`)} ORDER BY text`).map(({ text }) => text);
      },
      all: async () =>
        (await bench.sql`SELECT text FROM ${bench.sql(`${bench.schema}.own`)} ORDER BY text`).map(({ text }) => text),
    },
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  });
});
for (const { name, run } of cases) test(`PostgreSQL store: ${name}`, run, { skip, timeoutInMs: 60_000 });
