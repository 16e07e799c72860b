/** How a process learns of what others have written. */
import { assertEquals } from "@std/assert";
import { appendFile, writeFile } from "node:fs/promises";
import { Waking } from "../../../transports/sqlite/waking.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { withRig } from "./rig.ts";

test("what another process writes wakes a receiver that never looks by itself", () =>
  withRig({ clock: realTime(), deploy: ["q"] }, async (rig) => {
    const [sender, taker] = [await rig.elsewhere(), await rig.elsewhere({ pollInterval: "1h" })];
    const inbox = await rig.receive(taker, "q");
    for (let at = 1; at <= 20; at++) {
      await rig.send(sender, "queue:q", { text: String(at) });
      await eventually(rig.clock, `message ${at}`, () => inbox.received.length >= at);
      await inbox.accept();
    }
  }));

test("where the system tells nothing of writes, a look every so often finds those of others, and not its own", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const { session } = await rig.store();
    const file = Object.create(session.file, { path: { value: `${rig.path}.missing` } }); // which cannot be watched
    let [changes, ticks] = [0, 0];
    const waking = new Waking({ ...session, file }, 1_000, () => changes++, () => ticks++);
    await waking.start();
    const before = changes;
    await session.writer.write((connection) => connection.exec("CREATE TABLE own (text TEXT)"));
    await rig.clock.pass(5_000);
    assertEquals([changes - before, ticks], [0, 5]);
    await rig.send(await rig.connect(), "queue:q", {});
    await rig.clock.pass(999);
    assertEquals(changes - before, 0);
    await rig.clock.pass(1);
    assertEquals(changes - before, 1);
    waking.close();
  }));

test("where the system tells of a write before it can be seen, it is looked for again, soon, until it can", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const { session } = await rig.store();
    const path = `${rig.path}.other`;
    await writeFile(`${path}-wal`, "");
    let [looks, version, changes] = [0, 1, 0];
    const writer = { prepare: () => ({ get: () => (looks++, { data_version: version }) }) };
    const file = Object.create(session.file, { path: { value: path }, writer: { value: writer } });
    const waking = new Waking({ ...session, file }, 1e9, () => changes++, () => {});
    await waking.start();
    assertEquals([looks, changes], [1, 1]);
    await appendFile(`${path}-wal`, "a commit that is not there yet");
    await eventually(realTime(), "word of it", () => looks >= 2);
    assertEquals(changes, 1);
    await rig.clock.pass(60);
    version = 2;
    await rig.clock.pass(67);
    assertEquals(changes, 2);
    waking.close();
    const seen = looks;
    await rig.clock.pass(1_000);
    assertEquals(looks, seen);
  }));
