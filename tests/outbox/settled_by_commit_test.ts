/** Queues and store in one file: all that a handler may do with a message is part of its commit. */
import { assertEquals, assertRejects } from "@std/assert";
import { retry, UnroutableError } from "../../mod.ts";
import { oneFileTrial } from "../support/one_file_trial.ts";
import { Journal } from "../support/trial.ts";
import { Ask, Done, listener, Look, Missing, send, start, Work } from "./one_transaction.ts";

oneFileTrial("what a handler puts off or forwards is settled so by its commit", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
    if (id === "forward") await ctx.forward("queue:other");
    else if (await file.count("hero_inbox") === 0) await ctx.defer("1h");
  });
  bus.endpoint("other", { subscribe: false }).handle(Work, ({ id }) => void got.push(id));
  await start(bus, file);
  await send(bus, t, "defer");
  assertEquals([await file.effects(), await bus.counts("work")], [
    ["defer"],
    { waiting: 0, active: 0, delayed: 1, failed: 0, skipped: 0 },
  ]);
  await send(bus, t, "forward");
  assertEquals([got, await file.effects()], [["forward"], ["defer", "forward"]]);
  await t.pass(3_600_000);
  assertEquals([await file.effects(), await file.hops()], [["defer", "forward", "defer"], 0]);
  assertEquals(await file.count("hero_queue_messages"), 0);
});

oneFileTrial("what is due later goes along, and stays behind with a handler that throws", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  bus.endpoint("work", { outbox: true, redeliver: ["1s"] }).handle(Work, async ({ id }, ctx) => {
    await ctx.publish(Done, { id: `${id} ${ctx.attempt}` }, { delay: "1m" });
    if (ctx.attempt === 1) throw new Error("once");
  });
  listener(bus, got);
  await start(bus, file);
  await send(bus, t, "a");
  await t.pass(59_000);
  assertEquals(got, []);
  await t.pass(3_000);
  assertEquals([got, await file.hops()], [["a 2"], 0]);
});

oneFileTrial("an answer is part of the commit; a query is answered without one", async (t, file) => {
  const bus = file.bus();
  bus.endpoint("ask", { outbox: true, retry: retry.immediate(1) }).handle(Ask, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", `${id} ${ctx.attempt}`);
    await ctx.respond({ id: `answer to ${id}, at attempt ${ctx.attempt}` });
    if (ctx.attempt === 1) throw new Error("once");
    return { id: "too late" };
  }).handle(Look, ({ id }) => ({ id }));
  await start(bus, file);
  const asked = bus.request(Ask, { id: "a" }, { timeout: "1h" });
  const looked = bus.request(Look, { id: "b" }, { timeout: "1h" });
  await t.settled();
  assertEquals([await asked, await looked], [{ id: "answer to a, at attempt 2" }, { id: "b" }]);
  assertEquals([await file.effects(), await file.hops()], [["a 2"], 0]);
});

oneFileTrial("what reaches no queue makes the attempt fail, by the contract's name, and undoes it", async (t, file) => {
  const bus = file.bus();
  const journal = new Journal();
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
    await ctx.send(Missing, { id });
  });
  bus.observe(journal);
  await start(bus, file);
  await send(bus, t, "a");
  assertEquals([await file.effects(), (await bus.counts("work")).failed, await file.hops()], [[], 1, 0]);
  const [error] = await Array.fromAsync(bus.errors("work").list());
  assertEquals(error?.exceptions[0]?.type, UnroutableError.name);
  assertEquals(error?.exceptions[0]?.message.includes(`"one.missing"`), true);
});

oneFileTrial("what is audited is settled when its copy is out, and has one effect", async (t, file) => {
  const bus = file.bus();
  bus.endpoint("work", { outbox: true, audit: "queue:audit" }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
  });
  bus.endpoint("audit", { subscribe: false }).handle(Done, () => {});
  await start(bus, file);
  await bus.pause("audit");
  await send(bus, t, "a");
  assertEquals([await file.effects(), (await bus.counts("audit")).waiting, (await bus.counts("work")).active], [
    ["a"],
    1,
    0,
  ]);
});

oneFileTrial("a transaction outside of handlers writes its messages into the queues itself", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  listener(bus, got);
  await start(bus, file);
  const failed = bus.transaction(async (tx, sender) => {
    await tx.run("INSERT INTO own VALUES ('a')");
    await sender.publish(Done, { id: "a" });
    throw new Error("no");
  });
  await assertRejects(() => failed, Error, "no");
  await t.settled();
  assertEquals([await file.effects(), got], [[], []]);
  await bus.transaction(async (tx, sender) => {
    await tx.run("INSERT INTO own VALUES ('b')");
    await sender.publish(Done, { id: "b" });
  });
  await t.settled();
  assertEquals([await file.effects(), got, await file.hops()], [["b"], ["b"], 0]);
  await assertRejects(
    () =>
      bus.transaction(async (tx, sender) => {
        await tx.run("INSERT INTO own VALUES ('c')");
        await sender.send(Missing, { id: "c" });
      }),
    UnroutableError,
    `"one.missing"`,
  );
  assertEquals(await file.effects(), ["b"]);
});
