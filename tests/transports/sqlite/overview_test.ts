/** What operators see with any program. */
import { assertEquals } from "@std/assert";
import { topology } from "../../conformance/transport/trial.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { test } from "../../support/runner.ts";
import { type Rig, withRig } from "./rig.ts";

function select({ path }: Rig, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return openNative(path, (database) => database.prepare(sql).all().map((row) => ({ ...row })));
}

const iso = (time: number): string => new Date(time).toISOString();

test("the overview tells of each queue what waits, is handled, is due later, is behind its key, comes again, and since when", () =>
  withRig({ deploy: topology(["empty", "q"], { t: [] }) }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q", { credit: 2, ordered: true });
    await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"], credit: 0 });
    const begun = rig.clock.now();
    const [first, second] = [{ text: "first", priority: 1 }, { text: "second", key: "k" }];
    const later = [80_000, 60_000, 70_000].map((ms) => ({ dueAt: begun + ms }));
    await rig.send(transport, "queue:q", first, second, ...later);
    await rig.clock.pass(0);
    await inbox.settle({ outcome: "release" }, inbox.received.slice(0, 1));
    await rig.clock.pass(1_000);
    await rig.send(transport, "queue:q", ...[1, 2].map(() => ({ key: "k" })));
    await rig.clock.pass(1_000);
    await rig.send(transport, "queue:q", {});
    assertEquals(inbox.texts, ["first", "second", "first"]);
    assertEquals(inbox.unsettled.map(({ deliveryCount }) => deliveryCount), [1, 2]);
    const nothing = { waiting: 0, active: 0, delayed: 0, behind_their_key: 0, delivered_again: 0 };
    const never = { oldest_waiting_since: null, next_due_at: null };
    assertEquals(await select(rig, "SELECT * FROM hero_queue_overview"), [
      { queue: "empty", lifetime: "durable", ordered: 0, ...nothing, ...never },
      { queue: "mine", lifetime: "instance", ordered: 0, ...nothing, ...never },
      {
        queue: "q",
        lifetime: "durable",
        ordered: 1,
        waiting: 3,
        active: 2,
        delayed: 3,
        behind_their_key: 2,
        delivered_again: 1,
        oldest_waiting_since: iso(begun + 1_000),
        next_due_at: iso(begun + 60_000),
      },
    ]);
    await inbox.accept();
  }));

test("the overview of messages tells of each where it is, as what, from when on, and until when", () =>
  withRig({ deploy: topology(["q"], { t: ["q"] }) }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q", { credit: 1, ordered: true });
    const now = rig.clock.now();
    await rig.send(transport, "topic:t", { text: "body", key: "k", priority: 5, messageId: "1" }, { key: "k" });
    await rig.send(transport, "queue:q", { expiresAt: now + 7_000 });
    await rig.send(transport, "topic:t", { dueAt: now + 9_000 });
    await rig.clock.pass(0);
    const messages = await select(rig, "SELECT * FROM hero_queue_message_overview ORDER BY place");
    assertEquals(messages[0], {
      place: 1,
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
      sent_at: iso(now),
      due_or_leased_until: iso(now + 15_000), // as this rig's leases last
      expires_at: null,
    });
    const told = ["queue", "state", "due_or_leased_until", "expires_at"];
    assertEquals(messages.slice(1).map((each) => told.map((column) => each[column])), [
      ["q", "behind its key", null, null],
      ["q", "waiting", null, iso(now + 7_000)],
      ["topic:t", "delayed", iso(now + 9_000), null], // which queues it goes to is seen when it is due
    ]);
    await inbox.accept();
    inbox.receiver.credit(0);
    await inbox.settle({ outcome: "release" });
  }));
