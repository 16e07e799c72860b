/** Ten processes of a service that start at once, on a database that has no tables yet, or those of an older version. */
import { assertEquals } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { byThemselves, olderVersion, versions } from "../stores/in_flight.ts";
import { test } from "../support/runner.ts";
import { type Child, start } from "./kill/child.ts";
import { databases, withLedger } from "./kill/databases.ts";
import { queuesBeside } from "./kill/queues_beside.ts";

const processes = 10;
const names = Array.from({ length: processes }, (_, at) => String(at));

for (const database of databases) {
  for (const version of [0, ...versions]) {
    const what = version === 0 ? "without tables" : `with version ${version} of the tables and rows in flight`;
    test(
      `${database.name}: ${processes} processes start at once ${what}: all do, and each message is handled once`,
      () =>
        withLedger(database, async (address, ledger, folder) => {
          const [notes, gate] = [join(folder, "notes"), join(folder, "gate")];
          writeFileSync(notes, "");
          const noted = (word: string): readonly string[] =>
            readFileSync(notes, "utf8").split("\n").filter((line) => line.startsWith(`${word} `))
              .map((line) => line.slice(word.length + 1));
          const queues = await queuesBeside(address);
          const children: Child[] = [];
          const failed: string[] = [];
          const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
            eventually(realTime(), what, () => {
              assertEquals(failed, [], "A process has ended");
              return holds();
            }, 180_000);
          try {
            if (version > 0) {
              const [, schema] = address.split("#");
              for (const script of olderVersion(ledger.store(), version, schema).scripts) await queues.run(script);
            }
            children.push(...names.map((name) => start("migrating_process.ts", [address, notes, gate, name])));
            for (const { ended } of children) void ended.then((how) => failed.push(how));
            await until("all to wait", () => noted("waits").length === processes);
            writeFileSync(gate, "");
            await until("all to start", () => noted("started").length === processes);
            const own = names.map((name) => `ship ${1_000 + Number(name)}`);
            const expected = [...own, ...version > 0 ? byThemselves : []].toSorted();
            await until("all to be handled", () => noted("did").length >= expected.length);
            // What is done twice would come behind.
            await until("an empty outbox", async () => (await ledger.left()).outbox <= (version > 0 ? 1 : 0)); // a parked one
            assertEquals(noted("did").toSorted(), expected);
            assertEquals(noted("faulted"), []);
          } finally {
            for (const { process } of children) process.kill("SIGKILL");
            await Promise.all(children.map(({ ended }) => ended));
            await queues.close();
          }
        }),
      { skip: database.skip, timeoutInMs: 600_000 },
    );
  }
}
