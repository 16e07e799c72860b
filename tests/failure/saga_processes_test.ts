/** Two processes with one saga, alive and slow: no instance is made twice, and no change of one is lost. */
import { assert, assertEquals } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bus, createBus } from "../../mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { start } from "./kill/child.ts";
import { Added, counter, Joined, Opened } from "./kill/counter_service.ts";
import { type Database, databases, withLedger } from "./kill/databases.ts";
import { queuesBeside } from "./kill/queues_beside.ts";

type Mode = "optimistic" | "pessimistic";
const names = ["one", "other"];
const nothing = (): Promise<void> => Promise.resolve();

/** What a test works with. */
interface Counters {
  /** This process' own bus, which handles nothing. */
  readonly bus: Bus<unknown>;
  /** Waits until an instance has counted so much. */
  total(id: string, total: number): Promise<void>;
  /** What follows a word in the notes of the processes. */
  noted(word: string): readonly string[];
}

/** Registers a test with two processes. */
function withProcesses(
  database: Database,
  mode: Mode,
  claim: string,
  concurrency: number,
  run: (counters: Counters) => Promise<void>,
): void {
  test(`${database.name}, ${mode}: ${claim}`, () =>
    withLedger(database, async (address, ledger, folder) => {
      const notes = join(folder, "notes");
      writeFileSync(notes, "");
      const noted = (word: string): readonly string[] =>
        readFileSync(notes, "utf8").split("\n").filter((line) => line.startsWith(`${word} `))
          .map((line) => line.slice(word.length + 1));
      const queues = await queuesBeside(address);
      const bus = createBus({ name: "counters", store: ledger.store(), transport: queues.alone({ lease: "3s" }) });
      const Counter = counter(mode, nothing, nothing);
      bus.add(Counter);
      await bus.start();
      const children = [];
      try {
        await bus.pause("counter");
        children.push(...names.map((name) => start("counter_process.ts", [address, notes, mode, concurrency, name])));
        await eventually(realTime(), "both processes", () => noted("ready").length === names.length, 60_000);
        await run({
          bus,
          noted,
          total: (id, total) =>
            eventually(
              realTime(),
              `the total of "${id}" to be ${total}`,
              async () => (await bus.sagas(Counter).get(id))?.data.total === total,
              120_000,
            ),
        });
        // Nothing comes behind: what was counted twice would show.
        await eventually(realTime(), "an empty queue", async () => {
          const { waiting, active } = await bus.counts("counter");
          return waiting + (active ?? 0) === 0;
        }, 60_000);
        assertEquals((await bus.counts("counter")).failed, 0);
      } finally {
        for (const { process } of children) process.kill("SIGKILL");
        await Promise.all(children.map(({ ended }) => ended));
        await bus.stop({ deadline: "1s" });
        await queues.close();
      }
    }), { skip: database.skip, timeoutInMs: 600_000 });
}

for (const database of databases) {
  for (const mode of ["optimistic", "pessimistic"] as const) {
    withProcesses(
      database,
      mode,
      "two processes change one instance at once, slowly, and its total is exact",
      8,
      async ({ bus, total, noted }) => {
        const each = share(200);
        const ids = ["a", "b", "c"];
        await Promise.all(ids.map((id) => bus.publish(Opened, { id, by: 1_000 })));
        await Promise.all(ids.map((id) => total(id, 1_000)));
        const amounts = Array.from({ length: each }, (_, at) => 1 + at);
        const counting = () => [...new Set(noted("counted").map((line) => line.split(" ")[1]))].toSorted();
        let sum = 1_000;
        // Of few messages one process may take all: once more, until both have counted.
        for (let round = 0; round === 0 || (counting().length < names.length && round < 50); round++) {
          await Promise.all(ids.flatMap((id) => amounts.map((by) => bus.publish(Added, { id, by }))));
          sum = amounts.reduce((all, by) => all + by, sum);
          for (const id of ids) await total(id, sum);
        }
        assertEquals(counting(), names, "One process has counted alone");
        for (const id of ids) await total(id, sum);
      },
    );

    withProcesses(
      database,
      mode,
      "two processes start the same instance at once: there is one, and both have been counted",
      1,
      async ({ bus, total, noted }) => {
        const ids = Array.from({ length: share(40) }, (_, at) => `i${at}`);
        for (const id of ids) {
          await Promise.all([bus.publish(Opened, { id, by: 1_000 }), bus.publish(Joined, { id, by: 2_000 })]);
          await total(id, 3_000);
        }
        for (const id of ids) await total(id, 3_000);
        // SQLite's lock of what is not there yet is that of the file: the second is not let in.
        if (database.name === "SQLite" && mode === "pessimistic") return;
        const met = ids.filter((id) => noted("met").filter((line) => line.startsWith(`${id} `)).length === 2);
        assert(met.length > 0, "No two have made one instance at once");
      },
    );
  }
}
