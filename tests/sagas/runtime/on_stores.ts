/** Buses of several processes on one database of each kind, and a broker in memory. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "../../../src/bus/bus.ts";
import { createBus } from "../../../src/bus/create_bus.ts";
import type { Store } from "../../../src/spi/store.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { memory, memoryBroker } from "../../../transports/memory/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { LeapingClock } from "../../failure/kill/leaping_clock.ts";
import { PostgresBench, skip } from "../../stores/postgres/server.ts";
import { test } from "../../support/runner.ts";

/** What a test works with. */
export interface OnStore {
  /** A bus as one process would have it, stopped when the test ends. */
  bus(through?: (store: Store<unknown>) => Store<unknown>): Bus<unknown>;
  /** Lets time pass for what is stored, in no time; while no bus runs. */
  leap(ms: number): Promise<void>;
  /** Waits until a condition holds. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>;
}

/** So long a condition is waited for: a bound against hanging, and nothing that is measured. */
const patienceInMs = 100_000;

interface Database extends AsyncDisposable {
  connect(): Store<unknown>;
  /** Where the time does not come from a bus' clock. */
  leap?(ms: number): Promise<void>;
}

const databases: readonly (readonly [name: string, make: () => Promise<Database>, skip: string | undefined])[] = [
  ["memory", () => {
    const database = memoryDatabase();
    return Promise.resolve({
      connect: () => memoryStore({ database }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }, undefined],
  ["SQLite", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hero-saga-"));
    return {
      connect: () => sqlite({ path: join(folder, "store.db"), synchronous: "normal" }),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  }, undefined],
  ["PostgreSQL", () => {
    const bench = new PostgresBench();
    return Promise.resolve({
      connect: () => bench.store(),
      leap: async (ms) => {
        await bench.sql.unsafe(
          `UPDATE "${bench.schema}".hero_schedules SET due_at = due_at - ${ms}, free_at = free_at - ${ms}`,
        );
      },
      [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
    });
  }, skip],
];

/** Registers a test for each store. */
export function onStores(name: string, run: (on: OnStore) => Promise<void>): void {
  for (const [store, make, skip] of databases) {
    test(`${store}: ${name}`, async () => {
      const database = await make();
      const broker = memoryBroker();
      const clock = new LeapingClock();
      const buses: Bus<unknown>[] = [];
      try {
        await run({
          bus: (through = (store) => store) => {
            const bus = createBus({
              name: "app",
              transport: memory({ broker }),
              store: through(database.connect()),
              clock,
            });
            buses.push(bus);
            return bus;
          },
          leap: async (ms) => {
            if (database.leap === undefined) clock.leap(ms);
            else await database.leap(ms);
          },
          until,
        });
      } finally {
        for (const bus of buses) await bus.stop({ deadline: 0 });
        await database[Symbol.asyncDispose]();
      }
    }, { skip, timeoutInMs: 150_000 });
  }
}

function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  return eventually(realTime(), what, condition, patienceInMs);
}
