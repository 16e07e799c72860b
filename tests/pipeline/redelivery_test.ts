import { assertEquals, assertRejects } from "@std/assert";
import { command, ConfigurationError, InvalidDurationError } from "../../mod.ts";
import type { EndpointOptions } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("redelivery.work", { key: ({ id }) => id });
const Follow = command<{ id: string }>("redelivery.follow");

trial("after each wait of `redeliver` a failed message comes again, through the broker", async (t) => {
  const bus = t.bus();
  const runs: (readonly [seconds: number, attempt: number])[] = [];
  const start = t.clock.now();
  bus.endpoint("work", { redeliver: ["1m", "10m"] }).handle(Work, (_, { attempt }) => {
    runs.push([(t.clock.now() - start) / 1000, attempt]);
    throw new Error("down");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 1, failed: 0, skipped: 0 });
  await t.pass(59_999);
  assertEquals(runs.length, 1);
  await t.pass(1);
  assertEquals(runs, [[0, 1], [60, 2]]);
  await t.pass(600_000);
  assertEquals(runs, [[0, 1], [60, 2], [660, 3]]);
  const { redelivered, faulted, received, retried } = bus.statistics("work");
  assertEquals({ redelivered, faulted, received, retried }, { redelivered: 2, faulted: 1, received: 3, retried: 0 });
  assertEquals((await all(bus.errors("work").list()))[0]?.attempts, 3);
});

for (
  const [order, options] of [
    ["retry, then redeliver", { retry: retry.interval(1, "1s"), redeliver: ["1m", "2m"] }],
    ["redeliver, then retry", { redeliver: ["1m", "2m"], retry: retry.interval(1, "1s") }],
  ] as const
) {
  trial(`retries run inside each redelivery, and attempts count on over both (written ${order})`, async (t) => {
    const bus = t.bus();
    const runs: (readonly [seconds: number, attempt: number])[] = [];
    const start = t.clock.now();
    bus.endpoint("work", options).handle(Work, (_, { attempt }) => {
      runs.push([(t.clock.now() - start) / 1000, attempt]);
      throw new Error("down");
    });
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.pass(600_000);
    assertEquals(runs, [[0, 1], [1, 2], [61, 3], [62, 4], [182, 5], [183, 6]]);
    assertEquals((await all(bus.errors("work").list()))[0]?.attempts, 6);
  });
}

trial("what a retry's filter leaves out is still redelivered", async (t) => {
  const bus = t.bus();
  const attempts: number[] = [];
  bus.endpoint("work", { retry: retry.immediate(3, { handle: [TypeError] }), redeliver: ["1m"] })
    .handle(Work, (_, { attempt }) => {
      attempts.push(attempt);
      throw new RangeError("no");
    });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(attempts, [1, 2]);
});

trial("what comes again is the same message: id, key, headers and correlation", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("work", { redeliver: ["1m"] }).handle(Work, (message, ctx) => {
    seen.push([message, ctx.messageId, ctx.correlationId, ctx.conversationId, { ...ctx.headers }]);
    throw new Error("down");
  });
  await bus.start();
  await bus.send(Work, { id: "7" }, { messageId: "m-7", correlationId: "c-7", headers: { tenant: "north" } });
  await t.pass(60_000);
  assertEquals(seen.length, 2);
  assertEquals(seen[1], seen[0]);
  const [parked] = await t.peek("work_error");
  assertEquals(parked?.key, "7");
});

trial("while a message waits for redelivery it takes no slot, and others are handled", async (t) => {
  const bus = t.bus();
  const done: string[] = [];
  bus.endpoint("work", { redeliver: ["1m"], concurrency: 1, prefetch: 1 }).handle(Work, ({ id }, { attempt }) => {
    if (id === "bad" && attempt === 1) throw new Error("down");
    done.push(id);
  });
  await bus.start();
  for (const id of ["bad", "a", "b"]) await bus.send(Work, { id });
  await t.settled();
  assertEquals(done, ["a", "b"]);
  await t.pass(60_000);
  assertEquals(done, ["a", "b", "bad"]);
});

trial("a short wait behind a long one ends first", async (t) => {
  const bus = t.bus();
  const done: string[] = [];
  bus.endpoint("slow", { redeliver: ["10m"] }).handle(Work, ({ id }, { attempt }) => {
    if (attempt === 1) throw new Error("down");
    done.push(id);
  });
  bus.endpoint("fast", { redeliver: ["1m"] }).handle(Follow, ({ id }, { attempt }) => {
    if (attempt === 1) throw new Error("down");
    done.push(id);
  });
  await bus.start();
  await bus.send(Work, { id: "ten" });
  await bus.send(Follow, { id: "one" });
  await t.pass(60_000);
  assertEquals(done, ["one"]);
  await t.pass(540_000);
  assertEquals(done, ["one", "ten"]);
});

trial("nothing of a redelivery flows on to what its handler sends", async (t) => {
  const bus = t.bus();
  const followed: unknown[] = [];
  bus.endpoint("work", { redeliver: ["1m"], retry: retry.immediate(1) }).handle(Work, async ({ id }, ctx) => {
    if (ctx.attempt < 4) throw new Error("down");
    await ctx.send(Follow, { id });
  });
  bus.endpoint("follow", { redeliver: [0] }).handle(Follow, (_, { attempt, headers }) => {
    followed.push([attempt, { ...headers }]);
    throw new Error("see the frame");
  });
  await bus.start();
  await bus.send(Work, { id: "1" }, { headers: { tenant: "north" } });
  await t.pass(60_000);
  assertEquals(followed, [[1, { tenant: "north" }], [2, { tenant: "north" }]]);
});

trial("a redelivery of 0 is the end of the queue, now", async (t) => {
  const bus = t.bus();
  const runs: string[] = [];
  bus.endpoint("work", { redeliver: [0], concurrency: 1, prefetch: 1 }).handle(Work, ({ id }, { attempt }) => {
    runs.push(`${id} ${attempt}`);
    if (id === "a" && attempt === 1) throw new Error("down");
  });
  await bus.start();
  await Promise.all(["a", "b", "c"].map((id) => bus.send(Work, { id })));
  await t.settled();
  assertEquals(runs, ["a 1", "b 1", "c 1", "a 2"]);
});

trial("what waits for redelivery outlives its bus", async (t) => {
  const runs: string[] = [];
  const first = t.bus({ name: "first" });
  first.endpoint("work", { redeliver: ["1h"] }).handle(Work, () => {
    runs.push("first");
    throw new Error("down");
  });
  await first.start();
  await first.send(Work, { id: "1" });
  await t.settled();
  const second = t.bus({ name: "second" });
  second.endpoint("work").handle(Work, (_, { attempt }) => void runs.push(`second ${attempt}`));
  await first.stop();
  await second.start();
  await t.pass(3_600_000);
  assertEquals(runs, ["first", "second 2"]);
});

trial("order by key together with redelivery must say that it may be overtaken", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { order: "key", redeliver: ["1m"] } as unknown as EndpointOptions).handle(Work, () => {});
  await assertRejects(() => bus.start(), ConfigurationError, `overtaking: "allowed"`);
  const allowed = t.bus({ name: "other" });
  allowed.endpoint("work", { order: "key", redeliver: ["1m"], overtaking: "allowed" }).handle(Work, () => {});
  await allowed.start();
});

trial("a wait that is none is refused at start", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { redeliver: ["5 s" as "5s"] }).handle(Work, () => {});
  await assertRejects(() => bus.start(), InvalidDurationError);
});
