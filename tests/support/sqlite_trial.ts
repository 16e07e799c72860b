/** Buses on a file of one test, virtual time, and a broker in memory. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusOptions } from "../../src/bus/bus_options.ts";
import { createBus } from "../../src/bus/create_bus.ts";
import { sqlite, type SqliteOptions, type SqliteTransaction } from "../../stores/sqlite/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import type { TestOptions } from "./runner.ts";
import { type Trial, trial } from "./trial.ts";

/** What a test has beside its trial. */
export interface OnFile {
  readonly path: string;
  /** A bus on the trial's broker and the file, stopped when the test ends. */
  bus(options?: Partial<BusOptions<SqliteTransaction>>, store?: Partial<SqliteOptions>): Bus<SqliteTransaction>;
}

/** Registers a test with a trial and a file of its own. */
export function sqliteTrial(
  name: string,
  run: (trial: Trial, file: OnFile) => Promise<void>,
  options?: TestOptions,
): void {
  trial(name, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
    const path = join(folder, "store.db");
    const buses: Bus<SqliteTransaction>[] = [];
    const bus: OnFile["bus"] = (options = {}, store = {}) => {
      const made = createBus({
        name: "app",
        transport: memory({ broker: t.broker }),
        store: sqlite({ path, synchronous: "normal", ...store }),
        clock: t.clock,
        random: () => 0.5,
        ...options,
      });
      buses.push(made);
      return made;
    };
    try {
      await run(t, { path, bus });
    } finally {
      for (const each of buses) await each.stop({ deadline: 0 });
      await rm(folder, { recursive: true, force: true });
    }
  }, options);
}
