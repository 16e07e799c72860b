import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { command, event, NoTransactionError, query, RequestInTransactionError, retry } from "../../mod.ts";
import { Journal, Latch, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("unit.work");
const Happened = event<{ id: string }>("unit.happened");
const Done = event<{ by: string }>("unit.done");
const Ask = command<{ id: string }, { attempt: number }>("unit.ask");
const Look = query<{ id: string }, { tx: boolean }>("unit.look");

trial("what a handler sends leaves after its commit, in order, and the message is accepted", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const done: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    await ctx.publish(Done, { by: "first" });
    await latch.pass();
    await ctx.publish(Done, { by: "last" });
  });
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals([latch.arrived, done], [1, []]);
  latch.open();
  await t.settled();
  assertEquals(done, ["first", "last"]);
  assertEquals(await t.count("work"), 0);
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("a message that comes again, or three times at once, has one effect and one set of messages", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const effects: string[] = [];
  const done: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    await ctx.publish(Done, { by: id });
    await Promise.resolve();
    effects.push(id);
  });
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  bus.observe(journal);
  await bus.start();
  await Promise.all(["a", "b", "c"].map((id) => bus.send(Work, { id }, { messageId: "same" })));
  await t.settled();
  await bus.send(Work, { id: "later" }, { messageId: "same" });
  await t.settled();
  assertEquals([effects, done], [["a"], ["a"]]);
  assertEquals(bus.statistics("work").duplicate, 3);
  assertEquals(journal.of("unhandled"), Array(3).fill("unhandled unit.work duplicate"));
});

trial("an attempt that fails leaves nothing; a retry runs all handlers again, in a new unit", async (t) => {
  const bus = t.bus();
  const runs: string[] = [];
  const done: string[] = [];
  bus.endpoint("work", { outbox: true, retry: retry.immediate(1) })
    .handle(Happened, (_, ctx) => {
      runs.push(`first ${ctx.attempt}`);
      return ctx.publish(Done, { by: `first ${ctx.attempt}` });
    })
    .handle(Happened, async (_, ctx) => {
      runs.push(`second ${ctx.attempt}`);
      await ctx.publish(Done, { by: `second ${ctx.attempt}` });
      if (ctx.attempt === 1) throw new Error("once");
    });
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.publish(Happened, { id: "1" });
  await t.settled();
  assertEquals(runs, ["first 1", "second 1", "first 2", "second 2"]);
  assertEquals(done, ["first 2", "second 2"]);
});

trial("an answer is part of the unit", async (t) => {
  const bus = t.bus();
  bus.endpoint("ask", { outbox: true, retry: retry.immediate(1) }).handle(Ask, async (_, ctx) => {
    const responded = await ctx.respond({ attempt: ctx.attempt });
    if (ctx.attempt === 1) throw new Error("once");
    return responded;
  });
  await bus.start();
  assertEquals(await bus.request(Ask, { id: "1" }), { attempt: 2 });
});

trial("a query gets no unit, and may come twice", async (t) => {
  const bus = t.bus();
  const units: unknown[] = [];
  bus.endpoint("look", { outbox: true }).handle(Look, (_, ctx) => {
    units.push(ctx["~unit"]);
    assertThrows(() => ctx.tx, NoTransactionError, '"unit.look" is a query');
    return { tx: false };
  });
  await bus.start();
  for (let time = 0; time < 2; time++) {
    assertEquals(await bus.request(Look, { id: "1" }), { tx: false });
  }
  assertEquals(units, [undefined, undefined]);
});

trial("a request waits for no answer in an open transaction", async (t) => {
  const bus = t.bus();
  let before: unknown;
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    before = await ctx.request(Look, { id: "1" });
    void ctx.tx;
    await assertRejects(() => ctx.request(Look, { id: "1" }), RequestInTransactionError, "work");
  });
  bus.endpoint("look").handle(Look, () => ({ tx: false }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(before, { tx: false });
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("a message without an id goes to the error queue: no inbox could know it", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { outbox: true, retry: retry.immediate(3) }).handle(Work, () => {});
  await bus.start();
  await t.put("queue:work", { body: `{"id":"1"}`, headers: { "hero-type": "unit.work" } });
  await t.settled();
  const [failed] = await t.peek("work_error");
  assertEquals(failed?.frame.headers["hero-reason"], "unreadable");
  assertEquals(bus.statistics("work").retried, 0);
});

trial(
  "what a handler puts off comes again though the inbox knows it, and is in the commit with what it sent",
  async (t) => {
    const bus = t.bus();
    const seen: string[] = [];
    const done: string[] = [];
    bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
      seen.push(`attempt ${ctx.attempt} at ${t.clock.now() % 1_000_000}`);
      await ctx.publish(Done, { by: `run ${seen.length}` });
      if (seen.length === 1) await ctx.defer("1m");
      if (seen.length === 2) await ctx.redeliver("1m");
    });
    bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.pass(59_999);
    assertEquals(done, ["run 1"]);
    await t.pass(60_001);
    assertEquals(done, ["run 1", "run 2", "run 3"]);
    assertEquals(seen.map((each) => each.slice(0, 9)), ["attempt 1", "attempt 1", "attempt 2"]);
    const { deferred, consumed } = bus.statistics("work");
    assertEquals({ deferred, consumed }, { deferred: 2, consumed: 1 });
  },
);

trial("a message that is forwarded leaves with the commit", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { outbox: true }).handle(Work, (_, ctx) => ctx.forward("queue:other"));
  const got: string[] = [];
  bus.endpoint("other", { subscribe: false }).handle(Work, ({ id }, ctx) => void got.push(`${id} ${ctx.messageId}`));
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m" });
  await t.settled();
  assertEquals(got, ["1 m"]);
});

trial("the inbox forgets a message a week after it was handled, as others come", async (t) => {
  const bus = t.bus();
  const ids: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, ({ id }) => void ids.push(id));
  await bus.start();
  const send = (id: string) => bus.send(Work, { id }, { messageId: id });
  await send("old");
  await t.pass(7 * 24 * 60 * 60_000 - 1);
  await send("old");
  await t.settled();
  assertEquals(ids, ["old"]);
  await t.pass(120_000);
  await send("other");
  await t.settled();
  await send("old");
  await t.settled();
  assertEquals(ids, ["old", "other", "old"]);
});
