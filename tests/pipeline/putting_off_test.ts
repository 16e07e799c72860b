import { assertEquals, assertRejects } from "@std/assert";
import { command, query } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, Journal, Latch, textOf, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("putting-off.work", { key: ({ id }) => id });
const Get = query<{ id: string }, { status: string }>("putting-off.get");

trial("middleware that defers limits a rate by a field of the message, and holds nobody else up", async (t) => {
  const Asked = command<{ tenant: string; n: number }>("putting-off.asked");
  const bus = t.bus();
  const handled: string[] = [];
  const latest = new Map<string, number>();
  bus.endpoint("asked", { concurrency: 1, prefetch: 1 })
    .use(async (ctx, next) => {
      const { tenant } = ctx.message as { readonly tenant: string };
      const since = t.clock.now() - (latest.get(tenant) ?? -Infinity);
      if (since < 1000) return await ctx.defer(1000 - since);
      latest.set(tenant, t.clock.now());
      await next();
    })
    .handle(Asked, ({ tenant, n }) => void handled.push(`${tenant} ${n}`));
  await bus.start();
  for (const n of [1, 2, 3]) await bus.send(Asked, { tenant: "busy", n });
  await bus.send(Asked, { tenant: "other", n: 1 });
  await t.settled();
  assertEquals(handled, ["busy 1", "other 1"]);
  await t.pass(1000);
  assertEquals(handled, ["busy 1", "other 1", "busy 2"]);
  await t.pass(1000);
  assertEquals(handled, ["busy 1", "other 1", "busy 2", "busy 3"]);
});

trial("a deferred message comes again after its delay, and its attempts do not count", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const seen: unknown[] = [];
  const start = t.clock.now();
  bus.observe(journal);
  bus.endpoint("work").handle(Work, async ({ id }, ctx) => {
    seen.push([(t.clock.now() - start) / 1000, ctx.attempt, ctx.messageId, id, ctx.headers["tenant"]]);
    if (seen.length < 3) await ctx.defer("1m");
  });
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m-1", headers: { tenant: "north" } });
  await t.pass(59_999);
  assertEquals(seen.length, 1);
  assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 1, failed: 0, skipped: 0 });
  await t.pass(60_001);
  assertEquals(seen, [[0, 1, "m-1", "1", "north"], [60, 1, "m-1", "1", "north"], [120, 1, "m-1", "1", "north"]]);
  const { deferred, consumed, redelivered, faulted } = bus.statistics("work");
  assertEquals({ deferred, consumed, redelivered, faulted }, { deferred: 2, consumed: 1, redelivered: 0, faulted: 0 });
  assertEquals(journal.of("unhandled"), ["unhandled putting-off.work deferred", "unhandled putting-off.work deferred"]);
  assertEquals(journal.of("retried"), []);
});

