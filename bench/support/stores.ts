/** Stores to measure, each empty and gone with its process. @module */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import client from "postgres";
import type { Store } from "../../src/spi/store.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { sqlite, type SqliteOptions } from "../../stores/sqlite/mod.ts";
import { listens, usualPort } from "../../tests/support/servers/postgres.ts";
import type { Requirement } from "./figure.ts";

/** Where PostgreSQL is. */
export const url: string = `postgres://postgres@127.0.0.1:${usualPort}/postgres`;
/** Of what a bench writes there: gone before the next one begins. */
export const schema = "hero_bench";

/** PostgreSQL runs, or the reason why what needs it is skipped. */
export const server: Requirement = async (): Promise<string | undefined> =>
  await listens(usualPort) ? undefined : `no PostgreSQL on 127.0.0.1:${usualPort}; start it with: deno task services`;

/** By the names that the report uses. */
export type StoreName = "memory" | "sqlite" | "postgres";

/** A file that is gone with the process. */
export function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "hero-messaging-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "bench.db");
}

/** Takes away what a run before has left in PostgreSQL. */
export async function removeSchema(name: string = schema): Promise<void> {
  const sql = client(url, { max: 1, onnotice: () => {} });
  await sql.unsafe(`DROP SCHEMA IF EXISTS "${name}" CASCADE`);
  await sql.end();
}

/** An empty store. */
export async function emptyStore(
  name: StoreName,
  synchronous: SqliteOptions["synchronous"] = "normal",
): Promise<Store<unknown>> {
  switch (name) {
    case "memory":
      return memoryStore();
    case "sqlite":
      return sqlite({ path: temporaryFile(), synchronous });
    case "postgres":
      await removeSchema();
      return postgres({ url, schema });
  }
}

/** An empty store that is open, with its tables, for a bus of this name, which does not run yet. */
export async function openStore(name: StoreName, bus: string): Promise<Store<unknown>> {
  const store = await emptyStore(name);
  await store.open({ bus, clock: systemClock, signal: new AbortController().signal, status: () => {} });
  await store.deploy("apply");
  return store;
}

/** What a store's server still has to do after much was written (clear away, count, flush) is done, and nothing else runs. */
export async function settle(name: StoreName): Promise<void> {
  if (name !== "postgres") return;
  const sql = client(url, { max: 1 });
  await sql.unsafe(`VACUUM (ANALYZE) "${schema}".hero_outbox, "${schema}".hero_schedules`);
  await sql.unsafe("CHECKPOINT");
  await sql.end();
}
