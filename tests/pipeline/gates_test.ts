import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { command } from "../../mod.ts";
import type { Bus, EndpointOptions } from "../../mod.ts";
import { Latch, type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: number }>("gates.work");

/** A bus whose handler fails while `down`. */
async function started(
  t: Trial,
  options: EndpointOptions,
): Promise<{ readonly bus: Bus; down: boolean; readonly runs: number[]; send(count: number): Promise<void> }> {
  const bus = t.bus();
  let next = 0;
  const state = {
    bus,
    down: false,
    runs: [] as number[],
    async send(count: number): Promise<void> {
      for (let sent = 0; sent < count; sent++) await bus.send(Work, { id: next++ });
      await t.settled();
    },
  };
  bus.endpoint("work", options).handle(Work, ({ id }) => {
    state.runs.push(id);
    if (state.down) throw new RangeError("down");
  });
  await bus.start();
  return state;
}

/** What health says of the endpoint. */
function health(bus: Bus): string {
  const part = bus.health().parts.find(({ name }) => name === "work");
  return `${bus.health().status}/${part?.status}`;
}

trial("an open circuit breaker takes nothing and faults nothing; half-open it lets one through", async (t) => {
  const state = await started(t, {
    concurrency: 1,
    prefetch: 4,
    circuitBreaker: { activeThreshold: 4, tripThreshold: 0.5, resetInterval: "10s" },
  });
  const { bus, runs } = state;
  assertEquals(health(bus), "healthy/healthy");
  state.down = true;
  await state.send(20);
  assertEquals(runs.length, 4);
  assertEquals(bus.statistics("work").faulted, 4);
  assertEquals(await bus.counts("work"), { waiting: 13, active: 3, delayed: 0, failed: 4, skipped: 0 });
  assertEquals(health(bus), "degraded/degraded");
  const part = bus.health().parts.find(({ name }) => name === "work");
  assertStringIncludes(part?.reason ?? "", "circuit breaker is open");
  await t.pass(9_999);
  assertEquals(runs.length, 4);
  await t.pass(1);
  assertEquals(runs.length, 5);
  assertEquals(bus.statistics("work").faulted, 5);
  await t.pass(9_999);
  assertEquals(runs.length, 5);
  state.down = false;
  await t.pass(1);
  assertEquals(runs, Array.from({ length: 20 }, (_, id) => id));
  assertEquals(health(bus), "healthy/healthy");
  assertEquals((await bus.counts("work")).failed, 5);
});

trial("a probe that is running is the only one, however long it takes", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  let runs = 0;
  bus.endpoint("work", { circuitBreaker: { activeThreshold: 1, resetInterval: "10s" } }).handle(Work, () => {
    if (++runs === 1) throw new Error("down");
    return latch.pass();
  });
  await bus.start();
  await bus.send(Work, { id: 0 });
  await t.settled();
  for (let id = 1; id < 10; id++) await bus.send(Work, { id });
  await t.pass(60_000);
  assertEquals(latch.arrived, 1);
  latch.open();
  await t.settled();
  assertEquals(latch.arrived, 9);
});

trial("a hundred failures with the breaker's limits reach the handler only so often", async (t) => {
  const state = await started(t, {
    concurrency: 1,
    circuitBreaker: { activeThreshold: 5, tripThreshold: 0.15, resetInterval: "1m" },
  });
  state.down = true;
  await state.send(100);
  await t.pass(60_000);
  assertEquals(state.runs.length, 6);
  assertEquals((await state.bus.counts("work")).failed, 6);
});

trial("errors that a breaker's filter leaves out, and input that cannot be read, do not open it", async (t) => {
  const state = await started(t, { circuitBreaker: { activeThreshold: 1, ignore: [RangeError] } });
  for (let count = 0; count < 20; count++) {
    await t.put("queue:work", { body: "junk", headers: { "hero-type": "gates.work" } });
  }
  state.down = true;
  await state.send(20);
  assertEquals(state.runs.length, 20);
  assertEquals(health(state.bus), "healthy/healthy");
});

trial("a retry inside is one failure to the breaker, and what will be redelivered is one, too", async (t) => {
  const state = await started(t, {
    concurrency: 1,
    redeliver: ["1h"],
    circuitBreaker: { activeThreshold: 3, tripThreshold: 1, resetInterval: "1m" },
  });
  state.down = true;
  await state.send(10);
  assertEquals(state.runs.length, 3);
  assertEquals(state.bus.statistics("work").redelivered, 3);
});

