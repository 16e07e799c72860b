/** Databases whose rows a test damages, past the store. */
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "../../src/spi/store.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { test } from "../support/runner.ts";
import { PostgresBench, skip } from "./postgres/server.ts";

/** A database, and a way to its rows. */
export interface Damaged {
  connect(): Store<unknown>;
  /** Runs a statement; tables have no schema. */
  sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Has a column hold what it never does. */
  damage(table: string, column: string, where: string): Promise<unknown>;
  /** Has a column hold a value. */
  set(table: string, column: string, value: unknown, where: string): Promise<unknown>;
}

/** Registers a test for each kind of database. */
export function damaged(name: string, run: (on: Damaged) => Promise<void>): void {
  test(`SQLite: ${name}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "hero-damaged-"));
    const path = join(folder, "store.db");
    const query = (text: string, ...values: Uint8Array[]): readonly Readonly<Record<string, unknown>>[] => {
      const database = new DatabaseSync(path, { timeout: 10_000 });
      try {
        return database.prepare(text).all(...values);
      } finally {
        database.close();
      }
    };
    try {
      await run({
        connect: () => sqlite({ path, synchronous: "normal" }),
        sql: (text) => Promise.resolve(query(text)),
        damage: (table, column, where) =>
          Promise.resolve(query(`UPDATE ${table} SET "${column}" = '{bad' WHERE ${where} RETURNING 1`)),
        set: (table, column, value, where) =>
          Promise.resolve(query(`UPDATE ${table} SET "${column}" = ? WHERE ${where} RETURNING 1`, value as Uint8Array)),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, { timeoutInMs: 120_000 });
  test(`PostgreSQL: ${name}`, async () => {
    const bench = new PostgresBench();
    const named = (text: string) => text.replaceAll(/\bhero_/g, `"${bench.schema}".hero_`);
    try {
      await run({
        connect: () => bench.store(),
        sql: async (text) => await bench.sql.unsafe(named(text)),
        damage: (table, column, where) =>
          bench.sql.unsafe(named(`UPDATE ${table} SET "${column}" = '{bad' WHERE ${where}`)).execute(),
        set: (table, column, value, where) =>
          bench.sql.unsafe(named(`UPDATE ${table} SET "${column}" = $1 WHERE ${where}`), [value as string]).execute(),
      });
    } finally {
      await bench[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs: 120_000 });
}
