/** Processes on the queues of one SQLite file, killed and stalled: no message is lost, no effect doubled. */
import { assert, assertEquals } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { openNative } from "../stores/sqlite/native.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { type Rig, withRig } from "../transports/sqlite/rig.ts";
import { type Child, start } from "./kill/child.ts";

/** Where a process may be killed while it handles, in order. */
const points = ["taken", "written", "settled", "committed"] as const;

function ledger({ path }: Rig): readonly (readonly string[])[] {
  return readFileSync(`${path}.ledger`, "utf8").split("\n").slice(0, -1).map((line) => line.split(" "));
}

function begin({ path }: Rig, doing: string, name: string, point = "", nth = 0): Child {
  return start("queue_process.ts", [doing, path, `${path}.ledger`, name, point, nth]);
}

/** Runs a test on a file with the queues, a store's tables and a table of effects. */
function withFile(run: (rig: Rig) => Promise<void>): Promise<void> {
  return withRig({ clock: realTime(), deploy: ["in", "out"] }, async (rig) => {
    writeFileSync(`${rig.path}.ledger`, "");
    const store = await rig.store();
    await store.deploy("apply");
    await openNative(rig.path, (database) => database.exec("CREATE TABLE own (text TEXT, name TEXT)"));
    await run(rig);
  });
}

function effects({ path }: Rig): Promise<readonly string[]> {
  return openNative(
    path,
    (database) =>
      (database.prepare("SELECT text FROM own").all() as { readonly text: string }[]).map(({ text }) => text),
  );
}

const kills = share(200);
test(
  `two processes are killed ${kills} times while they handle: each message has its effect once, and one answer`,
  () =>
    withFile(async (rig) => {
      const transport = await rig.connect();
      const count = 10 * kills + 20;
      const texts = Array.from({ length: count }, (_, at) => `m${at}`);
      await rig.send(transport, "queue:in", ...texts.map((text) => ({ text })));
      let run = 0;
      let done = false;
      let running: readonly Child[] = [];
      const lane = async (): Promise<void> => {
        while (run < kills) {
          const at = run++;
          const child = begin(rig, "effects", `p${at}`, points[at % points.length], 1 + at % 3);
          running = [...running, child];
          assertEquals(await child.ended, "SIGKILL", `process ${at}`);
          running = running.filter((each) => each !== child);
        }
      };
      await Promise.all([lane(), lane()]);
      const last = begin(rig, "effects", "last");
      try {
        await eventually(rig.clock, "the rest", () => {
          void transport.admin?.count("in").then(({ waiting, active }) => done = waiting + (active ?? 0) === 0);
          return done;
        }, 120_000);
      } finally {
        for (const { process } of [last, ...running]) process.kill("SIGKILL");
        await last.ended;
      }
      assertEquals((await effects(rig)).toSorted(), texts.toSorted());
      const out = await rig.receive(transport, "out", { credit: 10_000 });
      await eventually(rig.clock, "the answers", () => out.received.length >= count);
      assertEquals(out.texts.toSorted(), texts.toSorted());
      await out.accept();
      const bad = ledger(rig).filter(([word = ""]) => ["failed", "unsent", "twice"].includes(word));
      assertEquals(bad, []);
    }),
  { timeoutInMs: 1_200_000 },
);

test(
  "a handler that stands still loses its message to another process, and commits nothing when it goes on",
  () =>
    withFile(async (rig) => {
      const transport = await rig.connect();
      const stalled = begin(rig, "stall", "stalled");
      try {
        await eventually(rig.clock, "it", () => ledger(rig).some(([word]) => word === "ready"), 60_000);
        await rig.send(transport, "queue:in", { text: "a" });
        await eventually(rig.clock, "the stall", () => ledger(rig).some(([word]) => word === "stalls"), 60_000);
        const inbox = await rig.receive(transport, "in");
        await eventually(rig.clock, "the message", () => inbox.received.length > 0, 60_000);
        assertEquals(inbox.only.deliveryCount, 2);
        const words = (): readonly (string | undefined)[] => ledger(rig).map(([word]) => word);
        await eventually(
          rig.clock,
          "its commit",
          () => words().some((word) => /refused|late/.test(word ?? "")),
          60_000,
        );
        assertEquals(ledger(rig).filter(([word]) => word === "refused").map(([, why]) => why), ["ClaimLostError"]);
        await eventually(rig.clock, "that it is told", () => words().includes("lost"), 60_000);
        assert(!words().includes("committed"));
        assertEquals(await effects(rig), []);
        await inbox.accept();
      } finally {
        stalled.process.kill("SIGKILL");
        await stalled.ended;
      }
    }),
  { timeoutInMs: 240_000 },
);
