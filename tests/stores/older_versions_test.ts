/** Rows that older versions have written, and their tables: nothing of it is lost, and all of it goes on. */
import { assert, assertEquals } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBus } from "../../mod.ts";
import type { Store } from "../../src/spi/store.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { busName, byThemselves, Ended, handleFlights, olderVersion, Packed, Ship, versions } from "./in_flight.ts";
import { PostgresBench, skip } from "./postgres/server.ts";
import { openNative } from "./sqlite/native.ts";

/** A database of an older version. */
interface Older extends AsyncDisposable {
  readonly store: Store<unknown>;
  /** Of what is due in a hundred years. */
  readonly token: string;
}

const databases: readonly (readonly [name: string, skip: string | undefined, make: (n: number) => Promise<Older>])[] = [
  ["SQLite", undefined, async (version) => {
    const folder = await mkdtemp(join(tmpdir(), "hero-older-"));
    const path = join(folder, "store.db");
    const store = sqlite({ path, synchronous: "normal" });
    const { scripts, token } = olderVersion(store, version);
    await openNative(path, (database) => scripts.forEach((script) => database.exec(script)));
    return { store, token, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
  }],
  ["PostgreSQL", skip, async (version) => {
    const bench = new PostgresBench();
    const store = bench.store();
    const { scripts, token } = olderVersion(store, version, bench.schema);
    for (const script of scripts) await bench.sql.unsafe(script);
    return { store, token, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
  }],
];

for (const [name, skip, make] of databases) {
  for (const version of versions) {
    test(
      `${name}: what version ${version} of the tables has in flight is sent, fires and goes on with this one`,
      async () => {
        const older = await make(version);
        const { store } = older;
        const noted: string[] = [];
        const unhandled: string[] = [];
        const bus = createBus({ name: busName, store, transport: memory() });
        handleFlights(bus, (what) => noted.push(what));
        bus.observe({ unhandled: ({ messageId }, why) => unhandled.push(`${messageId}: ${why}`) });
        const come = (what: string): Promise<void> => eventually(realTime(), what, () => noted.includes(what), 50_000);
        try {
          await bus.start();
          assertEquals(await store.deploy("check"), []);
          for (const what of byThemselves) await come(what);
          assertEquals(noted.filter((what) => what.startsWith("move")), ["move 1", "move 2", "move 3"]);

          await bus.send(Ship, { number: 0 }, { messageId: "ship 0" }); // handled by the older version
          await bus.publish(Ended, { id: "ends" });
          await bus.publish(Packed, { parcel: "p2" });
          await come("trip ends 2026-01-02T03:04:05.678Z p1");
          await come("trip packed 2026-01-02T03:04:05.678Z p2");
          await eventually(realTime(), "the duplicate", () => unhandled.includes("ship 0: duplicate"), 50_000);

          const parked = await Array.fromAsync(bus.parked().list());
          assertEquals(parked.map(({ contract, of, attempts }) => [contract?.name, of, attempts]), [[
            "flight.ship",
            "outbox",
            1,
          ]]);
          assert(parked[0]?.error.startsWith("UnroutableError: "));
          assertEquals(await bus.parked().release("all"), 1);
          await come("ship 100");

          assertEquals((await store.schedules.stats(busName)).waiting, 1);
          await bus.unschedule({ id: older.token });
          await eventually(realTime(), "empty tables", async () => {
            const all = await Promise.all([store.outbox, store.schedules].map((due) => due.stats(busName)));
            return all.every(({ waiting, parked }) => waiting + parked === 0);
          }, 50_000);
          assertEquals(noted.toSorted(), [...new Set(noted)].toSorted(), "Something was done twice");
          assert(!noted.includes("ship 0") && !noted.includes("ship 6"));
        } finally {
          await bus.stop();
          await older[Symbol.asyncDispose]();
        }
      },
      { skip, timeoutInMs: 240_000 },
    );
  }
}
