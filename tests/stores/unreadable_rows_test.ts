/** Rows that somebody, or something, has damaged: they hold up nothing, and an operator sees which and why. */
import { assert, assertEquals } from "@std/assert";
import { command, createBus, UnreadableRowError } from "../../mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { all } from "../support/trial.ts";
import { damaged } from "./damaged.ts";

const Remind = command<{ id: string }>("damaged.remind");

damaged("a schedule that cannot be read is parked alone: listed, in health, and sent once it is mended", async (on) => {
  const before = createBus({ name: "app", store: on.connect() });
  await before.start();
  for (const id of ["bad", "good"]) await before.schedule(Remind, { id }, { in: "1h" }, { messageId: id });
  await before.stop();
  const [row] = await on.sql(`SELECT headers FROM hero_schedules WHERE id = 'bad'`);
  await on.sql(`UPDATE hero_schedules SET due_at = ${Date.now()}, free_at = ${Date.now()}`);
  await on.damage("hero_schedules", "headers", `id = 'bad'`);
  const bus = createBus({ name: "app", store: on.connect() });
  const got: string[] = [];
  bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id));
  await bus.start();
  try {
    await until("the other is sent", () => got.includes("good"));
    const part = () => bus.health().parts.find(({ name }) => name === "schedules");
    await until("health tells", () => part()?.reason?.includes("parked") === true);
    const reason = part()?.reason ?? "";
    for (const says of ["1 message is parked", `"bad"`, "UnreadableRowError", "headers"]) {
      assert(reason.includes(says), reason);
    }
    const [parked, ...others] = await all(bus.parked().list());
    assertEquals([others, parked?.of, parked?.messageId, parked?.attempts], [[], "schedules", "bad", 1]);
    assert(parked?.error.startsWith("UnreadableRowError: Cannot read the message"), parked?.error);
    assertEquals(await bus.parked().release("all"), 1);
    await until("it is parked again", async () => (await all(bus.parked().list())).length === 1);
    await on.set("hero_schedules", "headers", row?.["headers"], `id = 'bad'`);
    await bus.parked().release("all");
    await until("it is sent", () => got.includes("bad"));
    assertEquals(got, ["good", "bad"]);
  } finally {
    await bus.stop();
  }
});

damaged("a row of the outbox that cannot be read comes with what can be, and holds up no claim", async (on) => {
  const store = on.connect();
  const { signal } = new AbortController();
  await store.open({ bus: "app", clock: realTime(), signal, status: () => {} });
  await store.deploy("apply");
  try {
    const frame = { contentType: "text/plain", headers: { a: "1" }, body: new Uint8Array([1, 2]) };
    const rows = ["bad", "next", "free"].map((id) => ({
      id,
      group: id,
      key: id === "free" ? undefined : "k",
      to: "queue:q" as const,
      frame,
      dueAt: 0,
      expiresAt: undefined,
    }));
    const unit = await store.begin({ bus: "app", partition: "p", inbox: [], signal, leaseMs: 1 });
    await unit.commit({ sagas: [], schedules: [], outbox: rows });
    await on.damage("hero_outbox", "headers", `id = 'bad'`);
    await on.sql(`UPDATE hero_outbox SET free_at = 1`);
    const leased = await store.outbox.claim("app", 10, 60_000);
    assertEquals(leased.map(({ row: { id, frame: { body } }, unreadable }) => [id, [...body], unreadable?.name]), [
      ["bad", [1, 2], "UnreadableRowError"],
      ["next", [1, 2], undefined],
      ["free", [1, 2], undefined],
    ]);
    const [bad] = leased;
    assert(bad?.unreadable instanceof UnreadableRowError && bad.unreadable.message.includes(`"bad" in "hero_outbox"`));
    await store.outbox.later([{ leased: bad, dueAt: 0, error: "why", park: true }]);
    const [parked] = await store.outbox.parked("app", undefined, 10);
    assertEquals([parked?.row.id, parked?.error, parked?.unreadable?.name], ["bad", "why", "UnreadableRowError"]);
    await store.outbox.done(leased.slice(1));
    assertEquals(await store.outbox.unpark("app", ["bad"]), 1);
    await store.outbox.done(await store.outbox.claim("app", 10, 60_000));
    assertEquals((await store.outbox.stats("app")).waiting, 0);
  } finally {
    await store.close();
  }
});

function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  return eventually(realTime(), what, holds, 60_000);
}
