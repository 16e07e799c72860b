import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AlreadyStartedError,
  command,
  ConfigurationError,
  contextKey,
  event,
  query,
  RequestFaultError,
} from "../../mod.ts";
import type { Middleware } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("middleware.work");
const Happened = event<{ id: string }>("middleware.happened");
const Get = query<{ id: string }, { status: string }>("middleware.get");
const Sum = query<{ id: string }, number>("middleware.sum");
const User = contextKey<string>("user");

trial(
  "the bus' middleware runs around the endpoint's, each in the order it was added, around each handler",
  async (t) => {
    const bus = t.bus();
    const lines: string[] = [];
    const named = (name: string): Middleware => async (_, next) => {
      lines.push(`> ${name}`);
      await next();
      lines.push(`< ${name}`);
    };
    bus.use(named("bus 1"));
    bus.endpoint("work").use(named("own 1")).handle(Work, () => void lines.push("handler")).use(named("own 2"));
    bus.endpoint("other").handle(Happened, () => void lines.push("other"));
    bus.use(named("bus 2"));
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.settled();
    assertEquals(lines, [
      "> bus 1",
      "> bus 2",
      "> own 1",
      "> own 2",
      "handler",
      "< own 2",
      "< own 1",
      "< bus 2",
      "< bus 1",
    ]);
    lines.length = 0;
    await bus.publish(Happened, { id: "1" });
    await t.settled();
    assertEquals(lines, ["> bus 1", "> bus 2", "other", "< bus 2", "< bus 1"]);
  },
);

