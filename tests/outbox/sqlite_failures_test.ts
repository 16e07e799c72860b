/** What a file that fails does to a bus: its errors have types, and no message is lost by them. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { copyFile, open, rm, writeFile } from "node:fs/promises";
import {
  command,
  event,
  retry,
  StoreCorruptError,
  StoreFullError,
  StoreLockedError,
  StoreReadOnlyError,
} from "../../mod.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { SqliteTransaction } from "../../stores/sqlite/mod.ts";
import { openNative } from "../stores/sqlite/native.ts";
import { type OnFile, sqliteTrial } from "../support/sqlite_trial.ts";

const Work = command<{ id: number; bytes?: number }>("failing.work");
const Done = event<{ id: number }>("failing.done");

/** A service that writes a row and publishes an event for each message, and what came of it. */
async function service(file: OnFile, store: Parameters<OnFile["bus"]>[1] = {}) {
  const bus = file.bus({}, store);
  const [done, failures]: [number[], Error[]] = [[], []];
  bus.endpoint("work", { outbox: true, retry: retry.immediate(1), redeliver: ["1m", "1m", "1m"] })
    .handle(Work, async ({ id, bytes = 1 }, ctx) => {
      await ctx.tx.run("INSERT INTO own VALUES (?, ?)", id, new Uint8Array(bytes));
      await ctx.publish(Done, { id });
    });
  bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
  bus.observe({ retried: ({ error }) => void failures.push(error), faulted: ({ error }) => void failures.push(error) });
  await bus.start();
  await bus.transaction((tx) => tx.run("CREATE TABLE IF NOT EXISTS own (id INTEGER, data BLOB)"));
  const rows = () =>
    bus.transaction(async (tx) => (await tx.all<{ id: number }>("SELECT id FROM own ORDER BY id")).map(({ id }) => id));
  return { bus, done, failures, rows };
}

/** Changes the file's only writer until it is set back. */
const pragma = (bus: Bus<SqliteTransaction>, sql: string): Promise<unknown> => bus.transaction((tx) => tx.get(sql));

sqliteTrial(
  "a full disk fails what needs room, and nothing else; when there is room, all have their effect",
  async (t, file) => {
    const { bus, done, failures, rows } = await service(file);
    await pragma(bus, "PRAGMA max_page_count = 1"); // it cannot be less than there are
    await bus.send(Work, { id: 1, bytes: 1_000_000 });
    await bus.send(Work, { id: 2 });
    await t.pass(30_000);
    assert(failures.length >= 1);
    for (const error of failures) assertInstanceOf(error, StoreFullError);
    assert(!done.includes(1) && !(await rows()).includes(1), "Half of what needed room was written");
    await pragma(bus, "PRAGMA max_page_count = 1000000");
    await t.pass(180_000);
    assertEquals([await rows(), done.toSorted(), await t.count("work_error")], [[1, 2], [1, 2], 0]);
  },
);

sqliteTrial("what meets a file that is read-only is held, and no try is spent", async (t, file) => {
  const { bus, done, failures } = await service(file);
  await pragma(bus, "PRAGMA query_only = 1"); // of this connection, until it is closed
  await bus.send(Work, { id: 1 });
  await t.pass(30 * 60_000);
  const part = () => bus.health().parts.find(({ name }) => name === "store sqlite");
  assertEquals([failures, part()?.status], [[], "degraded"]);
  assertStringIncludes(part()?.reason ?? "", "1 message is held: ");
  assertStringIncludes(part()?.reason ?? "", "is read-only");
  await assertRejects(() => bus.schedule(Work, { id: 2 }, { in: "1m" }), StoreReadOnlyError);
  const stopping = bus.stop();
  await t.pass(60_000);
  await stopping;
  const { done: later, rows } = await service(file);
  await t.pass(180_000);
  assertEquals([await rows(), failures, done, later], [[1], [], [], [1]]);
});

sqliteTrial(
  "what a file that stays full fails for good lies in the error queue, with the reason, and can be put back",
  async (t, file) => {
    const { bus, done, rows } = await service(file);
    await pragma(bus, "PRAGMA max_page_count = 1");
    await bus.send(Work, { id: 1, bytes: 1_000_000 });
    await t.pass(10 * 60_000);
    const [failed] = await Array.fromAsync(bus.errors("work").list());
    assertEquals([failed?.exceptions[0]?.type, failed?.attempts], ["StoreFullError", 8]);
    await pragma(bus, "PRAGMA max_page_count = 1000000");
    assertEquals(await bus.errors("work").requeue("all"), 1);
    await t.pass(60_000);
    assertEquals([await rows(), done], [[1], [1]]);
  },
);

