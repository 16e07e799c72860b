/** Buses whose queues and store are in one file, on virtual time, and what any other program sees in it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusOptions } from "../../src/bus/bus_options.ts";
import { createBus } from "../../src/bus/create_bus.ts";
import { sqlite, type SqliteTransaction } from "../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../transports/sqlite/mod.ts";
import { openNative } from "../stores/sqlite/native.ts";
import { type Trial, trial } from "./trial.ts";

/** Nothing is looked at every so often: virtual time passes at no cost. */
const quiet = { lease: "15s", pollInterval: "10000d" } as const;

/** One file. */
export interface OneFile {
  readonly path: string;
  /** A bus that was given its store's transport, stopped when the test ends. */
  bus(options?: Partial<BusOptions<SqliteTransaction>>): Bus<SqliteTransaction>;
  /** A bus whose transport and store are on the file and know nothing of each other. */
  apart(): Bus<SqliteTransaction>;
  /** Runs statements as any other program. */
  run(sql: string): Promise<void>;
  /** Counts rows as any other program. */
  count(what: string): Promise<number>;
  /** The table of effects, in order. */
  effects(): Promise<readonly string[]>;
  /** Rows that were ever put into the outbox; once `watch` was called. */
  hops(): Promise<number>;
  /** Begins to count what is put into the outbox. After the tables were made. */
  watch(): Promise<void>;
}

/** Registers a test with a file of its own, with a table `own (text)`. */
export function oneFileTrial(name: string, run: (trial: Trial, file: OneFile) => Promise<void>): void {
  trial(name, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
    const path = join(folder, "one.db");
    const buses: Bus<SqliteTransaction>[] = [];
    const made = (options: BusOptions<SqliteTransaction>): Bus<SqliteTransaction> => {
      const bus = createBus(options);
      buses.push(bus);
      return bus;
    };
    const store = () => sqlite({ path, synchronous: "normal" });
    const basics = { name: "app", clock: t.clock, random: () => 0.5 };
    const count = (what: string): Promise<number> =>
      openNative(path, (database) => Number(database.prepare(`SELECT count(*) AS n FROM ${what}`).get()?.["n"]));
    const file: OneFile = {
      path,
      bus: (options = {}) => {
        const own = store();
        return made({ ...basics, store: own, transport: sqliteTransport(own, quiet), ...options });
      },
      apart: () =>
        made({ ...basics, store: store(), transport: sqliteTransport(path, { ...quiet, synchronous: "normal" }) }),
      run: (sql) => openNative(path, (database) => database.exec(sql)),
      count,
      effects: () =>
        openNative(
          path,
          (database) => database.prepare("SELECT text FROM own ORDER BY rowid").all().map(({ text }) => String(text)),
        ),
      hops: () => count("hops"),
      watch: () =>
        file.run(
          "CREATE TABLE hops (id TEXT); CREATE TRIGGER hop AFTER INSERT ON hero_outbox " +
            "BEGIN INSERT INTO hops VALUES (new.id); END",
        ),
    };
    try {
      await file.run("PRAGMA journal_mode = WAL; CREATE TABLE own (text TEXT)");
      await run(t, file);
    } finally {
      for (const each of buses) await each.stop({ deadline: 0 });
      await rm(folder, { recursive: true, force: true });
    }
  });
}
