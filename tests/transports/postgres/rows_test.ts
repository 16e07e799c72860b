/** What messages and queues are as rows: times, priorities, lives; and what is left of a transaction. */
import { assert, assertEquals } from "@std/assert";
import { Names } from "../../../stores/postgres/names.ts";
import { Messages } from "../../../transports/postgres/messages.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { deaf, onQueues } from "./rig.ts";

onQueues("a part of a millisecond counts as a whole one: nothing is due or expires early", ["q"], async (rig) => {
  const transport = await rig.connect(deaf);
  const inbox = await rig.receive(transport, "q");
  await rig.send(transport, "queue:q", { text: "again" });
  await rig.came(inbox, 1);
  await inbox.stop();
  const whole = Math.floor(rig.clock.now()) + 3_600_000;
  const [dueAt, expiresAt] = [whole + 0.25, whole + 1.25];
  await inbox.settle({ outcome: "again", dueAt, headers: {} });
  await rig.send(transport, "queue:q", { expiresAt }); // by a statement of its own
  await rig.send(transport, "queue:q", { dueAt, expiresAt });
  const rows = await rig.select(
    "SELECT due_at::float8 - expected AS due, expires_at::float8 - expected AS expires, deliveries FROM hero_queue_messages, " +
      `(SELECT ${whole}::float8 AS expected) e ORDER BY place`,
  );
  assertEquals(rows.map(({ due, expires }) => [due, expires]), [[1, null], [-whole, 2], [1, 2]]);
  assertEquals(rows[0]?.["deliveries"], 0); // a copy, which comes for the first time
});

onQueues("a priority beyond the levels counts as the nearest, and a part of one as none", ["q"], async (rig) => {
  const transport = await rig.connect(deaf);
  const priorities = [1, 1.9, -3, 255, 300, 0];
  await rig.send(transport, "queue:q", ...priorities.map((priority) => ({ text: String(priority), priority })));
  const inbox = await rig.receive(transport, "q");
  await rig.came(inbox, priorities.length);
  assertEquals(inbox.texts, ["255", "300", "1", "1.9", "-3", "0"]);
  await inbox.accept();
});

onQueues("a receiver's own queue is its for three leases, and for a minute at least", [], async (rig) => {
  for (const [lease, ms] of [["15s", 60_000], ["30s", 90_000]] as const) {
    const transport = await rig.connect({ ...deaf, lease });
    const own = await rig.receive(transport, "mine", { lifetime: "reply" });
    const [queue] = await rig.select(
      "SELECT (until - extract(epoch FROM clock_timestamp()) * 1000)::float8 AS left FROM hero_queue_queues",
    );
    const left = Number(queue?.["left"]);
    assert(left > ms - 15_000 && left <= ms + 1, `It is its for ${left} ms, and not ${ms}`);
    await own.stop();
  }
});

onQueues("a queue that is a receiver's own is no durable one, and is not made one", [], async (rig) => {
  const transport = await rig.connect(deaf);
  await rig.receive(transport, "mine", { lifetime: "instance" });
  const changes = await transport.deploy(topology(["mine"]), "apply");
  assertEquals(changes.map(({ kind, entity }) => [kind, entity]), [["conflict", "queue:mine"]]);
  assertEquals((await rig.select("SELECT lifetime FROM hero_queue_queues"))[0]?.["lifetime"], "instance");
});

onQueues("what a transaction notes of keys is gone with it, behind a pooler as well", ["q"], async (rig) => {
  const transport = await rig.connect(deaf);
  await rig.receive(transport, "q", { ordered: true, credit: 0 });
  await rig.send(transport, "queue:q", { key: "k" });
  const [sent] = await rig.select("SELECT place::text FROM hero_queue_messages");
  const { sql } = new Messages(new Names(rig.bench.schema, "hero_queue_"));
  const session = await rig.bench.sql.reserve();
  try {
    await session.unsafe(sql.accept, [`{${sent?.["place"]}}`, "{0}"]);
    const [row] = await session.unsafe("SELECT current_setting('hero.queue_keys', true) AS keys");
    assertEquals([row?.["keys"] ?? "", (await rig.select("SELECT FROM hero_queue_messages")).length], ["", 0]);
  } finally {
    session.release();
  }
});
