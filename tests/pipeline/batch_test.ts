import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError, event } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { Latch, trial } from "../support/trial.ts";
import { Done, idsOf, Insert, Keyed, type Row, started } from "./batch_rig.ts";

trial("a batch runs when it is full", async (t) => {
  const { bus, batches, send } = await started(t, { size: 3, within: "1m" });
  await send("a", "b");
  assertEquals(batches, []);
  await send("c", "d");
  assertEquals(batches, ["a b c"]);
  assertEquals(bus.statistics("rows").consumed, 3);
  assertEquals((await bus.counts("rows")).active, 1);
  await t.pass(60_000);
});

trial("a batch runs when its first message has waited long enough", async (t) => {
  const { batches, send } = await started(t, { size: 10, within: "5s" });
  await send("a");
  await t.pass(3_000);
  await send("b");
  await t.pass(1_999);
  assertEquals(batches, []);
  await t.pass(1);
  assertEquals(batches, ["a b"]);
  await send("c");
  await t.pass(4_999);
  assertEquals(batches, ["a b"]);
  await t.pass(1);
  assertEquals(batches, ["a b", "c"]);
});

trial("ten messages, or a second, unless said otherwise", async (t) => {
  const { batches, send } = await started(t, {});
  await send(...Array.from({ length: 12 }, (_, index) => String(index)));
  assertEquals(batches, ["0 1 2 3 4 5 6 7 8 9"]);
  await t.pass(1_000);
  assertEquals(batches, ["0 1 2 3 4 5 6 7 8 9", "10 11"]);
});

trial("a batch may be larger than the concurrency: what waits takes no slot", async (t) => {
  const { batches, send } = await started(t, { size: 50, within: "1m" }, undefined, { concurrency: 1 });
  await send(...Array.from({ length: 50 }, (_, index) => String(index)));
  assertEquals(batches.length, 1);
});

trial("messages of a foreign sender, known by their topic alone, take no slot while they wait, either", async (t) => {
  const { batches } = await started(t, { size: 3, within: "1m" }, undefined, { concurrency: 1 });
  for (const id of ["a", "b", "c"]) await t.put("topic:batch.insert", { body: JSON.stringify({ id }) });
  await t.settled();
  assertEquals(batches, ["a b c"]);
});

trial("a batch that is larger than what may be prefetched is refused at start", async (t) => {
  const bus = t.bus();
  bus.endpoint("rows", { prefetch: 5 }).batch(Insert, { size: 6 }, () => {});
  await assertRejects(() => bus.start(), ConfigurationError, "prefetch");
  const other = t.bus({ name: "other" });
  other.endpoint("rows").batch(Insert, { size: 0 }, () => {});
  await assertRejects(() => other.start(), ConfigurationError, "batches of 0");
});

trial("with `by`, a batch holds messages of one key, each group with a time of its own", async (t) => {
  const { batches, send } = await started(t, { size: 3, within: "5s", by: ({ group }) => group ?? "none" });
  await send("a1@a", "b1@b", "a2@a");
  await t.pass(3_000);
  await send("c1@c", "a3@a");
  assertEquals(batches, ["a1 a2 a3"]);
  await t.pass(2_000);
  assertEquals(batches, ["a1 a2 a3", "b1"]);
  await t.pass(3_000);
  assertEquals(batches, ["a1 a2 a3", "b1", "c1"]);
});

trial("a `by` that throws fails its message alone", async (t) => {
  const { bus, batches, send } = await started(t, {
    size: 2,
    within: "5s",
    by: ({ id, group }) => {
      if (id === "bad") throw new TypeError("no group");
      return group ?? "";
    },
  });
  await send("a", "bad", "b");
  assertEquals(batches, ["a b"]);
  assertEquals((await bus.counts("rows")).failed, 1);
});

trial("batches of one group run one after the other, in order; those of others beside them", async (t) => {
  const latch = new Latch();
  const { batches, send } = await started(
    t,
    { size: 2, within: "1m", by: ({ group }) => group ?? "" },
    (items) => items[0]?.message.group === "a" ? latch.pass() : undefined,
  );
  await send("a1@a", "a2@a", "a3@a", "a4@a", "b1@b", "b2@b");
  assertEquals(batches, ["a1 a2", "b1 b2"]);
  latch.open();
  await t.settled();
  assertEquals(batches, ["a1 a2", "b1 b2", "a3 a4"]);
});

trial("messages of one key may share a batch, in order", async (t) => {
  const bus = t.bus();
  const batches: string[] = [];
  bus.endpoint("rows").batch(Keyed, { size: 4, within: "1m" }, (items) => void batches.push(idsOf(items)));
  await bus.start();
  for (const id of ["1", "2", "3", "4"]) await bus.send(Keyed, { id, group: "k" });
  await t.settled();
  assertEquals(batches, ["1 2 3 4"]);
});

trial("what a batch sends follows from its first message", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("rows").batch(Insert, { size: 2 }, (items, context) => context.publish(Done, { ids: idsOf(items) }));
  bus.endpoint("done").handle(
    Done,
    ({ ids }, ctx) => void seen.push([ids, ctx.conversationId, ctx.initiatorId, ctx.sourceAddress]),
  );
  await bus.start();
  await bus.send(Insert, { id: "a" }, { messageId: "m-a", correlationId: "c-a" });
  await bus.send(Insert, { id: "b" }, { messageId: "m-b", correlationId: "c-b" });
  await t.settled();
  assertEquals(seen, [["a b", "m-a", "c-a", "queue:rows"]]);
});

