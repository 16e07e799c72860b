/** What the server notes is not printed among what an application prints. */
import { assertEquals } from "@std/assert";
import type { PostgresOptions } from "../../../stores/postgres/mod.ts";
import { onPostgres, type Opened } from "./opened.ts";

/** What is printed while a transaction makes a table that exists. */
async function printedBy(opened: Opened, options: Partial<PostgresOptions>): Promise<readonly unknown[]> {
  const printed: unknown[] = [];
  const { log } = console;
  console.log = (...what: readonly unknown[]) => void printed.push(...what);
  try {
    const store = await opened.store(options);
    const unit = await store.begin(opened.scope());
    await unit.tx.unsafe(`CREATE TABLE IF NOT EXISTS "${opened.bench.schema}".hero_outbox (id text)`);
    await unit.commit(opened.changes());
    return printed;
  } finally {
    console.log = log;
  }
}

onPostgres("notices of the server are not printed", async (opened) => {
  assertEquals(await printedBy(opened, {}), []);
});

onPostgres("notices of the server go to the function that is given for them", async (opened) => {
  const noted: unknown[] = [];
  const onnotice = ({ code }: { readonly code?: string }): void => void noted.push(code);
  assertEquals(await printedBy(opened, { connection: { onnotice } }), []);
  assertEquals(noted.at(-1), "42P07"); // such a table exists
});
