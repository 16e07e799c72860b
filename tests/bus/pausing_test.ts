import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { command, UnknownEndpointError } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { memory, memoryBroker } from "../../transports/memory/mod.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { LeaseBroker } from "../support/fakes/lease_broker.ts";
import { LeaseTransport } from "../support/fakes/lease_transport.ts";
import { Latch, trial } from "../support/trial.ts";

const Work = command<{ id: number }>("pausing.work");
const Other = command<{ id: number }>("pausing.other");

trial(
  "a paused endpoint takes nothing, its messages wait at the broker, and after resume they are handled",
  async (t) => {
    const bus = t.bus();
    const handled: number[] = [];
    bus.endpoint("work").handle(Work, ({ id }) => void handled.push(id));
    await bus.start();
    await bus.pause("work");
    for (let id = 0; id < 5; id++) await bus.send(Work, { id });
    await t.pass(60_000);
    assertEquals(handled, []);
    assertEquals(await bus.counts("work"), { waiting: 5, active: 0, delayed: 0, failed: 0, skipped: 0 });
    await bus.resume("work");
    await t.settled();
    assertEquals(handled, [0, 1, 2, 3, 4]);
  },
);

trial("pausing resolves when what runs has ended; what had not started goes back, in order", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const handled: number[] = [];
  bus.endpoint("work", { concurrency: 2 }).handle(Work, async ({ id }) => {
    await latch.pass();
    handled.push(id);
  });
  await bus.start();
  for (let id = 0; id < 6; id++) await bus.send(Work, { id });
  await t.settled();
  let paused = false;
  const pausing = bus.pause("work").then(() => paused = true);
  await t.settled();
  assertEquals(paused, false);
  assertEquals(await bus.counts("work"), { waiting: 4, active: 2, delayed: 0, failed: 0, skipped: 0 });
  latch.open();
  await pausing;
  assertEquals(handled, [0, 1]);
  assertEquals(await bus.counts("work"), { waiting: 4, active: 0, delayed: 0, failed: 0, skipped: 0 });
  await bus.resume("work");
  await t.settled();
  assertEquals(handled, [0, 1, 2, 3, 4, 5]);
});

trial("a retry that is under way when its endpoint is paused goes on to its end", async (t) => {
  const bus = t.bus();
  const attempts: number[] = [];
  bus.endpoint("work", { retry: retry.interval(1, "10s") }).handle(Work, (_, { attempt }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error("once");
  });
  await bus.start();
  await bus.send(Work, { id: 1 });
  await t.settled();
  const pausing = bus.pause("work");
  await t.pass(10_000);
  await pausing;
  assertEquals(attempts, [1, 2]);
});

trial("another process takes what a paused endpoint leaves", async (t) => {
  const paused = t.bus({ name: "paused" });
  const other = t.bus({ name: "other" });
  const handled: string[] = [];
  for (const bus of [paused, other]) {
    bus.endpoint("work").handle(Work, () => void handled.push(bus.name));
    await bus.start();
  }
  await paused.pause("work");
  for (let id = 0; id < 5; id++) await paused.send(Work, { id });
  await t.settled();
  assertEquals(handled, ["other", "other", "other", "other", "other"]);
});

trial("other endpoints go on, and health says which one is paused", async (t) => {
  const bus = t.bus();
  let handled = 0;
  bus.endpoint("work").handle(Work, () => {});
  bus.endpoint("other").handle(Other, () => void handled++);
  await bus.start();
  assertEquals(bus.health().status, "healthy");
  await bus.pause("work");
  await bus.send(Other, { id: 1 });
  await t.settled();
  assertEquals(handled, 1);
  assertEquals(bus.health().status, "degraded");
  assertEquals(bus.health().parts.map(({ name, status, reason }) => [name, status, reason]), [
    ["transport memory", "healthy", undefined],
    ["work", "degraded", "It is paused"],
    ["other", "healthy", undefined],
  ]);
  await bus.resume("work");
  assertEquals(bus.health().status, "healthy");
});

trial("pausing twice, and resuming what is not paused, do nothing", async (t) => {
  const bus = t.bus();
  let handled = 0;
  bus.endpoint("work").handle(Work, () => void handled++);
  await bus.start();
  await bus.resume("work");
  await bus.pause("work");
  await bus.pause("work");
  await bus.resume("work");
  await bus.send(Work, { id: 1 });
  await t.settled();
  assertEquals(handled, 1);
});

trial("a pause that waits for a handler that never ends is over when the bus has stopped", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => new Promise<void>(() => {}));
  await bus.start();
  await bus.send(Work, { id: 1 });
  await t.settled();
  let paused = false;
  bus.pause("work").then(() => paused = true);
  await t.settled();
  assertEquals(paused, false);
  await bus.stop({ deadline: 0 });
  await t.settled();
  assertEquals(paused, true);
});

