/** What waits for the end of the very transaction in which it is awaited. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { type Bus, command, event, type ObservedStatus, retry, StoreLockedError, WriterHeldError } from "../../mod.ts";
import type { SqliteTransaction } from "../../stores/sqlite/mod.ts";
import { oneFileTrial } from "../support/one_file_trial.ts";
import { sqliteTrial } from "../support/sqlite_trial.ts";

const Work = command<{ id: string }>("itself.work");
const Done = command<{ id: string }>("itself.done");

type Sent = Bus<SqliteTransaction>;
const Unknown = event<{ id: string }>("itself.unknown");
const ways: readonly (readonly [what: string, run: (bus: Sent) => Promise<unknown>])[] = [
  ["sends with the bus", (bus) => bus.send(Done, { id: "a" })],
  ["publishes with the bus what the bus has not met", (bus) => bus.publish(Unknown, { id: "a" })],
  ["schedules with the bus", (bus) => bus.schedule(Done, { id: "a" }, { in: "1h" })],
  ["begins another transaction", (bus) => bus.transaction((tx) => tx.run("INSERT INTO own VALUES ('inner')"))],
];

for (const [what, run] of ways) {
  oneFileTrial(
    `a transaction that ${what} is told that it waits for itself, and keeps nobody waiting for ever`,
    async (t, file) => {
      const bus = file.bus();
      const done: string[] = [];
      const statuses: ObservedStatus[] = [];
      bus.observe({ status: (status) => void statuses.push(status) });
      bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
      await bus.start();
      const stuck = bus.transaction(async (tx) => {
        await tx.run("INSERT INTO own VALUES ('outer')");
        await run(bus);
      });
      stuck.catch(() => {});
      await t.pass(2_000);
      const { status, parts } = bus.health();
      const reasons = parts.filter(({ status }) => status === "degraded").map(({ name, reason }) => [name, reason]);
      const said = `a transaction of the bus "app" has kept "${file.path}" to itself for 1000 ms`;
      assertEquals([status, reasons.length], ["degraded", 2]);
      for (const [, reason] of reasons) assert(reason?.includes(said), reason);
      const other = bus.send(Done, { id: "b" }); // which has waited for less
      await t.pass(28_000);
      const error = await assertRejects(
        () => stuck,
        WriterHeldError,
        "with the sender that it gives, and not with the bus",
      );
      assertEquals(error.details["heldInMs"], 30_000);
      await other;
      await t.settled();
      assertEquals([await file.effects(), done], [[], ["b"]]);
      assertEquals(bus.health().status, "healthy");
      assertEquals(statuses.slice(-2).map(({ state }) => state), ["up", "up"]);
    },
  );
}

oneFileTrial(
  "a handler that has used its transaction and sends with the bus fails by it, and others go on",
  async (t, file) => {
    const bus = file.bus();
    const done: string[] = [];
    const failures: unknown[] = [];
    let wrong = true;
    bus.endpoint("work", { outbox: true, retry: retry.immediate(1) }).handle(Work, async ({ id }, ctx) => {
      await ctx.tx.run("INSERT INTO own VALUES (?)", id);
      await (wrong ? bus : ctx).send(Done, { id });
    });
    bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
    bus.observe({ retried: ({ error }) => void failures.push(error) });
    await bus.start();
    await bus.send(Work, { id: "a" });
    await t.pass(31_000);
    assertEquals([failures.length, done], [1, []]);
    assertInstanceOf(failures[0], WriterHeldError);
    assert(failures[0].message.includes(`a handler of "work" has kept`));
    wrong = false;
    await t.pass(31_000); // the second attempt waits for itself as well
    assertEquals(await bus.errors("work").requeue("all"), 1);
    await t.settled();
    assertEquals([done, await file.effects(), bus.health().status], [["a"], ["a"], "healthy"]);
  },
);

oneFileTrial(
  "queues that were not given the store are told that the file is locked, by whom it may be",
  async (t, file) => {
    const bus = file.apart();
    bus.endpoint("done").handle(Done, () => {});
    await bus.start();
    const stuck = bus.transaction(async (tx) => {
      await tx.run("INSERT INTO own VALUES ('outer')");
      await bus.send(Done, { id: "a" });
    });
    stuck.catch(() => {});
    await t.pass(31_000);
    await assertRejects(
      () => stuck,
      StoreLockedError,
      "another process, or what shares no connection with it in this one",
    );
    assertEquals(await file.effects(), []);
  },
);

sqliteTrial("with queues elsewhere, what is sent by the bus waits for no transaction of its store", async (t, file) => {
  const bus = file.bus();
  const done: string[] = [];
  bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
  await bus.start();
  await bus.transaction(async (tx) => {
    await tx.run("CREATE TABLE own (text)");
    await bus.send(Done, { id: "a" });
  });
  await t.settled();
  assertEquals(done, ["a"]);
});