trial("a kill switch stops the endpoint, which goes on later; every message is handled in the end", async (t) => {
  const state = await started(t, {
    concurrency: 1,
    killSwitch: { activationThreshold: 10, tripThreshold: 0.5, restartTimeout: "1m" },
  });
  const { bus } = state;
  state.down = true;
  await state.send(20);
  assertEquals(state.runs.length, 10);
  assertEquals(health(bus), "degraded/degraded");
  assertStringIncludes(bus.health().parts.find(({ name }) => name === "work")?.reason ?? "", "kill switch has tripped");
  await t.pass(60_000);
  assertEquals(state.runs.length, 20);
  assertEquals(health(bus), "degraded/degraded");
  state.down = false;
  await state.send(20);
  assertEquals(state.runs.length, 20);
  await t.pass(60_000);
  assertEquals(state.runs.length, 40);
  assertEquals(health(bus), "healthy/healthy");
  const { consumed, faulted } = bus.statistics("work");
  assertEquals({ consumed, faulted }, { consumed: 20, faulted: 20 });
});

trial("what runs when a kill switch trips goes on to its end", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("work", { concurrency: 2, killSwitch: { activationThreshold: 1 } }).handle(Work, ({ id }) => {
    if (id === 1) throw new Error("down");
    return latch.pass();
  });
  await bus.start();
  await bus.send(Work, { id: 0 });
  await bus.send(Work, { id: 1 });
  await t.settled();
  assertEquals(bus.health().status, "degraded");
  latch.open();
  await t.settled();
  assertEquals(bus.statistics("work").consumed, 1);
});

trial("a rate limit starts no more in any stretch of time, and health stays", async (t) => {
  const state = await started(t, { rateLimit: { limit: 5, per: "1s" } });
  await state.send(12);
  assertEquals(state.runs.length, 5);
  assertEquals(health(state.bus), "healthy/healthy");
  await t.pass(999);
  assertEquals(state.runs.length, 5);
  await t.pass(1);
  assertEquals(state.runs.length, 10);
  await t.pass(1_000);
  assertEquals(state.runs, Array.from({ length: 12 }, (_, id) => id));
});

trial(
  "while a gate is shut for long the broker is asked for nothing, and another process gets the messages",
  async (t) => {
    const state = await started(t, { concurrency: 1, prefetch: 2, killSwitch: { activationThreshold: 1 } });
    state.down = true;
    await state.send(1);
    const other = t.bus({ name: "other" });
    const handled: number[] = [];
    other.endpoint("work").handle(Work, ({ id }) => void handled.push(id));
    await other.start();
    await state.send(10);
    assertEquals(handled, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assertEquals(state.runs, [0]);
  },
);

trial("pausing while a gate is shut, and resuming, does not open it", async (t) => {
  const state = await started(t, { concurrency: 1, killSwitch: { activationThreshold: 1, restartTimeout: "1m" } });
  state.down = true;
  await state.send(3);
  assertEquals(state.runs, [0]);
  await state.bus.pause("work");
  await t.pass(30_000);
  await state.bus.resume("work");
  await t.settled();
  assertEquals(state.runs, [0]);
  await t.pass(30_000);
  assertEquals(state.runs, [0, 1]);
});

trial("a gate that opens while the endpoint is paused starts nothing", async (t) => {
  const state = await started(t, { concurrency: 1, killSwitch: { activationThreshold: 1, restartTimeout: "1m" } });
  state.down = true;
  await state.send(3);
  await state.bus.pause("work");
  state.down = false;
  await t.pass(120_000);
  assertEquals(state.runs, [0]);
  assertEquals((await state.bus.counts("work")).waiting, 2);
  await state.bus.resume("work");
  await t.settled();
  assertEquals(state.runs, [0, 1, 2]);
});

trial("several gates hold together: all must be open", async (t) => {
  const state = await started(t, {
    concurrency: 1,
    rateLimit: { limit: 2, per: "1s" },
    circuitBreaker: { activeThreshold: 3, tripThreshold: 1, resetInterval: "1m" },
  });
  state.down = true;
  await state.send(10);
  assertEquals(state.runs.length, 2);
  await t.pass(1_000);
  assertEquals(state.runs.length, 3);
  await t.pass(59_000);
  assertEquals(state.runs.length, 3);
  await t.pass(1_000);
  assertEquals(state.runs.length, 4);
});

trial("a stop does not wait for a gate: what has not started goes back", async (t) => {
  const state = await started(t, { concurrency: 1, killSwitch: { activationThreshold: 1 } });
  state.down = true;
  await state.send(5);
  await state.bus.stop();
  assert(state.runs.length === 1);
  assertEquals(await t.count("work"), 4);
  assertEquals(t.clock.pending, 0);
});
