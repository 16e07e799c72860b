import { assertEquals, assertRejects } from "@std/assert";
import { command, event, RequestFaultError } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { Journal, Latch, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("outbox.work");
const Happened = event<{ id: string }>("outbox.happened");
const Done = event<{ by: string }>("outbox.done");
const Ask = command<{ id: string }, { attempt: number }>("outbox.ask");

trial("what a handler sends waits until it has succeeded, and leaves in order", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const done: string[] = [];
  bus.endpoint("work", { outbox: "memory" }).handle(Work, async (_, ctx) => {
    await ctx.publish(Done, { by: "first" });
    await ctx.send(Work, { id: "2" }, { to: "queue:other" });
    await latch.pass();
    await ctx.publish(Done, { by: "last" });
  });
  const other: string[] = [];
  bus.endpoint("other", { subscribe: false }).handle(Happened, () => {});
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ by }) => void done.push(by));
  bus.observe({ unhandled: ({ name }) => void other.push(name) });
  await bus.start();
  await bus.send(Work, { id: "1" }, { to: "queue:work" });
  await t.settled();
  assertEquals(latch.arrived, 1);
  assertEquals([done, other], [[], []]);
  latch.open();
  await t.settled();
  assertEquals([done, other], [["first", "last"], ["outbox.work"]]);
});

trial("without an outbox it leaves at once", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const done: string[] = [];
  bus.endpoint("work").handle(Work, async (_, ctx) => {
    await ctx.publish(Done, { by: "first" });
    await latch.pass();
  });
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(done, ["first"]);
  latch.open();
});

trial("what a handler that fails has sent is dropped; only its fault is told", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const done: string[] = [];
  bus.observe(journal);
  bus.endpoint("work", { outbox: "memory" }).handle(Work, async (_, ctx) => {
    await ctx.publish(Done, { by: "work" });
    throw new Error("no");
  });
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(done, []);
  assertEquals(journal.of("publish"), []);
  assertEquals(journal.of("fault "), ["fault fault:outbox.work"]);
});

trial("a retry does not double what is sent", async (t) => {
  const bus = t.bus();
  const done: string[] = [];
  bus.endpoint("work", { outbox: "memory", retry: retry.immediate(1), redeliver: ["1m"] }).handle(
    Work,
    async (_, ctx) => {
      await ctx.publish(Done, { by: `attempt ${ctx.attempt}` });
      if (ctx.attempt < 4) throw new Error("not yet");
    },
  );
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(done, ["attempt 4"]);
});

trial("of several handlers nothing leaves until all have succeeded, and then what each has sent, once", async (t) => {
  const bus = t.bus();
  const done: string[] = [];
  bus.endpoint("work", { outbox: "memory", retry: retry.immediate(1) })
    .handle(Happened, (_, ctx) => ctx.publish(Done, { by: `first ${ctx.attempt}` }))
    .handle(Happened, async (_, ctx) => {
      await ctx.publish(Done, { by: `second ${ctx.attempt}` });
      if (ctx.attempt === 1) throw new Error("once");
    });
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.publish(Happened, { id: "1" });
  await t.settled();
  assertEquals(done, ["first 2", "second 2"]);
});

trial("an answer waits, too; one of a failed attempt is dropped, and that of the retry arrives", async (t) => {
  const bus = t.bus();
  bus.endpoint("ask", { outbox: "memory", retry: retry.immediate(1) }).handle(Ask, async (_, ctx) => {
    const responded = await ctx.respond({ attempt: ctx.attempt });
    if (ctx.attempt === 1) throw new Error("once");
    return responded;
  });
  await bus.start();
  assertEquals(await bus.request(Ask, { id: "1" }), { attempt: 2 });
});

trial("who asked hears of a failure, not of the answer that was held back", async (t) => {
  const bus = t.bus();
  bus.endpoint("ask", { outbox: "memory" }).handle(Ask, async (_, ctx) => {
    await ctx.respond({ attempt: ctx.attempt });
    throw new Error("after all");
  });
  await bus.start();
  await assertRejects(() => bus.request(Ask, { id: "1" }), RequestFaultError, "after all");
});

trial("a message that cannot be sent fails the handler's call, or the attempt when it leaves", async (t) => {
  const bus = t.bus();
  const errors: string[] = [];
  bus.endpoint("work", { outbox: "memory" }).handle(Work, async ({ id }, ctx) => {
    if (id === "early") {
      await ctx.publish(Done, { by: 1n as unknown as string, fail: NaN } as never).catch((e: Error) =>
        errors.push(e.name)
      );
    } else await ctx.send(Work, { id }, { to: "queue:nowhere" });
  });
  await bus.start();
  await bus.send(Work, { id: "early" });
  await bus.send(Work, { id: "late" });
  await t.settled();
  assertEquals(errors, ["UnserializableError"]);
  const { consumed, faulted } = bus.statistics("work");
  assertEquals({ consumed, faulted }, { consumed: 1, faulted: 1 });
});

trial("what a handler did not wait for leaves all the same", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const done: string[] = [];
  bus.endpoint("work", { outbox: "memory" })
    .useSend(async (context, next) => {
      if (context.kind === "publish") await latch.pass();
      await next();
    })
    .handle(Work, (_, ctx) => void ctx.publish(Done, { by: "late" }));
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(bus.statistics("work").consumed, 1);
  assertEquals(done, []);
  latch.open();
  await t.settled();
  assertEquals(done, ["late"]);
});

trial(
  "a handler whose claim is lost sends nothing, though it succeeds: whoever has the message now does",
  async (t) => {
    const bus = t.bus();
    const first = new Latch();
    const done: string[] = [];
    let runs = 0;
    bus.endpoint("work", { outbox: "memory" }).handle(Work, async (_, ctx) => {
      const run = ++runs;
      await ctx.publish(Done, { by: `run ${run}` });
      if (run === 1) await first.pass();
    });
    bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.settled();
    t.broker.disconnect(t.transportOf(bus));
    await t.settled();
    first.open();
    await t.settled();
    assertEquals(done, ["run 2"]);
  },
);
