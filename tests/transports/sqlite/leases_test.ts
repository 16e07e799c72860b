/** What a lease is worth: who has lost it changes nothing, and whoever cannot renew it hears of that. */
import { assertEquals } from "@std/assert";
import type { Settlement } from "../../../src/spi/transport.ts";
import type { Inbox } from "../../conformance/transport/inbox.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { test } from "../../support/runner.ts";
import { type Rig, withRig } from "./rig.ts";

function execute({ path }: Rig, sql: string): Promise<unknown> {
  return openNative(path, (database) => database.exec(sql));
}

function rows({ path }: Rig): Promise<readonly unknown[]> {
  const columns = "place, queue, state, deliveries, headers";
  return openNative(
    path,
    (database) =>
      database.prepare(`SELECT ${columns} FROM hero_queue_messages ORDER BY place`).all().map((row) => ({ ...row })),
  );
}

/** All outcomes, the first of them several times. */
function outcomes(inbox: Inbox): readonly Settlement[] {
  const [a, b, c, d, e] = inbox.unsettled;
  return [
    { delivery: a!, outcome: "accept" },
    { delivery: b!, outcome: "accept" },
    { delivery: c!, outcome: "release" },
    { delivery: d!, outcome: "again", dueAt: 0, headers: { late: true } },
    { delivery: e!, outcome: "move", to: "queue:errors", headers: {} },
  ];
}

const refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON hero_queue_messages BEGIN SELECT RAISE(FAIL, 'not now'); END";

for (const ordered of [false, true]) {
  for (
    const [what, sql] of [
      ["has been taken by another", "UPDATE hero_queue_messages SET deliveries = deliveries + 1"],
      ["waits again", "UPDATE hero_queue_messages SET state = 2"],
    ] as const
  ) {
    const how = ordered ? ", in order" : "";
    test(`SQLite transport: a settlement of what ${what} changes nothing, whichever it is, alone or among others${how}`, () =>
      withRig({ deploy: ["q", "errors"] }, async (rig) => {
        for (const together of [false, true]) {
          const transport = await rig.connect();
          const inbox = await rig.receive(transport, "q", { credit: 5, ordered });
          await rig.send(transport, "queue:q", {}, {}, {}, {}, {});
          await rig.clock.pass(0);
          await execute(rig, sql);
          const before = await rows(rig);
          assertEquals(before.length, 5);
          inbox.receiver.credit(0);
          const late = outcomes(inbox);
          if (together) await inbox.settleAll(late);
          else for (const each of late) await inbox.settleAll([each]);
          assertEquals(await rows(rig), before);
          await transport.close(rig.clock.now());
          await execute(rig, "DELETE FROM hero_queue_messages");
        }
      }));
  }
}

test("SQLite transport: who cannot renew a lease has it until it ends, counted from when it was renewed last, and is told then", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect(); // whose leases last 15 s
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", {});
    await rig.clock.pass(6_000); // renewed after a third
    await execute(rig, refuse);
    await rig.clock.pass(13_000);
    assertEquals(inbox.lostDeliveries.length, 0);
    await rig.clock.pass(4_000);
    assertEquals(inbox.lostDeliveries.length, 1);
    await execute(rig, "DROP TRIGGER refuse");
    await rig.clock.pass(15_000);
    await inbox.accept();
  }));

test("SQLite transport: a receiver that could not take tries again by itself", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    await rig.send(transport, "queue:q", { text: "a" });
    await execute(rig, refuse);
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(1_000);
    assertEquals(inbox.texts, []);
    await execute(rig, "DROP TRIGGER refuse");
    await rig.clock.pass(300);
    assertEquals(inbox.texts, ["a"]);
    await inbox.accept();
  }));

test("SQLite transport: what was asked for with more credit than there is when it comes goes back, uncounted", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    await rig.send(transport, "queue:q", ...["a", "b", "c", "d", "e"].map((text) => ({ text })));
    const inbox = await rig.receive(transport, "q", { credit: 5 });
    inbox.receiver.credit(2); // its first claim is on its way
    inbox.allowed = 2;
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["a", "b"]);
    const other = await rig.receive(transport, "q");
    await rig.clock.pass(0);
    assertEquals(other.texts, ["c", "d", "e"]);
    assertEquals(other.received.map(({ deliveryCount }) => deliveryCount), [1, 1, 1]);
    await inbox.accept();
    await other.accept();
  }));
