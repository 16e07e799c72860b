import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, event, query, StopDeadlineError, StoppedError } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { Journal, Latch, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("stopping.work");
const Done = event<{ id: string }>("stopping.done");
const Get = query<{ id: string }, { status: string }>("stopping.get");

trial("a stop takes nothing more, waits for what runs and for what that sends, and gives the rest back", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const handled: string[] = [];
  bus.endpoint("work", { concurrency: 2 }).handle(Work, async ({ id }, ctx) => {
    await latch.pass();
    await ctx.publish(Done, { id });
    handled.push(id);
  });
  bus.endpoint("done").handle(Done, () => {});
  await bus.start();
  for (const id of ["1", "2", "3", "4"]) await bus.send(Work, { id });
  await t.settled();
  let stopped = false;
  const stopping = bus.stop().then(() => stopped = true);
  await t.settled();
  assertEquals(stopped, false);
  assertEquals(await t.count("work"), 2);
  latch.open();
  await stopping;
  assertEquals(handled, ["1", "2"]);
  assertEquals([await t.count("work"), await t.count("done")], [2, 2]);
  assertEquals(bus.health().status, "unhealthy");
  assertEquals(t.clock.pending, 0);
});

trial("at the deadline ctx.signal aborts, and the message goes back, counted as nothing", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  let signal: AbortSignal | undefined;
  bus.observe(journal);
  bus.endpoint("work", { retry: retry.immediate(5) }).handle(Work, (_, ctx) => {
    signal = ctx.signal;
    return new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const stopping = bus.stop({ deadline: "2s" });
  await t.pass(1_999);
  assertEquals(signal?.aborted, false);
  await t.pass(1);
  await stopping;
  assert(signal?.reason instanceof StopDeadlineError);
  assertEquals([await t.count("work"), await t.count("work_error")], [1, 0]);
  assertEquals(journal.of("unhandled"), ["unhandled stopping.work released"]);
  assertEquals([journal.of("retried"), journal.of("faulted")], [[], []]);
});

trial("a handler that ends well because of the signal has handled its message", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(
    Work,
    (_, ctx) => new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve())),
  );
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const stopping = bus.stop({ deadline: "2s" });
  await t.pass(2_000);
  await stopping;
  assertEquals(await t.count("work"), 0);
});

trial(
  "of several handlers, a stop whose deadline passes runs none of those behind, and the message goes back",
  async (t) => {
    const Happened = event<{ id: string }>("stopping.happened");
    const bus = t.bus();
    const handled: string[] = [];
    bus.endpoint("work")
      .handle(Happened, (_, ctx) => {
        handled.push("first");
        return new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
      })
      .handle(Happened, () => void handled.push("second"));
    await bus.start();
    await bus.publish(Happened, { id: "1" });
    await t.settled();
    const stopping = bus.stop({ deadline: "2s" });
    await t.pass(2_000);
    await stopping;
    assertEquals([handled, await t.count("work")], [["first"], 1]);
  },
);

trial("thirty seconds, unless said otherwise", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => new Promise<void>(() => {}));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  let stopped = false;
  bus.stop().then(() => stopped = true);
  await t.pass(29_999);
  assertEquals(stopped, false);
  await t.pass(1);
  assertEquals(stopped, true);
});

