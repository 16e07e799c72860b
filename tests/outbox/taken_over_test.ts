/** Queues and store in one file: of what another process has by now, nothing is committed. */
import { assertEquals } from "@std/assert";
import { retry } from "../../mod.ts";
import type { SqliteTransaction } from "../../stores/sqlite/mod.ts";
import { oneFileTrial } from "../support/one_file_trial.ts";
import { Journal } from "../support/trial.ts";
import {
  Alone,
  Ask,
  Batched,
  Done,
  Grouped,
  listener,
  passToAnother,
  seen,
  send,
  start,
  Work,
} from "./one_transaction.ts";

for (const options of [{}, { group: 3 }]) {
  const name = options.group === undefined ? "a handler" : "a handler in a group";
  oneFileTrial(
    `${name} whose message another process has by now commits nothing, and tells nobody`,
    async (t, file) => {
      const bus = file.bus();
      const got: string[] = [];
      const journal = new Journal();
      const runs: string[] = [];
      bus.endpoint("work", { outbox: options, retry: retry.immediate(3) }).handle(Work, async ({ id }, ctx) => {
        runs.push(id);
        await ctx.publish(Done, { id });
        // It stands still before it has the file's only writer.
        if (id === "b" && runs.filter((each) => each === "b").length === 1) await passToAnother(file, "b");
        await ctx.tx.run("INSERT INTO own VALUES (?)", id);
      });
      listener(bus, got);
      bus.observe(journal);
      await start(bus, file);
      await bus.pause("work");
      await send(bus, t, "b");
      await bus.resume("work");
      await t.settled();
      assertEquals([journal.of("unhandled"), journal.of("retried"), journal.of("faulted")], [
        ["unhandled one.work lost"],
        [],
        [],
      ]);
      await t.pass(20_000); // the lease of the other ends, as nobody is there
      assertEquals([await file.effects(), got, runs, await seen(file)], [["b"], ["b"], ["b", "b"], [0, 0, 1, 1]]);
    },
  );
}

oneFileTrial("one that another process has by now takes no other of its group or batch with it", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  const fault = new Journal();
  const firsts = new Set(["b", "y"]);
  const handle = async (id: string, ctx: { readonly tx: SqliteTransaction }): Promise<void> => {
    if (firsts.delete(id)) await passToAnother(file, id);
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
  };
  bus.endpoint("work", { outbox: { group: 3 }, prefetch: 3 }).handle(Work, async ({ id }, ctx) => {
    await handle(id, ctx);
    await ctx.publish(Done, { id });
  });
  bus.endpoint("batch", { outbox: true, prefetch: 6 }).batch(Ask, { size: 3, within: "10ms" }, async (batch, ctx) => {
    for (const { message: { id } } of batch) if (firsts.delete(id)) await passToAnother(file, id);
    for (const { message: { id } } of batch) {
      await handle(id, ctx);
      await ctx.publish(Done, { id });
    }
  });
  listener(bus, got);
  bus.observe(fault);
  await start(bus, file);
  // The first of a group must not have written when the lease of another passes: the writer is one.
  await send(bus, t, "b", "a", "c");
  await Promise.all(["x", "y", "z"].map((id) => bus.send(Ask, { id }, { messageId: id })));
  await t.pass(5_000);
  assertEquals([got.toSorted(), fault.of("faulted"), fault.of("retried")], [["a", "c", "x", "z"], [], []]);
  await t.pass(30_000);
  assertEquals([got.toSorted(), await file.hops()], [["a", "b", "c", "x", "y", "z"], 0]);
  assertEquals((await file.effects()).toSorted(), ["a", "b", "c", "x", "y", "z"]);
});

oneFileTrial(
  "what another process has handled before the transaction opens is a duplicate, and no failure",
  async (t, file) => {
    const bus = file.bus();
    const got: string[] = [];
    const journal = new Journal();
    const handled = (endpoint: string, id: string): Promise<void> =>
      file.run(
        `INSERT OR IGNORE INTO hero_inbox (bus, endpoint, message_id, keep_until) VALUES ('app', '${endpoint}', '${id}#0', 8e15)`,
      );
    const ids = (endpoint: string): readonly string[] => ["a", "b", "c"].map((id) => `${endpoint} ${id}`);
    for (const [endpoint, contract, outbox] of [["alone", Alone, true], ["group", Grouped, { group: 3 }]] as const) {
      bus.endpoint(endpoint, { outbox }).handle(contract, async ({ id }, ctx) => {
        if (id === `${endpoint} a`) await handled(endpoint, `${endpoint} b`);
        try {
          await ctx.tx.run("INSERT INTO own VALUES (?)", id);
        } catch (cause) {
          throw new Error("It went wrong", { cause }); // as handlers do
        }
        await ctx.publish(Done, { id });
      });
    }
    bus.endpoint("batch", { outbox: true }).batch(Batched, { size: 3, within: "10ms" }, async (batch, ctx) => {
      if (batch.length === 3) await handled("batch", "batch b");
      for (const { message: { id } } of batch) {
        await ctx.tx.run("INSERT INTO own VALUES (?)", id);
        await ctx.publish(Done, { id });
      }
    });
    listener(bus, got);
    bus.observe(journal);
    await start(bus, file);
    for (const [endpoint, contract] of [["alone", Alone], ["group", Grouped], ["batch", Batched]] as const) {
      await Promise.all(ids(endpoint).map((id) => bus.send(contract, { id }, { messageId: id })));
      await t.pass(1_000);
    }
    const expected = ["alone", "group", "batch"].flatMap(ids).filter((id) => !id.endsWith("b")).toSorted();
    assertEquals([got.toSorted(), (await file.effects()).toSorted()], [expected, expected]);
    assertEquals([journal.of("faulted"), journal.of("unhandled").length, await file.hops()], [[], 3, 0]);
  },
);
