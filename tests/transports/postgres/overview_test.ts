/** What operators see with any program. */
import { assert, assertEquals } from "@std/assert";
import { topology } from "../../conformance/transport/trial.ts";
import { deaf, onQueues } from "./rig.ts";

onQueues(
  "the overview tells of each queue what waits, is handled, is due later, is behind its key, comes again, and since when",
  topology(["empty", "q"], { t: [] }),
  async (rig) => {
    const transport = await rig.connect(deaf);
    const inbox = await rig.receive(transport, "q", { credit: 2, ordered: true });
    await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"], credit: 0 });
    const dueAt = Math.ceil(rig.clock.now()) + 60_000;
    await rig.send(transport, "queue:q", { text: "first", priority: 1 });
    await rig.came(inbox, 1);
    await inbox.settle({ outcome: "release" });
    await rig.came(inbox, 2);
    const later = [20_000, 0, 10_000].map((ms) => ({ dueAt: dueAt + ms }));
    await rig.send(transport, "queue:q", { key: "j" });
    await rig.came(inbox, 3);
    await rig.send(transport, "queue:q", ...[1, 2, 3].map(() => ({ key: "k" })), ...later);
    await rig.send(transport, "queue:q", {});
    assertEquals(inbox.unsettled.map(({ deliveryCount }) => deliveryCount), [2, 1]);
    const counts = ["waiting", "active", "delayed", "behind_their_key", "delivered_again"];
    const rows = await rig.select(
      `SELECT queue, lifetime, ordered, ${counts.map((each) => `${each}::int`)}, oldest_waiting_since, next_due_at ` +
        "FROM hero_queue_overview",
    );
    const nothing = { waiting: 0, active: 0, delayed: 0, behind_their_key: 0, delivered_again: 0 };
    const never = { oldest_waiting_since: null, next_due_at: null };
    const [oldest] = await rig.select("SELECT min(sent_at) AS at FROM hero_queue_messages WHERE \"key\" = 'k'");
    assertEquals(rows.map((row) => ({ ...row })), [
      { queue: "empty", lifetime: "durable", ordered: false, ...nothing, ...never },
      { queue: "mine", lifetime: "instance", ordered: false, ...nothing, ...never },
      {
        queue: "q",
        lifetime: "durable",
        ordered: true,
        waiting: 4,
        active: 2,
        delayed: 3,
        behind_their_key: 2,
        delivered_again: 1,
        oldest_waiting_since: new Date(Number(oldest?.["at"])),
        next_due_at: new Date(dueAt),
      },
    ]);
    assertEquals(await transport.admin?.count("q"), { waiting: 4, active: 2, delayed: 3 });
    // Nobody has what is leased no more.
    await rig.select("UPDATE hero_queue_messages SET leased_until = 1 WHERE leased_until > 0");
    const [ended] = await rig.select(
      "SELECT waiting::int, active::int FROM hero_queue_overview WHERE queue = 'q'",
    );
    assertEquals({ ...ended }, { waiting: 6, active: 0 });
    await inbox.accept();
  },
);

onQueues(
  "the overview of messages tells of each where it is, as what, from when on, and until when",
  topology(["q"], { t: ["q"] }),
  async (rig) => {
    const transport = await rig.connect(deaf);
    const inbox = await rig.receive(transport, "q", { credit: 1, ordered: true });
    const now = Math.ceil(rig.clock.now());
    await rig.send(transport, "topic:t", { text: "body", key: "k", priority: 5, messageId: "1" });
    await rig.came(inbox, 1);
    await rig.send(transport, "topic:t", { key: "k" });
    await rig.send(transport, "queue:q", { expiresAt: now + 70_000 });
    await rig.send(transport, "topic:t", { dueAt: now + 90_000 });
    const messages = await rig.select("SELECT * FROM hero_queue_message_overview ORDER BY place");
    const { place, sent_at, due_or_leased_until, ...first } = messages[0] ?? {};
    assertEquals(first, {
      queue: "q",
      state: "active",
      priority: 5,
      key: "k",
      deliveries: 1,
      message_id: "1",
      via: "topic:t",
      content_type: "text/plain",
      headers: messages[1]?.["headers"],
      body_in_bytes: 4,
      expires_at: null,
    });
    assert(Number(place) > 0 && sent_at instanceof Date && due_or_leased_until instanceof Date);
    const leaseMs = due_or_leased_until.getTime() - sent_at.getTime();
    assert(leaseMs >= 30_000 && leaseMs < 60_000, `It is leased for ${leaseMs} ms`); // unless told otherwise
    const told = ["queue", "state", "due_or_leased_until", "expires_at"];
    assertEquals(messages.slice(1).map((each) => told.map((column) => each[column])), [
      ["q", "behind its key", null, null],
      ["q", "waiting", null, new Date(now + 70_000)],
      ["topic:t", "delayed", new Date(now + 90_000), null], // which queues it goes to is seen when it is due
    ]);
    await inbox.accept();
    inbox.receiver.credit(0);
    await inbox.settle({ outcome: "release" });
  },
);
