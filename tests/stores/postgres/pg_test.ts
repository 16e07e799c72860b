/** The store over another driver keeps the same promises. */
import { assertEquals } from "@std/assert";
import { command, createBus, event } from "../../../mod.ts";
import type { SagaRow } from "../../../src/spi/rows.ts";
import { postgres, type SqlValue } from "../../../stores/postgres/mod.ts";
import { storeConformance } from "../../conformance/store.ts";
import { contentCases } from "../../conformance/store/content_cases.ts";
import { sagaCases } from "../../conformance/store/saga_cases.ts";
import { sagaFindingCases } from "../../conformance/store/saga_finding_cases.ts";
import { unitCases } from "../../conformance/store/unit_cases.ts";
import { realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";
import { pgClient, type PgTransaction } from "./pg_client.ts";
import { PostgresBench, skip } from "./server.ts";

const cases = storeConformance(() => {
  const bench = new PostgresBench();
  const own = (tx: unknown): PgTransaction => tx as PgTransaction; // this store's
  const table = `"${bench.schema}".own`;
  const store = () => postgres({ client: pgClient(bench.url), schema: bench.schema });
  return Promise.resolve({
    clock: realTime(),
    connect: store,
    elsewhere: store,
    own: {
      create: async () => void await bench.sql.unsafe(`CREATE TABLE IF NOT EXISTS ${table} (text text)`),
      add: async (tx, text) => void await own(tx).query(`INSERT INTO ${table} VALUES ($1)`, [text]),
      within: async (tx) =>
        (await own(tx).query(`SELECT text FROM ${table} ORDER BY text`)).rows.map(({ text }) => String(text)),
      all: async () => (await bench.sql.unsafe(`SELECT text FROM ${table} ORDER BY text`)).map(({ text }) => text),
    },
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  });
});
// What depends on the driver: values of all kinds, transactions. The statements are the same.
const depends = new Set([...contentCases, ...unitCases, ...sagaCases, ...sagaFindingCases].map(({ name }) => name));
for (const { name, run } of cases.filter(({ name }) => depends.has(name))) {
  test(`PostgreSQL store over pg: ${name}`, run, { skip, timeoutInMs: 60_000 });
}

const Work = command<{ id: number }>("pg.work");
const Done = event<{ id: number }>("pg.done");

onPostgres(
  "a bus over another driver gives handlers its transaction, and joins one that the caller began",
  async (opened) => {
    const { bench } = opened;
    const table = `"${bench.schema}".own`;
    const client = pgClient(bench.url);
    const bus = createBus({ name: "pg", store: postgres({ client, schema: bench.schema }) });
    const done: number[] = [];
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      await ctx.tx.query(`INSERT INTO ${table} VALUES ($1)`, [`by ${id}`]);
      await ctx.publish(Done, { id });
    });
    bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
    await bus.deploy("apply");
    await bench.sql.unsafe(`CREATE TABLE ${table} (text text)`);
    await bus.start();
    await bus.send(Work, { id: 1 });
    const own = await client.connect(new AbortController().signal);
    await own.query("BEGIN");
    await own.tx.query(`INSERT INTO ${table} VALUES ('mine')`);
    await bus.publish(Done, { id: 2 }, { tx: own.tx });
    await own.query("COMMIT");
    own.release();
    await opened.until("both events", () => done.length === 2);
    assertEquals(done.toSorted(), [1, 2]);
    assertEquals((await bench.sql.unsafe(`SELECT text FROM ${table} ORDER BY text`)).map(({ text }) => text), [
      "by 1",
      "mine",
    ]);
    await bus.stop();
  },
);

onPostgres("a commit waits for what its unit reads on another connection", async (opened) => {
  const { bench } = opened;
  const client = pgClient(bench.url);
  let read = (): void => {};
  const store = await opened.open(postgres({
    schema: bench.schema,
    client: {
      ...client,
      // A read that is slow to leave.
      query: async (text: string, values?: readonly SqlValue[]) => {
        if (text.startsWith("SELECT") && text.includes("hero_sagas")) {
          await new Promise<void>((resolve) => read = resolve);
        }
        return await client.query(text, values);
      },
    },
  }));
  const empty = { data: new Uint8Array([123, 125]), types: undefined, index: {}, state: "placed", schema: 1 };
  const before: SagaRow = { saga: "order", id: "1", incarnation: "i", version: 1, ...empty };
  const after = { ...before, version: 2 };
  await (await store.begin(opened.scope())).commit(opened.changes({ sagas: [{ before: undefined, after: before }] }));
  const unit = await store.begin(opened.scope());

  const loaded = unit.load("order", "1", false);
  const committed = unit.commit(opened.changes({ sagas: [{ before, after }] }));
  await Promise.race([committed, opened.clock.pass(200)]);
  read();

  assertEquals((await loaded)?.version, 1);
  assertEquals(await committed, []);
});
