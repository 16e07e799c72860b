import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { command, event } from "../../mod.ts";
import type { Bus, EndpointOptions, Handler, RetryPolicy } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("retrying.work");
const Ticked = event("retrying.ticked");
class DiskFull extends Error {}
class Refused extends Error {}

/** A bus with one endpoint whose handler notes when it runs, and fails each time. */
async function failing(
  t: Trial,
  policy: RetryPolicy | undefined,
  error: (attempt: number) => unknown = () => new DiskFull("no room"),
): Promise<{ readonly bus: Bus; readonly times: number[]; readonly attempts: number[] }> {
  const bus = t.bus();
  const times: number[] = [];
  const attempts: number[] = [];
  const start = t.clock.now();
  bus.endpoint("work", policy === undefined ? {} : { retry: policy }).handle(Work, (_, ctx) => {
    times.push(t.clock.now() - start);
    attempts.push(ctx.attempt);
    const thrown = error(ctx.attempt);
    if (thrown !== undefined) throw thrown;
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  return { bus, times, attempts };
}

trial("without a policy a handler runs once", async (t) => {
  const { bus, attempts } = await failing(t, undefined);
  await t.pass(3_600_000);
  assertEquals(attempts, [1]);
  assertEquals(bus.statistics("work").retried, 0);
  assertEquals(bus.statistics("work").faulted, 1);
});

trial("a limit of n retries is n + 1 runs, with attempts counted from 1, and then the error queue", async (t) => {
  const { bus, attempts, times } = await failing(t, retry.immediate(3));
  await t.settled();
  assertEquals(attempts, [1, 2, 3, 4]);
  assertEquals(times, [0, 0, 0, 0]);
  const statistics = bus.statistics("work");
  assertEquals([statistics.received, statistics.retried, statistics.faulted, statistics.consumed], [1, 3, 1, 0]);
  const [failed] = await all(bus.errors("work").list());
  assertEquals(failed?.attempts, 4);
});

trial("retry.immediate(0) is no retry", async (t) => {
  const { attempts } = await failing(t, retry.immediate(0));
  await t.settled();
  assertEquals(attempts, [1]);
});

trial("each policy waits as it says, on the bus' clock", async (t) => {
  const expected: readonly (readonly [string, RetryPolicy, readonly number[]])[] = [
    ["interval", retry.interval(2, "5s"), [0, 5000, 10_000]],
    ["intervals", retry.intervals(["100ms", "1s", 3000]), [0, 100, 1100, 4100]],
    ["incremental", retry.incremental({ limit: 3, initial: "1s", step: "2s" }), [0, 1000, 4000, 9000]],
    ["capped", retry.incremental({ limit: 3, initial: "1s", step: "2s", max: "3s" }), [0, 1000, 4000, 7000]],
    ["exponential", retry.exponential({ limit: 4, min: 100, max: 500, jitter: 0 }), [0, 100, 300, 700, 1200]],
  ];
  const bus = t.bus();
  const seen = new Map<string, number[]>();
  const start = t.clock.now();
  for (const [name, policy] of expected) {
    const times: number[] = [];
    seen.set(name, times);
    bus.endpoint(name, { retry: policy }).handle(Ticked, () => {
      times.push(t.clock.now() - start);
      throw new Error("again");
    });
  }
  await bus.start();
  await bus.publish(Ticked, {});
  await t.pass(60_000);
  for (const [name, , times] of expected) assertEquals(seen.get(name), times, name);
});

trial("jitter comes from the bus' own source of chance, and stays below the cap", async (t) => {
  let next = 0;
  const bus = t.bus({ random: () => next });
  const times: number[] = [];
  const policy = retry.exponential({ limit: 2, min: "1s", max: "1500ms", jitter: 0.5 });
  bus.endpoint("work", { retry: policy }).handle(Work, () => {
    times.push(t.clock.now());
    throw new Error("again");
  });
  await bus.start();
  const waits = async (random: number): Promise<readonly number[]> => {
    next = random;
    times.length = 0;
    await bus.send(Work, { id: "1" });
    await t.pass(60_000);
    return times.slice(1).map((time, index) => time - (times[index] ?? NaN));
  };
  const least = await waits(0);
  const most = await waits(0.999999);
  assert((least[0] ?? NaN) < 1000 && (most[0] ?? NaN) > 1000, `${least} ${most}`);
  for (const wait of [...least, ...most]) assert(wait >= 500 && wait <= 1500, `${wait}`);
});

trial("what succeeds on a later attempt is handled: no fault, no error", async (t) => {
  const { bus, attempts } = await failing(t, retry.interval(5, "1s"), (n) => n < 3 ? new Error("not yet") : undefined);
  await t.pass(60_000);
  assertEquals(attempts, [1, 2, 3]);
  assertEquals(bus.statistics("work").consumed, 1);
  assertEquals(bus.statistics("work").faulted, 0);
  assertEquals(await t.count("work_error"), 0);
  assertEquals(await t.count("work"), 0);
});

trial("only errors of `handle` are retried, also those that are the cause of what was thrown", async (t) => {
  const policy = retry.immediate(1, { handle: [DiskFull, (error) => error.message === "busy"] });
  const runs: string[] = [];
  const bus = t.bus();
  const errors: Readonly<Record<string, () => unknown>> = {
    "a subclass": () => new (class Worse extends DiskFull {})("no room"),
    "a cause": () => new Error("outer", { cause: new Error("middle", { cause: new DiskFull("inner") }) }),
    "a predicate": () => new Error("busy"),
    "another": () => new Refused("no"),
    "a text": () => "busy",
  };
  bus.endpoint("work", { retry: policy }).handle(Work, ({ id }) => {
    runs.push(id);
    throw errors[id]?.();
  });
  await bus.start();
  for (const id of Object.keys(errors)) await bus.send(Work, { id });
  await t.settled();
  const count = (id: string): number => runs.filter((each) => each === id).length;
  assertEquals(Object.keys(errors).map((id) => [id, count(id)]), [
    ["a subclass", 2],
    ["a cause", 2],
    ["a predicate", 2],
    ["another", 1],
    ["a text", 1],
  ]);
});

trial("an error of `ignore` is given up at once, also as a cause, and also if `handle` names it", async (t) => {
  const policy = retry.immediate(3, { handle: [Error], ignore: [Refused] });
  const first = await failing(t, policy, () => new Error("outer", { cause: new Refused("no") }));
  await t.settled();
  assertEquals(first.attempts, [1]);
  assertEquals((await all(first.bus.errors("work").list()))[0]?.attempts, 1);
});

trial("the filter is asked about each failure, not only about the first", async (t) => {
  const policy = retry.immediate(9, { handle: [DiskFull] });
  const { attempts, bus } = await failing(t, policy, (n) => n < 3 ? new DiskFull("no room") : new Refused("no"));
  await t.settled();
  assertEquals(attempts, [1, 2, 3]);
  assertEquals((await all(bus.errors("work").list()))[0]?.exceptions[0]?.type, "Refused");
});

trial("a retry runs the same message, with its id and headers", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("work", { retry: retry.interval(1, "1s") }).handle(Work, (message, ctx) => {
    seen.push([message.id, ctx.messageId, ctx.headers["tenant"], ctx.attempt]);
    if (ctx.attempt === 1) throw new Error("once");
  });
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m-1", headers: { tenant: "north" } });
  await t.pass(1000);
  assertEquals(seen, [["1", "m-1", "north", 1], ["1", "m-1", "north", 2]]);
});

trial("of several handlers a retry skips those that have succeeded", async (t) => {
  const Happened = event<{ id: string }>("retrying.happened");
  const runs: string[] = [];
  const bus = t.bus();
  bus.endpoint("work", { retry: retry.immediate(2) })
    .handle(Happened, () => void runs.push("first"))
    .handle(Happened, (_, { attempt }) => {
      runs.push(`second ${attempt}`);
      if (attempt < 3) throw new Error("not yet");
    })
    .handle(Happened, () => void runs.push("third"));
  await bus.start();
  await bus.publish(Happened, { id: "1" });
  await t.settled();
  assertEquals(runs, ["first", "second 1", "second 2", "second 3", "third"]);
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("a retry holds its delivery: other messages pass it, and it takes its slot meanwhile", async (t) => {
  const bus = t.bus();
  const done: string[] = [];
  bus.endpoint("work", { concurrency: 2, retry: retry.interval(1, "10s") }).handle(Work, ({ id }, { attempt }) => {
    if (id === "bad" && attempt === 1) throw new Error("once");
    done.push(id);
  });
  await bus.start();
  for (const id of ["bad", "a", "b", "c"]) await bus.send(Work, { id });
  await t.settled();
  assertEquals(done, ["a", "b", "c"]);
  assertEquals((await bus.counts("work")).active, 1);
  await t.pass(10_000);
  assertEquals(done, ["a", "b", "c", "bad"]);
  assertEquals((await bus.counts("work")).active, 0);
});

trial("input that cannot be read is not retried, whatever the policy", async (t) => {
  const bus = t.bus();
  let runs = 0;
  bus.endpoint("work", { retry: retry.immediate(5) }).handle(Work, () => void runs++);
  await bus.start();
  await t.put("queue:work", { body: "{", headers: { "hero-id": "x", "hero-type": "retrying.work" } });
  await t.settled();
  assertEquals(runs, 0);
  assertEquals(bus.statistics("work").retried, 0);
  const [failed] = await all(bus.errors("work").list());
  assertEquals([failed?.attempts, failed?.reason], [0, "unreadable"]);
});

trial("a policy that was not made by retry is refused at start, with the endpoint's name", async (t) => {
  const bus = t.bus();
  const options = { retry: { limit: 5 } } as unknown as EndpointOptions;
  const handler: Handler<{ id: string }, never> = () => {};
  bus.endpoint("work", options).handle(Work, handler);
  const error = await bus.start().then(() => undefined, (thrown: unknown) => thrown);
  assertStringIncludes(String(error), `the endpoint "work"`);
});
