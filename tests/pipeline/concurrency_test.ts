import { assert, assertEquals, assertRejects } from "@std/assert";
import { command, ConfigurationError } from "../../mod.ts";
import { Latch, trial } from "../support/trial.ts";

const Work = command<{ id: number }>("concurrency.work");

trial("no more messages are handled at once than the endpoint says, and that many are", async (t) => {
  const bus = t.bus();
  const latches: Latch[] = [];
  bus.endpoint("work", { concurrency: 3 }).handle(Work, () => {
    const latch = new Latch();
    latches.push(latch);
    return latch.pass();
  });
  await bus.start();
  for (let id = 0; id < 10; id++) await bus.send(Work, { id });
  await t.settled();
  assertEquals(latches.length, 3);
  latches[1]?.open();
  await t.settled();
  assertEquals(latches.length, 4);
  for (let index = 0; index < 10; index++) {
    latches[index]?.open();
    await t.settled();
  }
  assertEquals(bus.statistics("work").consumed, 10);
});

trial("a concurrency of 1 handles in the order received", async (t) => {
  const bus = t.bus();
  const order: number[] = [];
  bus.endpoint("work", { concurrency: 1 }).handle(Work, async ({ id }) => {
    for (let turns = 0; turns < 20 - id; turns++) await Promise.resolve();
    order.push(id);
  });
  await bus.start();
  await Promise.all(Array.from({ length: 20 }, (_, id) => bus.send(Work, { id })));
  await t.settled();
  assertEquals(order, Array.from({ length: 20 }, (_, id) => id));
});

trial("sixteen at once, and four times as many prefetched, unless said otherwise", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("work").handle(Work, () => latch.pass());
  await bus.start();
  for (let id = 0; id < 100; id++) await bus.send(Work, { id });
  await t.settled();
  assertEquals(latch.arrived, 16);
  assertEquals(await bus.counts("work"), { waiting: 36, active: 64, delayed: 0, failed: 0, skipped: 0 });
  latch.open();
  await t.settled();
  assertEquals(latch.arrived, 100);
});

trial("no more are taken from the broker than the prefetch, running ones included", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("work", { concurrency: 2, prefetch: 5 }).handle(Work, () => latch.pass());
  await bus.start();
  for (let id = 0; id < 20; id++) await bus.send(Work, { id });
  await t.settled();
  assertEquals(latch.arrived, 2);
  assertEquals(await bus.counts("work"), { waiting: 15, active: 5, delayed: 0, failed: 0, skipped: 0 });
  latch.open();
});

trial("a prefetch below the concurrency bounds it", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("work", { concurrency: 8, prefetch: 2 }).handle(Work, () => latch.pass());
  await bus.start();
  for (let id = 0; id < 20; id++) await bus.send(Work, { id });
  await t.settled();
  assertEquals(latch.arrived, 2);
  latch.open();
});

trial("endpoints do not share their slots", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let other = 0;
  const Other = command<{ id: number }>("concurrency.other");
  bus.endpoint("work", { concurrency: 1 }).handle(Work, () => latch.pass());
  bus.endpoint("other", { concurrency: 1 }).handle(Other, () => void other++);
  await bus.start();
  await bus.send(Work, { id: 1 });
  for (let id = 0; id < 5; id++) await bus.send(Other, { id });
  await t.settled();
  assertEquals(other, 5);
  latch.open();
});

trial("two processes share a queue: each message is handled once, by either", async (t) => {
  const handled: string[] = [];
  for (const name of ["a", "b"]) {
    const bus = t.bus({ name });
    bus.endpoint("work", { concurrency: 2, prefetch: 2 }).handle(Work, async ({ id }) => {
      await Promise.resolve();
      handled.push(`${name} ${id}`);
    });
    await bus.start();
  }
  const sender = t.bus({ name: "sender" });
  await sender.start();
  for (let id = 0; id < 40; id++) await sender.send(Work, { id });
  await t.settled();
  assertEquals(new Set(handled.map((each) => each.split(" ")[1])).size, 40);
  assertEquals(handled.length, 40);
  for (const name of ["a", "b"]) assert(handled.some((each) => each.startsWith(name)), `${name} got none`);
});

trial("limits that are none are refused at start", async (t) => {
  for (const options of [{ concurrency: 0 }, { concurrency: 1.5 }, { prefetch: -1 }, { prefetch: NaN }]) {
    const bus = t.bus();
    bus.endpoint("work", options).handle(Work, () => {});
    await assertRejects(() => bus.start(), ConfigurationError, Object.keys(options)[0]);
  }
});
