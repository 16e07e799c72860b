/** Queues that are gone leave nothing. */
import { assertEquals } from "@std/assert";
import { topology } from "../../conformance/transport/trial.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { test } from "../../support/runner.ts";
import { quiet, type Rig, withRig } from "./rig.ts";

function messages({ path }: Rig): Promise<unknown> {
  return openNative(path, (database) => {
    const found = database.prepare("SELECT count(*) AS count FROM hero_queue_messages").get();
    return found?.["count"];
  });
}

test("a receiver's own queue goes with all that waits in it, however much that is", () =>
  withRig({ deploy: topology([], { t: [] }) }, async (rig) => {
    const transport = await rig.connect();
    const own = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"], credit: 0 });
    const dueAt = rig.clock.now() + 60_000;
    const some = Array.from({ length: 1_200 }, (_, at) => at % 2 === 0 ? {} : { dueAt });
    await rig.send(transport, own.receiver.address, ...some);
    await own.stop();
    assertEquals(await messages(rig), 0);
  }));

test("what a receiver still has of its own queue, as its transport closes, goes with that queue", () =>
  withRig({ deploy: topology([], { t: [] }) }, async (rig) => {
    const transport = await rig.connect();
    const own = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"] });
    await rig.send(transport, "topic:t", { text: "a" }, { text: "b" });
    await rig.clock.pass(0);
    assertEquals(own.texts, ["a", "b"]);
    await transport.close(rig.clock.now());
    assertEquals(await messages(rig), 0);
  }));

test("what a process held of a queue that is gone, and died with, is taken away; what is still held is not", () =>
  withRig({ deploy: topology(["errors"], { t: [] }) }, async (rig) => {
    const transport = await rig.connect({ ...quiet, pollInterval: "1s" });
    const own = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"] });
    await rig.send(transport, "topic:t", { text: "held" });
    await rig.clock.pass(0);
    await own.stop();
    await openNative(rig.path, (database) => {
      const columns = "queue, rank, at, keeps, mandatory, sent_at, message_id, via, content_type, headers, body";
      const copy = (state: number): void =>
        database.exec(
          `INSERT INTO hero_queue_messages (${columns}, deliveries, state) ` +
            `SELECT ${columns.replace("at,", "0,")}, 1, ${state} FROM hero_queue_messages LIMIT 1`,
        );
      for (const state of [2, 3, 4, 5]) copy(state);
    });
    await rig.clock.pass(60_000);
    assertEquals(await messages(rig), 1);
    await own.settle({ outcome: "move", to: "queue:errors", headers: {} });
    const errors = await rig.receive(transport, "errors");
    await rig.clock.pass(0);
    assertEquals(errors.texts, ["held"]);
    await errors.accept();
    assertEquals(await messages(rig), 0);
  }));