trial("with an outbox in memory, what a batch sends leaves when it has succeeded", async (t) => {
  const bus = t.bus();
  const done: string[] = [];
  let runs = 0;
  bus.endpoint("rows", { outbox: "memory", retry: retry.immediate(1) }).batch(
    Insert,
    { size: 2 },
    async (items, context) => {
      await context.publish(Done, { ids: `${++runs}: ${idsOf(items)}` });
      if (runs === 1) throw new Error("once");
    },
  );
  bus.endpoint("done").handle(Done, ({ ids }) => void done.push(ids));
  await bus.start();
  for (const id of ["a", "b"]) await bus.send(Insert, { id });
  await t.settled();
  assertEquals(done, ["2: a b"]);
});

trial("stopping waits for no more messages: what has come runs at once", async (t) => {
  const { bus, batches, send } = await started(t, { size: 10, within: "1h" });
  await send("a", "b");
  const stopped = bus.stop();
  await t.settled();
  await stopped;
  assertEquals(batches, ["a b"]);
  assertEquals(await t.count("rows"), 0);
});

trial(
  "a command without a reply, handled in a batch, tells its caller that it is done, or that it failed",
  async (t) => {
    const { bus } = await started(t, { size: 2 }, (items, context) => {
      const bad = items.find(({ message }) => message.id === "b");
      if (bad !== undefined) context.fail(bad, new Error("this row"));
    });
    const first = bus.request(Insert, { id: "a" });
    const second = assertRejects(() => bus.request(Insert, { id: "b" }), Error, "this row");
    assertEquals(await first, undefined);
    await second;
  },
);

trial("a message whose claim is lost while it waits is left out, and comes again", async (t) => {
  const { bus, batches, send } = await started(t, { size: 3, within: "1m" });
  await send("a", "b");
  t.broker.disconnect(t.transportOf(bus));
  await send("c");
  assertEquals(batches, ["a b c"]);
  await t.pass(60_000);
  assertEquals(batches, ["a b c"]);
  const { consumed, lost } = bus.statistics("rows");
  assertEquals({ consumed, lost }, { consumed: 3, lost: 2 });
});

trial("a batch's signal aborts, and its calls are refused, once the claims of all its messages are lost", async (t) => {
  const latch = new Latch();
  let signal: AbortSignal | undefined;
  let late: string | undefined;
  let runs = 0;
  const { bus, send } = await started(t, { size: 2 }, async (_, context) => {
    if (++runs > 1) return;
    signal = context.signal;
    await latch.pass();
    late = await context.publish(Done, { ids: "late" }).then(() => "done", (error: Error) => error.name);
  });
  await send("a", "b");
  assertEquals(signal?.aborted, false);
  t.broker.disconnect(t.transportOf(bus));
  assertEquals(signal?.reason?.name, "ClaimLostError");
  await t.settled();
  latch.open();
  await t.settled();
  assertEquals(late, "ClaimLostError");
  assertEquals(runs, 2);
});

trial("the time for a batch begins when its handler does, not while its messages wait", async (t) => {
  const latch = new Latch();
  let late: string | undefined;
  let signal: AbortSignal | undefined;
  const { bus, batches, send } = await started(t, { size: 2, within: "1m" }, async (items, context) => {
    if (idsOf(items) !== "c d") return;
    signal = context.signal;
    await latch.pass();
    late = await context.publish(Done, { ids: "late" }).then(() => "done", (error: Error) => error.name);
  }, { timeout: "5s" });
  await send("a");
  await t.pass(59_000);
  await send("b");
  assertEquals(batches, ["a b"]);
  assertEquals(bus.statistics("rows").consumed, 2);
  await send("c", "d");
  await t.pass(4_999);
  assertEquals(signal?.aborted, false);
  await t.pass(1);
  assertEquals(signal?.reason?.name, "HandlerTimeoutError");
  assertEquals(bus.statistics("rows").faulted, 2);
  latch.open();
  await t.settled();
  assertEquals(late, "HandlerTimeoutError");
  assertEquals(bus.statistics("rows").consumed, 2);
});

trial("fifteen thousand messages in batches: each is handled once", async (t) => {
  const bus = t.bus();
  const seen = new Map<string, number>();
  let most = 0;
  bus.endpoint("rows").batch(Insert, { size: 100, within: "1s" }, (items) => {
    most = Math.max(most, items.length);
    for (const { message } of items) seen.set(message.id, (seen.get(message.id) ?? 0) + 1);
  });
  await bus.start();
  await Promise.all(Array.from({ length: 15_000 }, (_, index) => bus.send(Insert, { id: String(index) })));
  await t.until("all are handled", () => seen.size === 15_000);
  await t.pass(1_000);
  assertEquals(most, 100);
  assert([...seen.values()].every((count) => count === 1));
});

trial("an event may be handled in a batch and one by one on one endpoint", async (t) => {
  const bus = t.bus();
  const runs: string[] = [];
  const Happened = event<Row>("batch.happened");
  bus.endpoint("rows")
    .handle(Happened, ({ id }) => void runs.push(`one ${id}`))
    .batch(Happened, { size: 2 }, (items) => void runs.push(`batch ${idsOf(items)}`));
  await bus.start();
  for (const id of ["a", "b"]) await bus.publish(Happened, { id });
  await t.settled();
  assertEquals(runs, ["one a", "one b", "batch a b"]);
});
