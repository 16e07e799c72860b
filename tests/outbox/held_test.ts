import { assertEquals } from "@std/assert";
import { command, type HeldTransaction, retry } from "../../mod.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { SqliteTransaction } from "../../stores/sqlite/mod.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { sqliteTrial } from "../support/sqlite_trial.ts";
import { type Trial, trial } from "../support/trial.ts";

const Work = command<{ ms: number }>("held.work");

const insert = (tx: SqliteTransaction) => tx.run("CREATE TABLE IF NOT EXISTS own (text)");
const wait = (t: Trial, ms: number) => new Promise<void>((resolve) => t.clock.at(t.clock.now() + ms, resolve));

function noting(bus: Bus<SqliteTransaction> | Bus): HeldTransaction[] {
  const told: HeldTransaction[] = [];
  bus.observe({ held: (transaction) => void told.push(transaction) });
  return told;
}

sqliteTrial(
  "a handler that holds the only writer for over 100 ms is warned of, and who waits for it is not",
  async (t, file) => {
    const bus = file.bus();
    const told = noting(bus);
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ ms }, ctx) => {
      await insert(ctx.tx);
      await wait(t, ms);
    });
    await bus.start();
    await bus.send(Work, { ms: 100 }, { messageId: "fast" });
    await t.pass(1_000);
    assertEquals(told, []);
    await bus.send(Work, { ms: 101 }, { messageId: "slow" });
    for (let at = 0; at < 5; at++) await bus.send(Work, { ms: 10 }, { messageId: `waits ${at}` });
    await t.pass(1_000);
    assertEquals(told, [{ store: "sqlite", endpoint: "work", messageIds: ["slow"], inMs: 101 }]);
    assertEquals(bus.statistics("work").consumed, 7);
  },
);

sqliteTrial("what waits before its first statement, or uses no transaction, holds nothing", async (t, file) => {
  const bus = file.bus();
  const told = noting(bus);
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ ms }, ctx) => {
    await wait(t, ms);
    if (ms === 1_000) await insert(ctx.tx);
  });
  await bus.start();
  await bus.send(Work, { ms: 1_000 });
  await bus.send(Work, { ms: 2_000 });
  await t.pass(3_000);
  assertEquals([told, bus.statistics("work").consumed], [[], 2]);
});

sqliteTrial("a handler that fails after it has held the writer is warned of each time", async (t, file) => {
  const bus = file.bus();
  const told = noting(bus);
  bus.endpoint("work", { outbox: true, retry: retry.immediate(1) }).handle(Work, async ({ ms }, ctx) => {
    await insert(ctx.tx);
    await wait(t, ms);
    throw new Error("no luck");
  });
  await bus.start();
  await bus.send(Work, { ms: 200 }, { messageId: "m" });
  await t.pass(1_000);
  assertEquals(told.map(({ messageIds, inMs }) => [...messageIds, inMs]), [["m", 200], ["m", 200]]);
});

sqliteTrial("a group, a batch and a transaction of the application are warned of as what they are", async (t, file) => {
  const bus = file.bus();
  const told = noting(bus);
  const Row = command<{ ms: number }>("held.row");
  bus.endpoint("groups", { outbox: { group: 2 } }).handle(Work, async ({ ms }, ctx) => {
    await insert(ctx.tx);
    await wait(t, ms);
  });
  bus.endpoint("rows", { outbox: true }).batch(Row, { size: 2 }, async (_, ctx) => {
    await insert(ctx.tx);
    await wait(t, 150);
  });
  await bus.start();
  await Promise.all(["a", "b"].map((messageId) => bus.send(Work, { ms: 60 }, { messageId })));
  await t.pass(500);
  await Promise.all(["c", "d"].map((messageId) => bus.send(Row, { ms: 0 }, { messageId })));
  await t.pass(500);
  const writing = bus.transaction(async (tx) => {
    await insert(tx);
    await wait(t, 300);
  });
  await t.pass(500);
  await writing;
  assertEquals(told, [
    { store: "sqlite", endpoint: "groups", messageIds: ["a", "b"], inMs: 120 },
    { store: "sqlite", endpoint: "rows", messageIds: ["c", "d"], inMs: 150 },
    { store: "sqlite", endpoint: undefined, messageIds: [], inMs: 300 },
  ]);
});

trial("a store with many writers warns of none", async (t) => {
  const bus = t.bus({ store: memoryStore() });
  const told = noting(bus);
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ ms }, ctx) => {
    void ctx.tx;
    await wait(t, ms);
  });
  await bus.start();
  await bus.send(Work, { ms: 1_000 });
  await t.pass(2_000);
  assertEquals([told, bus.statistics("work").consumed], [[], 1]);
});