sqliteTrial(
  "another process' lock that lasts fails attempts with its own error, and nothing is lost by it",
  async (t, file) => {
    const { bus, done, failures, rows } = await service(file, { lockTimeout: "5s" });
    await openNative(file.path, async (database) => {
      database.exec("BEGIN IMMEDIATE");
      for (let id = 1; id <= 3; id++) await bus.send(Work, { id });
      await t.pass(50_000);
      assert(failures.length >= 1);
      for (const error of failures) assertInstanceOf(error, StoreLockedError);
      assertEquals([done, bus.health().status !== "unhealthy"], [[], true]);
      database.exec("ROLLBACK");
    });
    await t.pass(180_000);
    assertEquals([await rows(), done.toSorted(), await t.count("work_error")], [[1, 2, 3], [1, 2, 3], 0]);
  },
);

sqliteTrial(
  "a file that is damaged, or none, is an error of its own at the start; with a backup all goes on",
  async (t, file) => {
    const { bus, done } = await service(file);
    await bus.send(Work, { id: 1 }, { messageId: "m1" });
    await t.settled();
    await bus.stop();
    await copyFile(file.path, `${file.path}.backup`);
    await t.put("queue:work", {
      body: `{"id":2}`,
      headers: { "hero-id": "m2", "hero-type": Work.name },
    });
    await t.put("queue:work", {
      body: `{"id":1}`,
      headers: { "hero-id": "m1", "hero-type": Work.name },
    });
    const damages: readonly ((path: string) => Promise<void>)[] = [
      (path) => writeFile(path, "This is no database. ".repeat(1_000)),
      async (path) => {
        const handle = await open(path, "r+");
        // The first page's list of tables, behind its header.
        await handle.write(new Uint8Array(3_900).fill(0x5a), 0, 3_900, 100);
        await handle.close();
      },
    ];
    for (const damage of damages) {
      await copyFile(`${file.path}.backup`, file.path);
      await damage(file.path);
      const broken = file.bus();
      broken.endpoint("work", { outbox: true }).handle(Work, () => {});
      await assertRejects(() => broken.start(), StoreCorruptError, file.path);
    }
    for (const rest of ["", "-wal", "-shm"]) await rm(`${file.path}${rest}`, { force: true });
    await copyFile(`${file.path}.backup`, file.path);
    const after = await service(file);
    await t.settled();
    assertEquals([await after.rows(), done, after.done], [[1, 2], [1], [2]]);
    assertEquals(after.bus.statistics("work").duplicate, 1);
  },
);

sqliteTrial("two services on one file send their own rows, and know their own messages, alone", async (t, file) => {
  const Ours = event<{ of: string }>("failing.ours");
  const sent: string[] = [];
  const start = async (name: string) => {
    const bus = file.bus({ name });
    bus.observe({ published: ({ headers }) => void sent.push(`${name} sends what ${headers["of"]} has written`) });
    bus.endpoint("work", { outbox: true, subscribe: false }).handle(Work, async (_, ctx) => {
      await ctx.publish(Ours, { of: name }, { headers: { of: name } });
      await ctx.schedule(Ours, { of: name }, { in: "1m" }, { headers: { of: name }, token: "same" });
    });
    await bus.start();
    return bus;
  };
  // The same message, at endpoints of one name: each service has it once.
  const put = () => t.put("queue:work", { body: `{"id":1}`, headers: { "hero-id": "m", "hero-type": Work.name } });
  const orders = await start("orders");
  await put();
  await t.settled();
  await orders.pause("work");
  const billing = await start("billing");
  await put();
  await t.settled();
  assertEquals([orders, billing].map((bus) => bus.statistics("work").consumed), [1, 1]);
  const own = (name: string) => `${name} sends what ${name} has written`;
  assertEquals(sent.splice(0), ["orders", "billing"].map(own));
  await billing.stop();
  await t.pass(5 * 60_000);
  assertEquals(sent.splice(0), [own("orders")], "What is due of a service that does not run is not sent by another");
  await start("billing");
  await t.settled();
  assertEquals(sent, [own("billing")]);
});
