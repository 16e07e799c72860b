/** What a PostgreSQL without room on its disk does to a bus: messages are held, and have their effect when there is room. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import client from "postgres";
import { command, createBus, event, memory } from "../../mod.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { skipUnlessRequired } from "../support/required.ts";
import { test } from "../support/runner.ts";
import { canStartPostgres, type PostgresCluster, startPostgresCluster } from "../support/servers/postgres.ts";
import { fillUp, mount, noDisk, unmount } from "./small_disk.ts";

const skip = skipUnlessRequired(
  canStartPostgres() ? noDisk() : "no PostgreSQL of Debian here: apt-get install postgresql",
);
const clock = realTime();
const port = 5491;

const Work = command<{ id: number }>("disk.work");
const Done = event<{ id: number; text: string }>("disk.done");

/** A cluster whose tables are made on a small disk from then on. */
async function withDisk(run: (cluster: PostgresCluster, disk: string) => Promise<void>): Promise<void> {
  const disk = mkdtempSync(join(tmpdir(), "hero-disk-"));
  assert(mount(disk, 16));
  const cluster = await startPostgresCluster({ port, directory: mkdtempSync(join(tmpdir(), "hero-postgres-")) });
  const sql = client(cluster.url, { max: 1, onnotice: () => {} });
  try {
    const tables = join(disk, "tables");
    mkdirSync(tables, { mode: 0o700 });
    const id = (flag: string) => Number(spawnSync("id", [flag, "postgres"]).stdout.toString());
    chownSync(tables, id("-u"), id("-g"));
    await sql.unsafe(`CREATE TABLESPACE small LOCATION '${tables}'`);
    await sql`ALTER DATABASE postgres SET default_tablespace = small`;
    await run(cluster, disk);
  } finally {
    await sql.end();
    await cluster[Symbol.asyncDispose]();
    unmount(disk);
    rmdirSync(disk);
  }
}

/** What no server makes smaller. */
function noise(characters: number): string {
  return Array.from({ length: characters }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join("");
}

test("postgres: a commit that finds no room holds its message, and no try is spent", async () => {
  await withDisk(async (cluster, disk) => {
    const bus = createBus({ name: "app", transport: memory(), store: postgres({ url: cluster.url, max: 8 }) });
    const sql = client(cluster.url, { max: 1, onnotice: () => {} });
    const [done, failures]: [number[], string[]] = [[], []];
    bus.endpoint("work", { outbox: true, concurrency: 4 }).handle(Work, async ({ id }, ctx) => {
      if (id % 2 === 0) await ctx.tx`INSERT INTO worked (id) VALUES (${id})`;
      await ctx.publish(Done, { id, text: noise(1_000_000) });
    });
    bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
    const failed = ({ error }: { readonly error: Error }) => void failures.push(error.message);
    bus.observe({ retried: failed, faulted: failed });
    await bus.start();
    try {
      await sql`CREATE TABLE worked (id int) TABLESPACE pg_default`;
      const filler = join(disk, "filler");
      fillUp(filler);
      const all = Array.from({ length: 12 }, (_, id) => id);
      for (const id of all) await bus.send(Work, { id });
      const part = () => bus.health().parts.find(({ name }) => name === "store postgres");
      const told = () => part()?.reason?.includes(" held: ") === true;
      await eventually(clock, "messages to be held", () => failures.length > 0 || told(), 60_000);
      assertEquals(failures, []);
      assertStringIncludes(part()?.reason ?? "", "there is no room left");
      rmSync(filler);
      await eventually(clock, "all to have their effect", () => done.length >= all.length, 120_000);
      assertEquals([done.toSorted((a, b) => a - b), failures], [all, []]);
      const worked = await sql`SELECT id FROM worked ORDER BY id`;
      assertEquals(worked.map(({ id }) => id), all.filter((id) => id % 2 === 0));
      await eventually(clock, "health to be well", () => bus.health().status === "healthy");
    } finally {
      await bus.stop();
      await sql.end();
    }
  });
}, { skip, timeoutInMs: 240_000 });