/** More often than a message may come without an outcome. */
const pauses = 15;
const brokers: Readonly<Record<string, () => Transport | undefined>> = {
  "a broker that does not count what was not started": () => undefined,
  "a broker that counts each delivery": () => new LeaseTransport(new LeaseBroker()),
};
for (const [what, make] of Object.entries(brokers)) {
  trial(`on ${what}, pausing again and again is no outcome of the messages that wait`, async (t) => {
    const transport = make();
    const bus = t.bus(transport === undefined ? {} : { transport });
    const latch = new Latch();
    const handled: number[] = [];
    bus.endpoint("work", { concurrency: 1, hold: "1h" }).handle(Work, async ({ id }) => {
      if (id === 0) await latch.pass();
      handled.push(id);
    });
    await bus.start();
    await bus.send(Work, { id: 0 });
    await bus.send(Work, { id: 1 });
    await t.until("the first is being handled", () => latch.arrived === 1);
    const pausing: Promise<void>[] = [];
    for (let round = 0; round < pauses; round++) {
      await t.pass(100);
      pausing.push(bus.pause("work"));
      await t.pass(100);
      await bus.resume("work");
    }
    latch.open();
    await t.pass(1_000);
    await Promise.all(pausing);
    assertEquals([handled, bus.statistics("work").faulted], [[0, 1], 0]);
  });
}

trial("an endpoint that the bus does not have is named in the error of each call", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => {});
  await bus.start();
  for (const call of ["pause", "resume", "counts"] as const) {
    const error = await assertRejects(() => bus[call]("wrok"), UnknownEndpointError, `"wrok"`);
    assertStringIncludes(error.message, `"work"`);
  }
  assertThrows(() => bus.statistics("wrok"), UnknownEndpointError);
});

trial("statistics count everything that an endpoint does, and a copy stands still", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { retry: retry.immediate(1), redeliver: ["1m"] }).handle(Work, async ({ id }, ctx) => {
    if (id === 1 && ctx.attempt === 1) throw new Error("once");
    if (id === 2) throw new Error("always");
    if (id === 3 && ctx.sentAt?.getTime() === t.clock.now()) await ctx.defer("1m");
  });
  await bus.start();
  const before = bus.statistics("work");
  for (let id = 0; id < 4; id++) await bus.send(Work, { id });
  await t.put("queue:work", { body: "{}", headers: { "hero-type": "pausing.unknown" } });
  await t.put("queue:work", { body: "junk", headers: { "hero-type": "pausing.work" } });
  await t.pass(60_000);
  assertEquals(bus.statistics("work"), {
    received: 8,
    consumed: 3,
    retried: 3,
    redelivered: 1,
    faulted: 2,
    discarded: 0,
    duplicate: 0,
    skipped: 1,
    expired: 0,
    deferred: 1,
    lost: 0,
    missing: 0,
    stale: 0,
  });
  assertEquals(before.received, 0);
});

trial("counts tell what waits, runs, is due later and has failed, over all processes", async (t) => {
  const a = t.bus({ name: "a" });
  const b = t.bus({ name: "b" });
  const latch = new Latch();
  for (const bus of [a, b]) {
    bus.endpoint("work", { concurrency: 1, prefetch: 1, redeliver: ["1h"] }).handle(Work, async ({ id }, ctx) => {
      if (id === 0) await ctx.defer("1h");
      else await latch.pass();
    });
    await bus.start();
  }
  for (let id = 0; id < 6; id++) await a.send(Work, { id });
  await t.put("queue:work", { body: "junk", headers: { "hero-type": "pausing.work" } });
  await t.settled();
  assertEquals(await a.counts("work"), { waiting: 4, active: 2, delayed: 1, failed: 0, skipped: 0 });
  assertEquals(await b.counts("work"), { waiting: 4, active: 2, delayed: 1, failed: 0, skipped: 0 });
  latch.open();
  await t.settled();
  assertEquals(await b.counts("work"), { waiting: 0, active: 0, delayed: 1, failed: 1, skipped: 0 });
});

for (const byReference of [false, true]) {
  trial(
    `however often an endpoint is paused${
      byReference ? ", by reference," : ""
    } what it had not started is handled in the end`,
    async (t) => {
      const broker = memoryBroker({ byReference });
      const bus = t.bus({ transport: memory({ broker }) });
      const latches: Latch[] = [];
      const handled: number[] = [];
      bus.endpoint("work", { concurrency: 1, prefetch: 20 }).handle(Work, async ({ id }) => {
        const latch = new Latch();
        latches.push(latch);
        await latch.pass();
        handled.push(id);
      });
      await bus.start();
      const ids = Array.from({ length: 20 }, (_, id) => id);
      for (const id of ids) await bus.send(Work, { id });
      // Each time the first that waits is handled, and all others go back.
      for (const id of ids) {
        await t.settled();
        const pausing = bus.pause("work");
        latches[id]?.open();
        await pausing;
        bus.resume("work");
      }
      await t.settled();
      assertEquals(handled, ids);
      assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
    },
  );
}
