import { assertEquals, assertRejects } from "@std/assert";
import { command, event, memory, UnsupportedError } from "../../mod.ts";
import type { Transport } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { Latch, trial } from "../support/trial.ts";

interface Step {
  readonly key: string;
  readonly n: number;
}
const Stepped = event<Step>("order.stepped", { key: ({ key }) => key });
const Advance = command<Step>("order.advance", { key: ({ key }) => key });

trial("a key that is stuck in a retry is not overtaken, and other keys pass it", async (t) => {
  const bus = t.bus();
  const runs: string[] = [];
  bus.endpoint("steps", { concurrency: 8, retry: retry.interval(5, "50ms") }).handle(Stepped, ({ key, n }, ctx) => {
    runs.push(`${key}${n}`);
    if (key === "k" && n === 0 && ctx.attempt < 3) throw new Error("not yet");
  });
  await bus.start();
  for (let n = 0; n < 5; n++) await Promise.all(["k", "j"].map((key) => bus.publish(Stepped, { key, n })));
  await t.settled();
  assertEquals(runs, ["k0", "j0", "j1", "j2", "j3", "j4"]);
  await t.pass(50);
  assertEquals(runs.slice(6), ["k0"]);
  await t.pass(50);
  assertEquals(runs.slice(7), ["k0", "k1", "k2", "k3", "k4"]);
});

trial("messages of one key run one at a time, also where handlers wait", async (t) => {
  const bus = t.bus();
  let running = 0;
  let most = 0;
  const order: number[] = [];
  bus.endpoint("steps", { concurrency: 8 }).handle(Stepped, async ({ n }) => {
    most = Math.max(most, ++running);
    for (let turns = 0; turns < 10 - n; turns++) await Promise.resolve();
    order.push(n);
    running--;
  });
  await bus.start();
  await Promise.all(Array.from({ length: 10 }, (_, n) => bus.publish(Stepped, { key: "k", n })));
  await t.settled();
  assertEquals(most, 1);
  assertEquals(order, Array.from({ length: 10 }, (_, n) => n));
});

trial("messages without a key run beside each other", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const Plain = command<{ n: number }>("order.plain");
  bus.endpoint("plain", { concurrency: 8 }).handle(Plain, () => latch.pass());
  await bus.start();
  for (let n = 0; n < 8; n++) await bus.send(Plain, { n });
  await t.settled();
  assertEquals(latch.arrived, 8);
  latch.open();
});

trial("the key that was given wins over the contract's, and the empty key is a key", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("steps").handle(Advance, () => latch.pass());
  await bus.start();
  for (const key of ["a", "b", "c"]) await bus.send(Advance, { key, n: 0 }, { key: "" });
  await t.settled();
  assertEquals(latch.arrived, 1);
  latch.open();
  await t.settled();
  assertEquals(latch.arrived, 3);
});

trial("many messages of one key do not keep those of others from their slots", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const done: string[] = [];
  bus.endpoint("steps", { concurrency: 2, prefetch: 50 }).handle(Stepped, async ({ key, n }) => {
    if (key === "k" && n === 0) await latch.pass();
    done.push(`${key}${n}`);
  });
  await bus.start();
  for (let n = 0; n < 20; n++) await bus.publish(Stepped, { key: "k", n });
  for (let n = 0; n < 3; n++) await bus.publish(Stepped, { key: "j", n });
  await t.settled();
  assertEquals(done, ["j0", "j1", "j2"]);
  latch.open();
  await t.settled();
  assertEquals(done.slice(3), Array.from({ length: 20 }, (_, n) => `k${n}`));
});

trial("the next of a key goes on when the one before it fails for good, or is skipped or put off", async (t) => {
  const bus = t.bus();
  const runs: number[] = [];
  bus.endpoint("steps").handle(Stepped, async ({ n }, ctx) => {
    runs.push(n);
    await Promise.resolve();
    if (n === 0) throw new Error("no");
    if (n === 1) await ctx.defer("1h");
    if (n === 2) await ctx.forward("queue:steps_error");
  });
  await bus.start();
  for (let n = 0; n < 4; n++) await bus.publish(Stepped, { key: "k", n });
  await t.put("queue:steps", { body: "{}", key: "k", headers: { "hero-type": "order.unknown" } });
  await bus.publish(Stepped, { key: "k", n: 5 });
  await t.settled();
  assertEquals(runs, [0, 1, 2, 3, 5]);
});

trial(`with order: "key" two processes keep one order`, async (t) => {
  const order: number[] = [];
  const latch = new Latch();
  const buses = ["a", "b"].map((name) => {
    const bus = t.bus({ name });
    bus.endpoint("steps", { order: "key" }).handle(Stepped, async ({ n }) => {
      if (n === 0) await latch.pass();
      order.push(n);
    });
    return bus;
  });
  for (const bus of buses) await bus.start();
  for (let n = 0; n < 10; n++) await buses[0]?.publish(Stepped, { key: "k", n });
  await t.settled();
  assertEquals(order, []);
  latch.open();
  await t.settled();
  assertEquals(order, Array.from({ length: 10 }, (_, n) => n));
});

trial("an endpoint that keeps order refuses to put a message off, unless it may be overtaken", async (t) => {
  const bus = t.bus();
  const errors: string[] = [];
  bus.endpoint("strict", { order: "key" }).handle(Stepped, (_, ctx) =>
    ctx.defer("1m").catch((e: Error) => {
      errors.push(e.name);
    }));
  bus.endpoint("lax", { order: "key", overtaking: "allowed" }).handle(Advance, (_, ctx) => ctx.defer("1m"));
  await bus.start();
  await bus.publish(Stepped, { key: "k", n: 0 });
  await bus.send(Advance, { key: "k", n: 0 });
  await t.settled();
  assertEquals(errors, ["ConfigurationError"]);
  assertEquals(bus.statistics("strict").consumed, 1);
  assertEquals((await bus.counts("lax")).delayed, 1);
});

trial(`order: "key" on a transport that keeps none is refused at start`, async (t) => {
  const transport = memory();
  // It is refused before the transport is opened, so that nothing else of it is asked for.
  const unordered: Transport = Object.create(transport, {
    capabilities: { value: { ...transport.capabilities, order: "none" } },
  });
  const bus = t.bus({ transport: unordered });
  bus.endpoint("steps", { order: "key" }).handle(Stepped, () => {});
  await assertRejects(() => bus.start(), UnsupportedError, `order: "key"`);
});