trial("a second stop aborts handlers at once, and both resolve", async (t) => {
  const bus = t.bus();
  let signal: AbortSignal | undefined;
  bus.endpoint("work").handle(Work, (_, ctx) => {
    signal = ctx.signal;
    return new Promise<void>(() => {});
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const first = bus.stop();
  await t.settled();
  assertEquals(signal?.aborted, false);
  await bus.stop();
  await first;
  assert(signal?.reason instanceof StopDeadlineError);
  assertEquals(await t.count("work"), 1);
  await bus.stop();
});

trial("a handler that awaits the stop of its own bus does not hold it up beyond its deadline", async (t) => {
  const bus = t.bus();
  let over = false;
  bus.endpoint("work").handle(Work, async () => {
    await bus.stop({ deadline: "2s" });
    over = true;
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(1_999);
  assertEquals(over, false);
  await t.pass(1);
  assertEquals(over, true);
  assertEquals(await t.count("work"), 1);
  assertEquals(t.clock.pending, 0);
});

trial("a handler that stops its bus and returns has handled its message", async (t) => {
  const bus = t.bus();
  let stopped = false;
  bus.endpoint("work").handle(Work, () => {
    bus.stop().then(() => stopped = true);
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(stopped, true);
  assertEquals(await t.count("work"), 0);
});

for (const how of ["returns", "throws"] as const) {
  trial(`a handler that ${how} after the stop has no effect`, async (t) => {
    const bus = t.bus();
    const journal = new Journal();
    const latch = new Latch();
    let late: string | undefined;
    bus.endpoint("work", { retry: retry.immediate(3), redeliver: ["1m"] }).handle(Work, async (_, ctx) => {
      await latch.pass();
      late = await ctx.publish(Done, { id: "1" }).then(() => "done", (error: Error) => error.name);
      if (how === "throws") throw new Error("too late");
    });
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.settled();
    await bus.stop({ deadline: 0 });
    bus.observe(journal);
    const next = t.bus({ name: "next" });
    const handled: string[] = [];
    next.endpoint("work").handle(Work, ({ id }) => void handled.push(id));
    next.endpoint("done").handle(Done, () => void handled.push("done"));
    await next.start();
    latch.open();
    await t.pass(60_000);
    assertEquals(late, "StopDeadlineError");
    assertEquals(handled, ["1"]);
    assertEquals([await t.count("work"), await t.count("work_error")], [0, 0]);
    assertEquals(journal.of("faulted"), []);
    assertEquals(t.broker.counts.ineffective, 0);
  });
}

trial("a wait between two attempts does not hold a stop up beyond its deadline", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { retry: retry.interval(3, "1h") }).handle(Work, () => {
    throw new Error("down");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const stopping = bus.stop({ deadline: "2s" });
  await t.pass(2_000);
  await stopping;
  assertEquals([await t.count("work"), await t.count("work_error")], [1, 0]);
  assertEquals(t.clock.pending, 0);
});

trial("requests that wait are rejected by a stop, and handlers may still ask and answer while it drains", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let answer: unknown;
  bus.endpoint("get").handle(Get, async ({ id }) => {
    if (id === "slow") await new Promise<void>(() => {});
    return { status: "new" };
  });
  const owner = t.bus({ name: "owner" });
  const Other = query<{ id: string }, { status: string }>("stopping.other");
  owner.endpoint("other").handle(Other, () => ({ status: "other" }));
  await owner.start();
  bus.endpoint("work").handle(Work, async (_, ctx) => {
    await latch.pass();
    answer = await ctx.request(Other, { id: "1" });
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  const waiting = assertRejects(() => bus.request(Get, { id: "slow" }), StoppedError);
  await t.settled();
  const stopping = bus.stop({ deadline: "2s" });
  latch.open();
  await t.settled();
  assertEquals(answer, { status: "other" });
  await t.pass(2_000);
  await stopping;
  await waiting;
});

trial("several endpoints share one deadline", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => new Promise<void>(() => {}));
  bus.endpoint("done").handle(Done, () => new Promise<void>(() => {}));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await bus.publish(Done, { id: "1" });
  await t.settled();
  let stopped = false;
  bus.stop({ deadline: "2s" }).then(() => stopped = true);
  await t.pass(2_000);
  assertEquals(stopped, true);
});

trial("disposing of a bus stops it", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("work").handle(Work, () => latch.pass());
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const disposing = bus[Symbol.asyncDispose]();
  latch.open();
  await disposing;
  assertEquals(await t.count("work"), 0);
  await assertRejects(() => bus.send(Work, { id: "2" }), StoppedError);
});

trial("a bus that was never started stops, and does not start any more", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => {});
  await bus.stop();
  await assertRejects(() => bus.start(), StoppedError);
});

trial(
  "a handler that stops its own bus and does not await it has handled its message when the bus has stopped",
  async (t) => {
    const bus = t.bus();
    let stopping: Promise<void> | undefined;
    bus.endpoint("work").handle(Work, async ({ id }, ctx) => {
      stopping = bus.stop();
      await ctx.publish(Done, { id });
    });
    bus.endpoint("done", { concurrency: 1 }).handle(Done, () => {});
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.settled();
    await stopping;

    assertEquals([await t.count("work"), await t.count("work_error"), await t.count("done")], [0, 0, 1]);
    assertEquals(t.clock.pending, 0);
  },
);

trial(
  "a handler that awaits the stop of its own bus is told at the deadline what to do, and its message stays",
  async (t) => {
    const bus = t.bus();
    let reason: unknown;
    bus.endpoint("work").handle(Work, async (_, ctx) => {
      ctx.signal.addEventListener("abort", () => reason = ctx.signal.reason);
      await bus.stop({ deadline: "2s" });
    });
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.settled();
    await t.pass(1_999);
    assertEquals(reason, undefined);
    await t.pass(1);

    assert(reason instanceof StopDeadlineError);
    assertStringIncludes(reason.message, "let it not await that");
    assertEquals(await t.count("work"), 1);
    await bus.stop();
  },
);
