/** What was done, written by the handlers' own transactions: the judge of whether it was done once. */
import { rm } from "node:fs/promises";
import type { Store } from "../../../src/spi/store.ts";
import { sqlite, type SqliteTransaction } from "../../../stores/sqlite/mod.ts";
import { openNative } from "../../stores/sqlite/native.ts";

/** Something that a handler has done for an input. */
export interface Effect {
  readonly step: string;
  readonly input: number;
}
/** What is left in the library's own tables. */
export interface Left {
  readonly inbox: number;
  readonly outbox: number;
  readonly schedules: number;
}

/** A database with a store and a ledger in it. Nothing in the ledger hinders a second effect: it would be seen. */
export interface Ledger<in out Tx> {
  /** Whose time leases run out by: a process', which can be told another time, or the database's own. */
  readonly clock: "process" | "database";
  /** Makes the ledger's tables. */
  prepare(): Promise<void>;
  /** The library's store in it. */
  store(): Store<Tx>;
  /** Writes an effect within a handler's transaction. */
  write(tx: Tx, effect: Effect): Promise<void>;
  /** The next number, from 1: whoever has it holds all others up until its transaction has ended. */
  next(tx: Tx): Promise<number>;
  /** All effects. */
  effects(): Promise<readonly Effect[]>;
  /** What the library has left. */
  left(): Promise<Left>;
  /** Lets all leases run out, where it is the database that has the time. */
  endLeases(): Promise<void>;
  /** Ends this process' own connection. */
  close(): Promise<void>;
  /** Takes everything away. */
  drop(): Promise<void>;
}

/** A ledger by its address: `sqlite:<path>`, or that of a PostgreSQL database with a schema behind `#`. */
export async function ledgerAt(url: string): Promise<Ledger<unknown>> {
  // Each ledger's own store gives it its own transactions.
  if (url.startsWith("sqlite:")) return inSqlite(url.slice("sqlite:".length)) as Ledger<unknown>;
  const { inPostgres } = await import("./postgres_ledger.ts");
  return inPostgres(url) as Ledger<unknown>;
}

function inSqlite(path: string): Ledger<SqliteTransaction> {
  return {
    clock: "process",
    prepare: () =>
      openNative(path, (database) => {
        database.exec(
          "PRAGMA journal_mode = WAL; CREATE TABLE effects (step TEXT NOT NULL, input INTEGER NOT NULL); " +
            "CREATE TABLE numbers (last INTEGER NOT NULL); INSERT INTO numbers VALUES (0)",
        );
      }),
    store: () => sqlite({ path, synchronous: "normal" }), // as much as a killed process can tell apart
    write: async (tx, { step, input }) => {
      await tx.run("INSERT INTO effects (step, input) VALUES (?, ?)", step, input);
    },
    next: async (tx) => {
      const row = await tx.get<{ last: number }>("UPDATE numbers SET last = last + 1 RETURNING last");
      return row?.last ?? 0;
    },
    effects: () =>
      openNative(path, (database) =>
        database.prepare("SELECT step, input FROM effects").all()
          .map(({ step, input }) => ({ step: String(step), input: Number(input) }))),
    left: () =>
      openNative(path, (database) => {
        const count = (table: string): number =>
          Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
        return { inbox: count("hero_inbox"), outbox: count("hero_outbox"), schedules: count("hero_schedules") };
      }),
    endLeases: () => Promise.resolve(),
    close: () => Promise.resolve(),
    drop: async () => {
      for (const rest of ["", "-wal", "-shm"]) await rm(`${path}${rest}`, { force: true });
    },
  };
}
