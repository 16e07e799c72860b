/** What a PostgreSQL that is killed or away does to a bus: each message has its effect once, and it is well again. */
import { assert, assertEquals } from "@std/assert";
import client from "postgres";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, createBus, event, memory, retry } from "../../mod.ts";
import { postgres, type PostgresOptions } from "../../stores/postgres/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { canStartPostgres, type PostgresCluster, startPostgresCluster } from "../support/servers/postgres.ts";
import { skipUnlessRequired } from "../support/required.ts";

const skip = skipUnlessRequired(
  canStartPostgres() ? undefined : "no PostgreSQL of Debian here: apt-get install postgresql",
);
const clock = realTime();
/** Beside the one at the usual port. */
const port = 5490;

/** Registers a test with a cluster of its own. */
function onCluster(name: string, run: (cluster: PostgresCluster) => Promise<void>): void {
  test(`postgres: ${name}`, async () => {
    const cluster = await startPostgresCluster({ port, directory: mkdtempSync(join(tmpdir(), "hero-postgres-")) });
    try {
      await run(cluster);
    } finally {
      await cluster[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs: 240_000 });
}

const Work = command<{ id: number }>("failure.work");
const Done = event<{ id: number }>("failure.done");

/** A bus whose every message leaves a row, and the means to look. */
async function application({ url }: PostgresCluster, options: Partial<PostgresOptions> = {}) {
  const bus = createBus({ name: "app", transport: memory(), store: postgres({ url, max: 16, ...options }) });
  const forever = retry.exponential({ limit: 1_000, min: "50ms", max: "500ms" });
  bus.endpoint("work", { outbox: true, retry: forever, concurrency: 8 }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx`INSERT INTO worked (id) VALUES (${id})`;
    await ctx.publish(Done, { id });
  });
  bus.endpoint("done", { outbox: true, retry: forever, concurrency: 8 }).handle(Done, async ({ id }, ctx) => {
    await ctx.tx`INSERT INTO done (id) VALUES (${id})`;
  });
  const sql = client(url, { max: 1, onnotice: () => {} });
  await sql`CREATE TABLE worked (id int)`;
  await sql`CREATE TABLE done (id int)`;
  await bus.deploy("apply");
  await bus.start();
  const count = async (table: string): Promise<readonly [all: number, different: number]> => {
    const [row] = await sql`SELECT count(*)::int AS a, count(DISTINCT id)::int AS d FROM ${sql(table)}`;
    return [row?.["a"], row?.["d"]];
  };
  return { bus, sql, count };
}

onCluster(
  "killed and started again under load, each message has its effect once and leaves its messages once",
  async (cluster) => {
    const { bus, sql, count } = await application(cluster);
    const total = 1_500;
    let last = -1;
    const sending = (async () => {
      for (let id = 0; id < total; id++) {
        await bus.send(Work, { id });
        last = id;
        if (id % 20 === 0) await clock.pass(5);
      }
    })();
    for (const at of [200, 800]) {
      await eventually(clock, `${at} to be sent`, () => last >= at, 60_000);
      await cluster.kill();
      await clock.pass(300);
      await cluster.start();
    }
    await sending;
    let found: readonly (readonly [number, number])[] = [];
    let asking = false;
    await eventually(clock, "all to be done", () => {
      if (!asking) {
        asking = true;
        Promise.all([count("worked"), count("done")]).then((now) => found = now, () => {}).finally(() =>
          asking = false
        );
      }
      return found.every(([, different]) => different >= total) && found.length === 2;
    }, 120_000);
    assertEquals(found, [[total, total], [total, total]]);
    assertEquals(bus.health().status, "healthy");
    const [rows] = await sql`SELECT count(*)::int AS n FROM hero_outbox WHERE parked`;
    assertEquals(rows?.["n"], 0);
    await bus.stop();
    await sql.end();
  },
);

onCluster("a bus that starts before its database comes up with it", async (cluster) => {
  const { bus, sql } = await application(cluster);
  await bus.stop();
  await cluster.kill();
  const later = createBus({ name: "app", store: postgres(cluster.url) });
  const got: number[] = [];
  later.endpoint("work", { outbox: true }).handle(Work, ({ id }) => void got.push(id));
  let started = false;
  const starting = later.start().then(() => started = true);
  await clock.pass(500);
  assert(!started);
  await cluster.start();
  await starting;
  await later.send(Work, { id: 1 });
  await eventually(clock, "the message", () => got.length === 1, 30_000);
  await later.stop();
  await sql.end().catch(() => {});
});