trial("a message redelivered by its handler counts its attempts on", async (t) => {
  const bus = t.bus();
  const attempts: number[] = [];
  bus.endpoint("work", { redeliver: ["1s"] }).handle(Work, async (_, ctx) => {
    attempts.push(ctx.attempt);
    if (ctx.attempt < 3) await ctx.redeliver("1m");
    else throw new Error("now");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(121_000);
  assertEquals(attempts, [1, 2, 3, 4]);
  assertEquals((await all(bus.errors("work").list()))[0]?.attempts, 4);
});

trial("what a handler asked for counts only if it returns: one that throws is retried, and given up", async (t) => {
  const bus = t.bus();
  const attempts: number[] = [];
  bus.endpoint("work", { retry: retry.immediate(1) }).handle(Work, async (_, ctx) => {
    attempts.push(ctx.attempt);
    await ctx.defer("1h");
    throw new Error("after all");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(attempts, [1, 2]);
  assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 0, failed: 1, skipped: 0 });
  assertEquals(bus.statistics("work").deferred, 0);
});

trial(
  "what an attempt that failed asked for is forgotten when the next succeeds, or the rule discards it",
  async (t) => {
    for (const ask of ["defer", "forward"] as const) {
      const bus = t.bus({ name: ask });
      const rule = (error: Error): "retry" | "discard" => error.message === "once" ? "retry" : "discard";
      bus.endpoint(ask, { recoverability: rule, subscribe: false }).handle(Work, async ({ id }, ctx) => {
        if (ctx.attempt > 1) return;
        await (ask === "defer" ? ctx.defer("1h") : ctx.forward("queue:elsewhere"));
        throw new Error(id);
      });
      bus.endpoint(`${ask}-elsewhere`, { subscribe: false }).handle(Get, () => ({ status: "" }));
      await bus.start();
      for (const id of ["once", "always"]) await bus.send(Work, { id }, { to: `queue:${ask}` });
      await t.settled();
      assertEquals(await bus.counts(ask), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
      const { consumed, deferred, discarded } = bus.statistics(ask);
      assertEquals({ consumed, deferred, discarded }, { consumed: 1, deferred: 0, discarded: 1 });
    }
  },
);

trial("the last word counts of what a handler asks for", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, async (_, ctx) => {
    await ctx.forward("queue:other");
    await ctx.defer("1h");
  });
  bus.endpoint("other", { subscribe: false }).handle(Get, () => ({ status: "" }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals((await bus.counts("work")).delayed, 1);
  assertEquals(await t.count("other_skipped"), 0);
});

trial("a forwarded message is at the other queue as it came, and says by whom", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const seen: unknown[] = [];
  bus.observe(journal);
  bus.endpoint("work").handle(Work, (_, ctx) => ctx.forward("queue:other"));
  bus.endpoint("other", { subscribe: false }).handle(Get, () => ({ status: "" }));
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m-1", headers: { tenant: "north" } });
  await t.settled();
  const [moved] = await t.peek("other_skipped");
  seen.push(moved === undefined ? "" : textOf(moved), moved?.key, moved?.frame.headers["hero-id"]);
  seen.push(moved?.frame.headers["tenant"], moved?.frame.headers["hero-forwarded-by"]);
  assertEquals(seen, [`{"id":"1"}`, "1", "m-1", "north", "queue:work"]);
  assertEquals(journal.of("unhandled"), ["unhandled putting-off.work forwarded", "unhandled putting-off.work skipped"]);
  const { consumed, skipped, faulted } = bus.statistics("work");
  assertEquals({ consumed, skipped, faulted }, { consumed: 0, skipped: 0, faulted: 0 });
});

trial("a request that is forwarded, or deferred, is answered where and when it is handled", async (t) => {
  const bus = t.bus();
  let asked = 0;
  bus.endpoint("get").handle(Get, async (_, ctx) => {
    if (++asked === 1) await ctx.defer("5s");
    else await ctx.forward("queue:archive");
    return { status: "not yet" };
  });
  const archive = t.bus({ name: "archive" });
  archive.endpoint("archive", { subscribe: false }).handle(Get, () => ({ status: "archived" }));
  await bus.start();
  await archive.start();
  const answer = bus.request(Get, { id: "1" });
  await t.pass(5_000);
  assertEquals(await answer, { status: "archived" });
  assertEquals(asked, 2);
});

trial("an address that is none, and a delay that is none, are refused at the call", async (t) => {
  const bus = t.bus();
  const errors: string[] = [];
  bus.endpoint("work").handle(Work, async (_, ctx) => {
    await ctx.forward("elsewhere" as "queue:elsewhere").catch((error: Error) => errors.push(error.name));
    await ctx.defer("5 s" as "5s").catch((error: Error) => errors.push(error.name));
    await ctx.redeliver(-1).catch((error: Error) => errors.push(error.name));
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(errors, ["ConfigurationError", "InvalidDurationError", "InvalidDurationError"]);
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("a message forwarded to where no queue is stays with its endpoint, and is tried again", async (t) => {
  const bus = t.bus();
  let runs = 0;
  bus.endpoint("work").handle(Work, async (_, ctx) => {
    runs++;
    if (runs === 1) await ctx.forward("queue:nowhere");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(runs, 2);
  assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
});

trial("a handler may answer early and go on; what it returns is then not the answer", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let answers = 0;
  bus.observe({ sent: ({ kind }) => void (kind === "respond" && answers++) });
  bus.endpoint("get").handle(Get, async (_, ctx) => {
    const responded = await ctx.respond({ status: "early" });
    await latch.pass();
    await ctx.respond({ status: "again" });
    return responded;
  });
  await bus.start();
  assertEquals(await bus.request(Get, { id: "1" }), { status: "early" });
  latch.open();
  await t.settled();
  assertEquals(answers, 1);
  assertEquals(bus.statistics("get").consumed, 1);
});

trial("a failure after the early answer does not change it, and the message is given up", async (t) => {
  const bus = t.bus();
  bus.endpoint("get").handle(Get, async (_, ctx) => {
    await ctx.respond({ status: "early" });
    throw new Error("after all");
  });
  await bus.start();
  assertEquals(await bus.request(Get, { id: "1" }), { status: "early" });
  await t.settled();
  assertEquals((await bus.counts("get")).failed, 1);
});

trial("what was not asked is not answered", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const Tell = command<{ id: string }, { ok: boolean }>("putting-off.tell");
  bus.observe(journal);
  bus.endpoint("tell").handle(Tell, async (_, ctx) => await ctx.respond({ ok: true }));
  await bus.start();
  await bus.send(Tell, { id: "1" });
  await t.settled();
  assertEquals(journal.of("respond"), []);
  assertEquals(bus.statistics("tell").consumed, 1);
});

trial("an answer that its schema refuses fails the handler, and who asked is told", async (t) => {
  const bus = t.bus();
  const Checked = query<{ id: string }, { status: string }>("putting-off.checked", {
    reply: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value: unknown) =>
          typeof value === "object" && value !== null && "status" in value
            ? { value: value as { status: string } }
            : { issues: [{ message: "no status" }] },
      },
    },
  });
  bus.endpoint("checked").handle(Checked, () => ({}) as { status: string });
  await bus.start();
  await assertRejects(() => bus.request(Checked, { id: "1" }), Error, "no status");
});