trial("middleware that returns next() is as good as one that awaits it, around handlers of either kind", async (t) => {
  const bus = t.bus();
  const lines: string[] = [];
  bus.use((_, next) => next());
  bus.use(async (_, next) => {
    await next();
    lines.push("after");
  });
  bus.endpoint("sync").handle(Work, () => void lines.push("sync"));
  bus.endpoint("async").handle(Happened, async () => {
    await Promise.resolve();
    lines.push("async");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  await bus.publish(Happened, { id: "1" });
  await t.settled();
  assertEquals(lines, ["sync", "after", "async", "after"]);
});

trial("a handler's thenable has ended before what stands behind next() runs", async (t) => {
  const bus = t.bus();
  const lines: string[] = [];
  bus.use(async (_, next) => {
    await next();
    lines.push("after");
  });
  bus.endpoint("work").handle(Work, () => ({
    then(resolve: (value: string) => void): void {
      queueMicrotask(() =>
        queueMicrotask(() => {
          lines.push("thenable");
          resolve("done");
        })
      );
    },
  }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(lines, ["thenable", "after"]);
});

trial("middleware runs around each attempt, and sees what the handler throws, thrown or rejected", async (t) => {
  const bus = t.bus();
  const seen: string[] = [];
  bus.use(async (context, next) => {
    try {
      await next();
    } catch (error) {
      seen.push(`${context.attempt} ${(error as Error).message}`);
      throw error;
    }
  });
  bus.endpoint("work", { retry: retry.immediate(2) }).handle(Work, (_, { attempt }) => {
    if (attempt === 1) throw new Error("thrown");
    return Promise.reject(new Error("rejected"));
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(seen, ["1 thrown", "2 rejected", "3 rejected"]);
});

trial("what middleware throws fails the attempt, synchronously or not, before or after next()", async (t) => {
  const bus = t.bus();
  let runs = 0;
  const refusals: readonly Middleware[] = [
    () => {
      throw new TypeError("sync");
    },
    () => Promise.reject(new TypeError("rejected")),
    async (_, next) => {
      await next();
      throw new TypeError("after");
    },
  ];
  bus.endpoint("work", { retry: retry.immediate(1) })
    .use(async (context, next) => await (refusals[Number(context.headers["refusal"])]?.(context, next) ?? next()))
    .handle(Work, () => void runs++);
  await bus.start();
  for (const refusal of [0, 1, 2]) await bus.send(Work, { id: "1" }, { headers: { refusal } });
  await t.settled();
  assertEquals(runs, 2);
  const failed = await all(bus.errors("work").list());
  assertEquals(failed.map(({ exceptions, attempts }) => [exceptions[0]?.message, attempts]), [
    ["sync", 2],
    ["rejected", 2],
    ["after", 2],
  ]);
});

trial("inner middleware that throws synchronously is caught like one that rejects", async (t) => {
  const bus = t.bus();
  const caught: string[] = [];
  bus.use((_, next) => next().catch((error: Error) => void caught.push(error.message)));
  bus.endpoint("work").use(() => {
    throw new Error("inner");
  }).handle(Work, () => {});
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(caught, ["inner"]);
  assertEquals(bus.statistics("work").consumed, 1);
});

trial(
  "middleware that does not call next() keeps the message from its handler, and it counts as handled",
  async (t) => {
    const bus = t.bus();
    let runs = 0;
    bus.endpoint("work").use(() => Promise.resolve()).handle(Work, () => void runs++);
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.settled();
    assertEquals(runs, 0);
    assertEquals(bus.statistics("work").consumed, 1);
    assertEquals(await t.count("work"), 0);
  },
);

trial("next() called again runs the handler again: a retry of one's own", async (t) => {
  const bus = t.bus();
  const attempts: number[] = [];
  bus.use(async (_, next) => {
    try {
      await next();
    } catch {
      await next();
    }
  });
  bus.endpoint("work").handle(Work, (_, { attempt }) => {
    attempts.push(attempt);
    if (attempts.length === 1) throw new Error("once");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(attempts, [1, 1]);
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("a handler's answer passes the middleware by", async (t) => {
  const bus = t.bus();
  bus.use((_, next) => next().then(() => "not the answer") as Promise<unknown> as Promise<void>);
  bus.endpoint("get").handle(Get, ({ id }) => Promise.resolve({ status: `of ${id}` }));
  bus.endpoint("sum").handle(Sum, () => 5);
  await bus.start();
  assertEquals(await bus.request(Get, { id: "7" }), { status: "of 7" });
  assertEquals(await bus.request(Sum, { id: "7" }), 5);
});

trial("what middleware sets under a key, those further in get; what nobody has set is an error", async (t) => {
  const bus = t.bus();
  const seen: string[] = [];
  const Missing = contextKey<number>("missing");
  bus.use((context, next) => {
    context.set(User, `user of ${String(context.headers["token"])}`);
    return next();
  });
  bus.endpoint("work").use((context, next) => {
    context.set(User, `${context.get(User)}!`);
    return next();
  }).handle(Work, (_, context) => {
    seen.push(context.get(User));
    context.get(Missing);
  });
  await bus.start();
  await bus.send(Work, { id: "1" }, { headers: { token: "t1" } });
  await bus.send(Work, { id: "2" }, { headers: { token: "t2" } });
  await t.settled();
  assertEquals(seen, ["user of t1!", "user of t2!"]);
  const [failed] = await all(bus.errors("work").list());
  assertEquals(failed?.exceptions[0]?.type, "ConfigurationError");
  assert(failed?.exceptions[0]?.message.includes("missing"));
});

trial("two keys of one name are two keys", async (t) => {
  const bus = t.bus();
  const Other = contextKey<string>("user");
  const seen: string[] = [];
  bus.endpoint("work").use((context, next) => {
    context.set(User, "mine");
    context.set(Other, "theirs");
    return next();
  }).handle(Work, (_, context) => void seen.push(context.get(User), context.get(Other)));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(seen, ["mine", "theirs"]);
});

trial("middleware sees the parsed message, its contract and its ids, and may answer no for it", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.use((context, next) => {
    seen.push([context.contract.name, context.message, context.messageId, context.endpoint, context.attempt]);
    if (!context.is(Get)) return next();
    throw new RangeError("not allowed");
  });
  bus.endpoint("work").handle(Work, () => {});
  bus.endpoint("get").handle(Get, () => ({ status: "new" }));
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m-1" });
  await assertRejects(() => bus.request(Get, { id: "2" }, { messageId: "m-2" }), RequestFaultError, "not allowed");
  assertEquals(seen, [
    ["middleware.work", { id: "1" }, "m-1", "work", 1],
    ["middleware.get", { id: "2" }, "m-2", "get", 1],
  ]);
});

trial("middleware runs for each message of a batch, around its wait for the others", async (t) => {
  const bus = t.bus();
  const lines: string[] = [];
  bus.use(async (context, next) => {
    lines.push(`> ${context.messageId}`);
    await next();
    lines.push(`< ${context.messageId}`);
  });
  bus.endpoint("work").batch(Work, { size: 2 }, (items) => void lines.push(`batch of ${items.length}`));
  await bus.start();
  for (const id of ["a", "b"]) await bus.send(Work, { id }, { messageId: id });
  await t.settled();
  assertEquals(lines, ["> a", "> b", "batch of 2", "< a", "< b"]);
});

trial("middleware is added before the start, and must be a function", async (t) => {
  const bus = t.bus();
  const endpoint = bus.endpoint("work").handle(Work, () => {});
  const error = await assertRejects(
    // deno-lint-ignore require-await -- what it throws shall be a rejection
    async () => endpoint.use(undefined as unknown as Middleware),
    ConfigurationError,
  );
  assert(error.message.includes("middleware"));
  await bus.start();
  for (const late of [() => bus.use((_, next) => next()), () => endpoint.use((_, next) => next())]) {
    // deno-lint-ignore require-await -- what it throws shall be a rejection
    await assertRejects(async () => late(), AlreadyStartedError);
  }
});

trial("middleware that does not await next() is waited for, and what it let run fails the message", async (t) => {
  const Careless = event<{ id: number }>("middleware.careless");
  const bus = t.bus();
  const gate = Promise.withResolvers<void>();
  const failed: string[] = [];
  let consumed = 0;
  bus.observe({ faulted: ({ error }) => void failed.push(error.message), consumed: () => void consumed++ });
  // deno-lint-ignore require-await -- the mistake itself
  bus.endpoint("careless").use(async (_, next) => {
    next();
  }).handle(Careless, async ({ id }) => {
    await gate.promise;
    if (id === 2) throw new Error("late");
  });
  await bus.start();
  await bus.publish(Careless, { id: 1 });
  await bus.publish(Careless, { id: 2 });
  await t.pass(0);
  assertEquals([consumed, failed], [0, []]);
  gate.resolve();
  await t.settled();
  assertEquals([consumed, failed], [1, ["late"]]);
});
