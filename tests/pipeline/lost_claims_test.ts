import { assert, assertEquals } from "@std/assert";
import { ClaimLostError, command, event } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { Journal, Latch, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("lost.work", { key: ({ id }) => id });
const Plain = command<{ id: string }>("lost.plain");
const Done = event<{ by: number }>("lost.done");

trial(
  "when its claim is lost a handler is told, what it still does is refused, and the message comes again",
  async (t) => {
    const bus = t.bus();
    const journal = new Journal();
    const latch = new Latch();
    const done: number[] = [];
    const late: string[] = [];
    let signal: AbortSignal | undefined;
    let runs = 0;
    bus.observe(journal);
    bus.endpoint("work").handle(Plain, async (_, ctx) => {
      const run = ++runs;
      if (run === 1) {
        signal = ctx.signal;
        await latch.pass();
      }
      for (
        const call of [() => ctx.publish(Done, { by: run }), () => run === 1 ? ctx.defer("1h") : Promise.resolve()]
      ) {
        await call().catch((error: Error) => late.push(`${run} ${error.name}`));
      }
    });
    bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
    await bus.start();
    await bus.send(Plain, { id: "1" });
    await t.settled();
    t.broker.disconnect(t.transportOf(bus));
    assert(signal?.reason instanceof ClaimLostError);
    assert(signal.reason.cause instanceof Error);
    await t.settled();
    assertEquals(done, [2]);
    latch.open();
    await t.settled();
    assertEquals(late, ["1 ClaimLostError", "1 ClaimLostError"]);
    assertEquals(done, [2]);
    assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
    const { lost, consumed, faulted } = bus.statistics("work");
    assertEquals({ lost, consumed, faulted }, { lost: 1, consumed: 1, faulted: 0 });
    assertEquals(journal.of("unhandled"), ["unhandled lost.plain lost"]);
    assertEquals(t.broker.counts.ineffective, 0);
  },
);

trial("a handler that throws after its claim was lost is not retried, and faults nothing", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let runs = 0;
  bus.endpoint("work", { retry: retry.immediate(5) }).handle(Plain, async () => {
    if (++runs === 1) {
      await latch.pass();
      throw new Error("too late");
    }
  });
  await bus.start();
  await bus.send(Plain, { id: "1" });
  await t.settled();
  t.broker.disconnect(t.transportOf(bus));
  await t.settled();
  latch.open();
  await t.settled();
  assertEquals(runs, 2);
  const { retried, faulted, lost, consumed } = bus.statistics("work");
  assertEquals({ retried, faulted, lost, consumed }, { retried: 0, faulted: 0, lost: 1, consumed: 1 });
});

trial("a wait between two attempts ends with the claim: whoever has the message now tries next", async (t) => {
  const bus = t.bus();
  const attempts: number[] = [];
  bus.endpoint("work", { retry: retry.interval(1, "1h") }).handle(Plain, (_, { attempt }) => {
    attempts.push(attempt);
    throw new Error("down");
  });
  await bus.start();
  await bus.send(Plain, { id: "1" });
  await t.settled();
  t.broker.disconnect(t.transportOf(bus));
  await t.settled();
  assertEquals(attempts, [1, 1]);
  await t.pass(3_600_000);
  assertEquals(attempts, [1, 1, 2]);
  assertEquals((await bus.counts("work")).failed, 1);
});

trial("what had not started when its claim was lost is not started twice", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const runs: string[] = [];
  bus.endpoint("work", { concurrency: 1 }).handle(Plain, async ({ id }) => {
    runs.push(id);
    if (runs.length === 1) await latch.pass();
  });
  await bus.start();
  for (const id of ["1", "2", "3"]) await bus.send(Plain, { id });
  await t.settled();
  t.broker.disconnect(t.transportOf(bus));
  await t.settled();
  assertEquals(runs, ["1"]);
  latch.open();
  await t.settled();
  assertEquals(runs, ["1", "1", "2", "3"]);
  assertEquals(bus.statistics("work").consumed, 3);
});

trial("messages of one key keep their order over a lost claim", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const runs: string[] = [];
  let first = true;
  bus.endpoint("work", { concurrency: 4 }).handle(Work, async (_, { messageId }) => {
    runs.push(messageId);
    if (first) {
      first = false;
      await latch.pass();
    }
  });
  await bus.start();
  for (const messageId of ["1", "2", "3"]) await bus.send(Work, { id: "k" }, { messageId });
  await t.settled();
  t.broker.disconnect(t.transportOf(bus));
  await t.settled();
  assertEquals(runs, ["1"]);
  latch.open();
  await t.settled();
  assertEquals(runs, ["1", "1", "2", "3"]);
});

trial("a process that dies takes nothing with it: another handles what it had", async (t) => {
  const dead = t.bus({ name: "dead" });
  const alive = t.bus({ name: "alive" });
  const runs: string[] = [];
  const latch = new Latch();
  dead.endpoint("work", { concurrency: 2 }).handle(Plain, async ({ id }, ctx) => {
    runs.push(`dead ${id}`);
    await latch.pass();
    await ctx.publish(Done, { by: 0 });
  });
  let done = 0;
  alive.endpoint("done").handle(Done, () => void done++);
  await dead.start();
  await alive.start();
  for (const id of ["1", "2", "3"]) await dead.send(Plain, { id });
  await t.settled();
  t.broker.kill(t.transportOf(dead));
  const heir = t.bus({ name: "heir" });
  heir.endpoint("work", { concurrency: 1 }).handle(Plain, ({ id }) => void runs.push(`heir ${id}`));
  await heir.start();
  latch.open();
  await t.settled();
  assertEquals(runs.filter((run) => run.startsWith("heir")), ["heir 1", "heir 2", "heir 3"]);
  assertEquals(done, 0);
});

trial("health says so while a connection is broken, and the messages lost are those of this bus alone", async (t) => {
  const a = t.bus({ name: "a" });
  const b = t.bus({ name: "b" });
  const latch = new Latch();
  a.endpoint("a").handle(Plain, () => latch.pass());
  b.endpoint("b").handle(Work, () => latch.pass());
  const states: string[] = [];
  await a.start();
  await b.start();
  await a.send(Plain, { id: "1" });
  await a.send(Work, { id: "1" });
  await t.settled();
  a.observe({ unhandled: (_, why) => void states.push(`a ${why}`) });
  b.observe({ unhandled: (_, why) => void states.push(`b ${why}`) });
  t.broker.disconnect(t.transportOf(a));
  latch.open();
  await t.settled();
  assertEquals(states, ["a lost"]);
  assertEquals(a.health().status, "healthy");
});
