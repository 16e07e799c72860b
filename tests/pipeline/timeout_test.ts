import { assert, assertEquals, assertRejects } from "@std/assert";
import { command, event, HandlerTimeoutError } from "../../mod.ts";
import type { ConsumeContext } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, Latch, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("timeout.work", { key: ({ id }) => id });
const Done = event<{ by: number }>("timeout.done");

trial("an attempt that takes too long fails with a typed error, and its signal aborts with it", async (t) => {
  const bus = t.bus();
  let signal: AbortSignal | undefined;
  bus.endpoint("work", { timeout: "5s" }).handle(Work, (_, ctx) => {
    signal = ctx.signal;
    return new Promise<void>(() => {});
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(4_999);
  assertEquals(signal?.aborted, false);
  await t.pass(1);
  assert(signal?.reason instanceof HandlerTimeoutError);
  assertEquals(signal.reason.details, { endpoint: "work", timeoutInMs: 5_000 });
  const [failed] = await all(bus.errors("work").list());
  assertEquals(failed?.exceptions[0]?.type, "HandlerTimeoutError");
  assertEquals((await bus.counts("work")).active, 0);
});

trial("in time is in time: nothing fails, no timer is left", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("work", { timeout: "5s" }).handle(Work, () => latch.pass());
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(4_999);
  latch.open();
  await t.settled();
  assertEquals(t.clock.pending, 0);
  await t.pass(60_000);
  assertEquals(bus.statistics("work").consumed, 1);
  assertEquals(bus.statistics("work").faulted, 0);
});

trial("each attempt has the whole time, and a signal of its own", async (t) => {
  const bus = t.bus();
  const signals: AbortSignal[] = [];
  const times: number[] = [];
  const start = t.clock.now();
  bus.endpoint("work", { timeout: "5s", retry: retry.interval(2, "1s") }).handle(Work, (_, ctx) => {
    signals.push(ctx.signal);
    times.push(t.clock.now() - start);
    return ctx.attempt < 3 ? new Promise<void>(() => {}) : undefined;
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(times, [0, 6_000, 12_000]);
  assertEquals(signals.map(({ aborted }) => aborted), [true, true, false]);
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("a handler may be retried, or not, because of its time", async (t) => {
  const bus = t.bus();
  let attempts = 0;
  bus.endpoint("work", { timeout: "5s", retry: retry.immediate(3, { ignore: [HandlerTimeoutError] }) })
    .handle(Work, () => {
      attempts++;
      return new Promise<void>(() => {});
    });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(attempts, 1);
});

/** What each call of a context comes to: `done`, or the name of the error. */
async function callAll(ctx: ConsumeContext): Promise<Readonly<Record<string, string>>> {
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    publish: () => ctx.publish(Done, { by: ctx.attempt }),
    send: () => ctx.send(Work, { id: "2" }, { to: "queue:elsewhere" }),
    request: () => ctx.request(Work, { id: "3" }),
    schedule: () => ctx.schedule(Done, { by: ctx.attempt }, { in: "1h" }),
    unschedule: () => ctx.unschedule({ id: "x" }),
    defer: () => ctx.defer("1m"),
    redeliver: () => ctx.redeliver("1m"),
    forward: () => ctx.forward("queue:elsewhere"),
  };
  const results: Record<string, string> = {};
  for (const [name, call] of Object.entries(calls)) {
    results[name] = await call().then(() => "done", (error: Error) => error.name);
  }
  return results;
}
const refused = (by: string): Readonly<Record<string, string>> => ({
  publish: by,
  send: by,
  request: by,
  schedule: by,
  unschedule: by,
  defer: by,
  redeliver: by,
  forward: by,
});

trial("what a handler still does after its time is refused, while its retry runs", async (t) => {
  const bus = t.bus();
  const first = new Latch();
  const second = new Latch();
  let results: unknown;
  let late: AbortSignal | undefined;
  const done: number[] = [];
  bus.endpoint("work", { timeout: "5s", retry: retry.immediate(1) }).handle(Work, async (_, ctx) => {
    if (ctx.attempt === 1) {
      await first.pass();
      late = ctx.signal;
      results = await callAll(ctx);
      return;
    }
    await second.pass();
    await ctx.publish(Done, { by: ctx.attempt });
  });
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(5_000);
  assertEquals(second.arrived, 1);
  first.open();
  await t.settled();
  assertEquals(results, refused("HandlerTimeoutError"));
  assert(late?.reason instanceof HandlerTimeoutError, "Its signal is its own: aborted");
  second.open();
  await t.settled();
  assertEquals(done, [2]);
  const { consumed, faulted, deferred } = bus.statistics("work");
  assertEquals({ consumed, faulted, deferred }, { consumed: 1, faulted: 0, deferred: 0 });
});

trial("what a handler still does after its message was given up is refused", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let results: unknown;
  bus.endpoint("work", { timeout: "5s" }).handle(Work, async (_, ctx) => {
    await latch.pass();
    results = await callAll(ctx);
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(5_000);
  latch.open();
  await t.settled();
  assertEquals(results, refused("HandlerTimeoutError"));
  assertEquals(bus.statistics("work").faulted, 1);
  assertEquals(await t.count("work_error"), 1);
});

trial("a reply that comes too late is refused, and the caller has been told", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let late: unknown;
  const Ask = command<{ id: string }, { ok: boolean }>("timeout.ask");
  bus.endpoint("ask", { timeout: "5s" }).handle(Ask, async (_, ctx) => {
    await latch.pass();
    late = await ctx.respond({ ok: true }).catch((error: Error) => error.name);
    return { ok: true };
  });
  await bus.start();
  const rejected = assertRejects(() => bus.request(Ask, { id: "1" }), Error, "HandlerTimeoutError");
  await t.pass(5_000);
  await rejected;
  latch.open();
  await t.settled();
  assertEquals(late, "HandlerTimeoutError");
});

trial("what a handler still throws after its time harms nothing", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let handled = 0;
  bus.endpoint("work", { timeout: "5s" }).handle(Work, async ({ id }) => {
    if (id === "1") {
      await latch.pass();
      throw new Error("too late");
    }
    handled++;
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(5_000);
  latch.open();
  await t.settled();
  await bus.send(Work, { id: "2" });
  await t.settled();
  assertEquals(handled, 1);
  assertEquals((await all(bus.errors("work").list())).map(({ exceptions }) => exceptions[0]?.type), [
    "HandlerTimeoutError",
  ]);
});

trial("the slot and the key of an attempt that took too long are free for others", async (t) => {
  const bus = t.bus();
  const runs: string[] = [];
  bus.endpoint("work", { timeout: "5s", concurrency: 1 }).handle(Work, ({ id }, { messageId }) => {
    runs.push(messageId);
    return id === "k" && runs.length === 1 ? new Promise<void>(() => {}) : undefined;
  });
  await bus.start();
  for (const messageId of ["1", "2", "3"]) await bus.send(Work, { id: "k" }, { messageId });
  await t.pass(4_999);
  assertEquals(runs, ["1"]);
  await t.pass(1);
  assertEquals(runs, ["1", "2", "3"]);
});

trial("of several handlers, an attempt that took too long runs none of those behind", async (t) => {
  const bus = t.bus();
  const first = new Latch();
  const second = new Latch();
  const Happened = event<{ id: string }>("timeout.happened");
  const runs: string[] = [];
  bus.endpoint("work", { timeout: "5s", retry: retry.immediate(1) })
    .handle(Happened, (_, { attempt }) => {
      runs.push(`first ${attempt}`);
      return (attempt === 1 ? first : second).pass();
    })
    .handle(Happened, (_, { attempt }) => void runs.push(`second ${attempt}`));
  await bus.start();
  await bus.publish(Happened, { id: "1" });
  await t.pass(5_000);
  first.open();
  await t.settled();
  assertEquals(runs, ["first 1", "first 2"]);
  second.open();
  await t.settled();
  assertEquals(runs, ["first 1", "first 2", "second 2"]);
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("the answer of an attempt that took too long is not the answer of its retry", async (t) => {
  const bus = t.bus();
  const first = new Latch();
  const second = new Latch();
  const Ask = command<{ id: string }, { attempt: number }>("timeout.ask");
  bus.endpoint("ask", { timeout: "5s", retry: retry.immediate(1) }).handle(Ask, async (_, { attempt }) => {
    await (attempt === 1 ? first : second).pass();
    return { attempt };
  });
  await bus.start();
  const answer = bus.request(Ask, { id: "1" });
  await t.pass(5_000);
  first.open();
  await t.settled();
  second.open();
  assertEquals(await answer, { attempt: 2 });
});
