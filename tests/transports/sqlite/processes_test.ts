/** Several processes on one file. */
import { assert, assertEquals } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { type Child, start } from "../../failure/kill/child.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { frame } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { type Rig, withRig } from "./rig.ts";

/** The lines that processes have written, in the order in which they were. */
function lines({ path }: Rig): readonly (readonly string[])[] {
  return readFileSync(`${path}.ledger`, "utf8").split("\n").slice(0, -1).map((line) => line.split(" "));
}

/** Runs a test with processes, and ends them with it. */
function withProcesses(
  run: (
    rig: Rig,
    begin: (doing: string, name: string, ...more: readonly (string | number)[]) => Child,
  ) => Promise<void>,
): Promise<void> {
  return withRig({ clock: realTime(), deploy: ["in", "out"] }, async (rig) => {
    writeFileSync(`${rig.path}.ledger`, "");
    const children: Child[] = [];
    try {
      await run(rig, (doing, name, ...more) => {
        const child = start("queue_process.ts", [doing, rig.path, `${rig.path}.ledger`, name, ...more]);
        children.push(child);
        return child;
      });
    } finally {
      for (const { process } of children) process.kill("SIGKILL");
      await Promise.all(children.map(({ ended }) => ended));
    }
  });
}

function ready(rig: Rig, count: number): Promise<void> {
  const here = (): boolean => lines(rig).filter(([word]) => word === "ready").length >= count;
  return eventually(rig.clock, `${count} processes`, here, 60_000);
}

test(
  "three processes share the messages of a file, each comes to one, and of a key one at a time, in order; none looks every so often",
  () =>
    withProcesses(async (rig, begin) => {
      const transport = await rig.connect();
      for (const name of ["a", "b", "c"]) begin("order", name);
      await ready(rig, 3);
      const count = 600;
      const sendings = Array.from({ length: count }, (_, at) => ({ frame: frame(String(at)), key: `key${at % 7}` }));
      for (let at = 0; at < count; at += 50) await rig.send(transport, "queue:in", ...sendings.slice(at, at + 50));
      const ended = (): number => lines(rig).filter(([word]) => word === "end").length;
      await eventually(rig.clock, "all", () => ended() >= count, 120_000);
      const all = lines(rig).filter(([word]) => word === "begin" || word === "end");
      assertEquals(all.length, 2 * count);
      for (let key = 0; key < 7; key++) {
        const expected = Array.from({ length: count }, (_, at) => at).filter((at) => at % 7 === key)
          .flatMap((at) => [`begin ${at}`, `end ${at}`]);
        assertEquals(all.filter((line) => line[1] === `key${key}`).map((line) => `${line[0]} ${line[2]}`), expected);
      }
      const takers = new Set(all.map((line) => line[3]));
      assert(takers.size > 1, `${[...takers]} alone took all`);
    }),
  { timeoutInMs: 240_000 },
);

test(
  "what a process held that was killed while it handled comes to another when the lease ends, counted again",
  () =>
    withProcesses(async (rig, begin) => {
      const transport = await rig.connect();
      const child = begin("hold", "victim");
      await ready(rig, 1);
      await rig.send(transport, "queue:in", { text: "a" });
      await eventually(rig.clock, "the message", () => lines(rig).some(([word]) => word === "took"), 60_000);
      child.process.kill("SIGKILL");
      assertEquals(await child.ended, "SIGKILL");
      const inbox = await rig.receive(transport, "in");
      await eventually(rig.clock, "the message to come again", () => inbox.received.length > 0, 60_000);
      assertEquals([inbox.texts, inbox.only.deliveryCount], [["a"], 2]);
      await inbox.accept();
      assertEquals(await transport.admin?.count("in"), { waiting: 0, active: 0, delayed: 0 });
    }),
  { timeoutInMs: 180_000 },
);
