/** What is taken back before the transaction that schedules it has committed. */
import { assertEquals } from "@std/assert";
import { command, createBus } from "../../mod.ts";
import { onStores } from "../sagas/runtime/on_stores.ts";
import { onPostgres } from "../stores/postgres/opened.ts";

const Remind = command<{ id: string }>("early.remind");
const Work = command<{ id: string }>("early.work");

onStores("what is taken back before the transaction that schedules it commits is never sent", async (on) => {
  const [bus, other] = [on.bus(), on.bus()];
  const got: string[] = [];
  bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id));
  await bus.start();
  await other.start();
  await bus.transaction(async (_, sender) => {
    await bus.unschedule(await sender.schedule(Remind, { id: "gone" }, { in: 0 }));
    await other.unschedule(await sender.schedule(Remind, { id: "gone elsewhere" }, { in: 0 }));
    await other.unschedule(await sender.schedule(Remind, { id: "gone by name" }, { in: 0 }, { token: "gone" }));
    await bus.unschedule(await sender.schedule(Remind, { id: "replaced" }, { in: 0 }, { token: "again" }));
    await sender.schedule(Remind, { id: "again" }, { in: 1 }, { token: "again" });
    const own = await sender.schedule(Remind, { id: "own" }, { in: 0 });
    await sender.unschedule(own);
    await sender.schedule(Remind, { id: "kept" }, { in: 2 });
  });
  // What is due earlier leaves earlier.
  await on.until("what was kept has come", () => got.includes("kept"));
  assertEquals(got, ["again", "kept"]);
  await bus.schedule(Remind, { id: "same name" }, { in: 0 }, { token: "gone" });
  await on.until("a name that was taken back is used again", () => got.includes("same name"));
  assertEquals(got, ["again", "kept", "same name"]);
});

onStores("what a handler schedules is taken back from outside while it still runs", async (on) => {
  const bus = on.bus();
  const got: string[] = [];
  bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id));
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    await bus.unschedule(await ctx.schedule(Remind, { id: "gone" }, { in: 0 }));
    await ctx.schedule(Remind, { id: "kept" }, { in: 1 });
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await on.until("what was kept has come", () => got.includes("kept"));
  assertEquals(got, ["kept"]);
});

onPostgres("what a caller's transaction has scheduled is taken back though it is not committed yet", async (opened) => {
  const { bench } = opened;
  const bus = createBus({ name: "app", store: bench.store() });
  const got: string[] = [];
  bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id));
  await bus.start();
  try {
    await bench.sql.begin(async (tx) => {
      // The row is there, and nobody else can see it.
      const token = await bus.schedule(Remind, { id: "gone" }, { in: 0 }, { tx });
      const [row] = await tx.unsafe(`SELECT count(*)::int AS n FROM "${bench.schema}".hero_schedules`);
      assertEquals(row?.["n"], 1);
      await bus.unschedule(token);
      await bus.unschedule(await bus.schedule(Remind, { id: "own" }, { in: 0 }, { tx }), { tx });
      await bus.schedule(Remind, { id: "kept" }, { in: 1 }, { tx });
    });
    await opened.until("what was kept has come", () => got.includes("kept"));
    assertEquals(got, ["kept"]);
    const rows = async (table: string) =>
      (await bench.sql.unsafe(`SELECT count(*)::int AS n FROM "${bench.schema}".hero_${table}`))[0]?.["n"];
    await opened.until("nothing waits", async () => await rows("schedules") === 0);
    assertEquals(await rows("cancelled"), 1);
    await bench.sql.unsafe(`UPDATE "${bench.schema}".hero_cancelled SET keep_until = 1`);
    const store = await opened.store();
    assertEquals([await store.sweep(10), await rows("cancelled")], [1, 0]);
  } finally {
    await bus.stop();
  }
});

onPostgres("a cancel is remembered beyond its day while its row waits for its time", async (opened) => {
  const { bench: { sql, schema }, bus } = opened;
  const store = await opened.store();
  const put = opened.schedule({ dueAt: opened.clock.now() + 3_600_000 });
  for (const change of [{ cancel: put.token, group: put.group }, { put }]) {
    await (await store.begin(opened.scope())).commit(opened.changes({ schedules: [change] }));
  }
  await sql.unsafe(`UPDATE "${schema}".hero_cancelled SET keep_until = 1`);
  assertEquals(await store.sweep(10), 0);
  await sql.unsafe(`UPDATE "${schema}".hero_schedules SET due_at = 1, free_at = 1`);
  assertEquals(await store.schedules.claim(bus, 10, 1_000), []);
  assertEquals((await store.schedules.stats(bus)).waiting, 0);
  assertEquals(await store.sweep(10), 1);
});
