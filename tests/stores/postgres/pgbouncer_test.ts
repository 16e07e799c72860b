/** Behind a pooler that shares connections by transaction, nothing needs a session. */
import process from "node:process";
import { assert, assertEquals, assertRejects } from "@std/assert";
import client from "postgres";
import { command, ConfigurationError, createBus, event } from "../../../mod.ts";
import { postgres, type PostgresOptions } from "../../../stores/postgres/mod.ts";
import { PostgresJs } from "../../../stores/postgres/postgres_js.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";
import { canStartPgbouncer, startPgbouncer } from "../../support/servers/pgbouncer.ts";
import { Opened } from "./opened.ts";
import { PostgresBench, skip, url } from "./server.ts";
import { skipUnlessRequired } from "../../support/required.ts";

const missing = skipUnlessRequired(
  canStartPgbouncer() ? undefined : "no PgBouncer of Debian here: apt-get install pgbouncer",
);
const Work = command<{ id: number }>("pooled.work");
const Done = event<{ id: number }>("pooled.done");

/** A bus behind a pooler with fewer connections than units. */
async function worksBehindPooler(options: Pick<PostgresOptions, "prepare">): Promise<void> {
  const pooler = await startPgbouncer(6_440 + process.pid % 400, new URL(url), 3);
  const opened = new Opened(new PostgresBench());
  const { bench: { sql, schema } } = opened;
  const bus = createBus({
    name: "pooled",
    // `listen` past the pooler, which would hand on no notices.
    store: postgres({ url: pooler.url, schema, max: 8, listen: url, ...options }),
  });
  try {
    const done: number[] = [];
    bus.endpoint("work", { outbox: true, concurrency: 8 }).handle(Work, async ({ id }, ctx) => {
      await ctx.tx`INSERT INTO ${ctx.tx(`${schema}.own`)} VALUES (${id})`;
      await ctx.publish(Done, { id });
    });
    bus.endpoint("collected", { outbox: true, concurrency: 8 }).handle(Done, ({ id }) => void done.push(id));
    await bus.deploy("apply");
    await sql.unsafe(`CREATE TABLE "${schema}".own (id int)`);
    await bus.start();
    await Promise.all(Array.from({ length: 100 }, (_, id) => bus.send(Work, { id })));
    await bus.schedule(Done, { id: 100 }, { in: 50 });
    await opened.until("all to be done", () => done.length >= 101);
    assertEquals(done.toSorted((a, b) => a - b), Array.from({ length: 101 }, (_, id) => id));
    const [row] = await sql.unsafe(`SELECT count(*)::int AS n, count(DISTINCT id)::int AS d FROM "${schema}".own`);
    assertEquals([row?.["n"], row?.["d"]], [100, 100]);
    const [used] = await sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE ${`%${schema}%`}`;
    assert(used?.["n"] <= 3 + 2 + 1, `${used?.["n"]} connections`);
  } finally {
    await bus.stop();
    await opened[Symbol.asyncDispose]();
    await pooler[Symbol.asyncDispose]();
  }
}

test(
  "PostgreSQL: a bus behind a pooler with fewer connections than units does all of its work once",
  () => worksBehindPooler({ prepare: false }),
  { skip: skip ?? missing },
);

// The client would wait for answers that never come, once a connection of the pooler has another server behind it.
test(
  "PostgreSQL: a bus that was not told of the pooler finds out, and does all of its work once as well",
  () => worksBehindPooler({}),
  { skip: skip ?? missing },
);

/** Opens a store that was told to prepare, behind a pooler with so many connections, and has it do some work. */
async function preparesBehindPooler(connections: number): Promise<void> {
  const pooler = await startPgbouncer(6_440 + process.pid % 400, new URL(url), connections);
  const opened = new Opened(new PostgresBench());
  const store = postgres({ url: pooler.url, schema: opened.bench.schema, prepare: true, listen: false });
  try {
    await opened.open(store);
    await (await store.begin(opened.scope())).commit(opened.changes({ outbox: [opened.row()] }));
    assertEquals((await store.outbox.stats(opened.bus)).waiting, 1);
  } finally {
    await store.close();
    await opened[Symbol.asyncDispose]();
    await pooler[Symbol.asyncDispose]();
  }
}

test(
  "PostgreSQL: a store that is told to prepare is refused behind a pooler that keeps no prepared statements",
  async () => void await assertRejects(() => preparesBehindPooler(3), ConfigurationError, "max_prepared_statements"),
  { skip: skip ?? missing },
);

test(
  "PostgreSQL: a store that is told to prepare does, behind a pooler of which nobody can say that it may not",
  () => preparesBehindPooler(1),
  { skip: skip ?? missing },
);

test(
  "PostgreSQL: behind a pooler, where the server cannot say for whom it is at work, all are waited for",
  async () => {
    const pooler = await startPgbouncer(6_440 + process.pid % 400, new URL(url), 1);
    /** Whether it is minded that a statement takes long. */
    const minds = async (through: string, prepare: boolean | undefined): Promise<boolean> => {
      const clock = new FakeClock();
      const patience = { clock, ms: 60_000, where: "the database" };
      const options = { onnotice: () => {} };
      const all = { options, max: 1, prepare, patience, answerMs: 100, listenUrl: undefined };
      const driver = new PostgresJs(client, { url: through, ...all });
      try {
        await driver.query("SELECT 1");
        clock.advance(1_000); // what was looked at before it was seen what stands there
        const answer = driver.query("SELECT 2");
        await undefined;
        const minded = clock.waiting > 0;
        await answer;
        return minded;
      } finally {
        await driver.close();
      }
    };
    try {
      const found = [];
      for (const prepare of [undefined, false]) {
        found.push([
          await minds(url, prepare),
          await minds(pooler.url, prepare),
        ]);
      }
      assertEquals(found, [[true, false], [true, false]]);
    } finally {
      await pooler[Symbol.asyncDispose]();
    }
  },
  { skip: skip ?? missing },
);
