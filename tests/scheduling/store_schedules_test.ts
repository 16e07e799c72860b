import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  command,
  ConfigurationError,
  event,
  InvalidDurationError,
  query,
  retry,
  type ScheduleToken,
  UnsupportedError,
} from "../../mod.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { MessageBus } from "../../src/bus/message_bus.ts";
import type { Bus } from "../../src/bus/bus.ts";
import { testDefaults } from "../../src/testing/in_memory.ts";
import { type Trial, trial } from "../support/trial.ts";

const Remind = command<{ id: string }>("schedules.remind");
const Happened = event<{ id: string }>("schedules.happened");
const Work = command<{ id: string }>("schedules.work");
const Look = query<{ id: string }, { id: string }>("schedules.look");

/** A broker that keeps nothing that is due later, or not for long. */
function forgetful(t: Trial, maxMs?: number): Transport {
  const transport = memory({ broker: t.broker });
  const delay = maxMs === undefined ? false as const : { maxMs, cancel: true };
  return Object.defineProperty(transport, "capabilities", { value: { ...transport.capabilities, delay } });
}

/** A bus whose store is not asked time and again, over months. */
function unpolled(t: Trial, transport: Transport): Bus<undefined> {
  const options = { name: "app", transport, clock: t.clock, store: memoryStore() };
  return new MessageBus(options, transport, testDefaults);
}

/** A bus with a store that writes down when its reminders and events come, in milliseconds since it was made. */
function recording(
  t: Trial,
  options: Parameters<Trial["bus"]>[0] = {},
  bus = t.bus({ store: memoryStore(), ...options }),
) {
  const start = t.clock.now();
  const got: (readonly [id: string, atInMs: number])[] = [];
  bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push([id, t.clock.now() - start]));
  bus.endpoint("events").handle(Happened, ({ id }) => void got.push([id, t.clock.now() - start]));
  return { bus, got };
}

const day = 86_400_000;

trial("commands are sent and events published when they are due, never early, however far off", async (t) => {
  const { bus, got } = recording(t, {}, unpolled(t, forgetful(t)));
  await bus.start();
  const delays = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 180 * day];
  for (const delay of delays) await bus.schedule(Remind, { id: String(delay) }, { in: delay });
  await bus.schedule(Happened, { id: "event" }, { at: new Date(t.clock.now() + 1000) });
  await t.pass(180 * day);
  assertEquals(got, [["event", 1000], ...delays.map((delay) => [String(delay), delay] as const)]);
  await bus.stop();
});

trial("what is due already, or now, is sent at once; a negative delay is refused", async (t) => {
  const { bus, got } = recording(t);
  await bus.start();
  await bus.schedule(Remind, { id: "now" }, { in: 0 });
  await bus.schedule(Remind, { id: "past" }, { at: new Date(t.clock.now() - day) });
  await t.settled();
  assertEquals(got, [["now", 0], ["past", 0]]);
  await assertRejects(() => bus.schedule(Remind, { id: "1" }, { in: -1 }), InvalidDurationError);
  // @ts-expect-error JavaScript lets it pass
  await assertRejects(() => bus.schedule(Look, { id: "1" }, { in: 1 }), ConfigurationError, "answer");
  await assertRejects(() => bus.schedule(Remind, { id: "1" }, {} as never), ConfigurationError, "say when");
});

trial("what is unscheduled is never sent, at whatever time before it is due", async (t) => {
  const { bus, got } = recording(t, {}, unpolled(t, memory({ broker: t.broker })));
  await bus.start();
  const tokens: ScheduleToken[] = [];
  for (const id of ["early", "late", "kept"]) tokens.push(await bus.schedule(Remind, { id }, { in: 3 * 2 ** 31 }));
  const [early, late, kept] = tokens;
  assert(early !== undefined && late !== undefined && kept !== undefined);
  await bus.unschedule(early);
  await t.pass(3 * 2 ** 31 - 1);
  // A token is plain data: it may have been kept elsewhere.
  await bus.unschedule(JSON.parse(JSON.stringify(late)));
  await t.pass(1);
  assertEquals(got, [["kept", 3 * 2 ** 31]]);
  await bus.unschedule(kept);
  await bus.stop();
});

trial("a restart neither loses nor stretches what is scheduled, and what was due meanwhile is sent once", async (t) => {
  const database = memoryDatabase();
  const start = t.clock.now();
  const got: (readonly [string, number])[] = [];
  const life = async () => {
    const bus = t.bus({ store: memoryStore({ database }) });
    bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push([id, t.clock.now() - start]));
    await bus.start();
    return bus;
  };
  const minute = 60_000;
  let bus = await life();
  await bus.schedule(Remind, { id: "first" }, { in: "15m" });
  await bus.schedule(Remind, { id: "second" }, { in: "30m" });
  const cancelled = await bus.schedule(Remind, { id: "cancelled" }, { in: "35m" });
  for (const at of [10, 12, 14]) {
    await t.pass(at * minute - (t.clock.now() - start));
    await bus.stop();
    bus = await life();
  }
  await t.pass(6 * minute);
  assertEquals(got, [["first", 15 * minute]]);
  await bus.unschedule(cancelled);
  await bus.stop();
  await t.pass(20 * minute);
  bus = await life();
  await t.pass(60 * minute);
  assertEquals(got, [["first", 15 * minute], ["second", 40 * minute]]);
});

trial("in a unit of work schedules come and go with the commit", async (t) => {
  const { bus, got } = recording(t);
  let token: ScheduleToken | undefined;
  bus.endpoint("work", { outbox: true, retry: retry.immediate(1) }).handle(Work, async ({ id }, ctx) => {
    if (id === "take back") return await ctx.unschedule(token ?? { id: "" });
    const own = await ctx.schedule(Remind, { id: `attempt ${ctx.attempt}` }, { in: "1m" });
    const other = await ctx.schedule(Remind, { id: "other" }, { in: "1m" });
    await ctx.unschedule(other);
    if (ctx.attempt === 1) throw new Error("once");
    token = own;
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(got, [["attempt 2", 60_000]]);
  await bus.send(Work, { id: "2" }, { messageId: "2" });
  await t.settled();
  await bus.send(Work, { id: "take back" });
  await t.pass(day);
  assertEquals(got.length, 1);
});

trial("on a bus without a store what a unit of work schedules is part of it all the same", async (t) => {
  const { bus, got } = recording(t, { store: undefined as never });
  let token: ScheduleToken | undefined;
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    await ctx.schedule(Remind, { id: "kept" }, { in: "1m" });
    token = await ctx.schedule(Remind, { id: "taken back" }, { in: "1m" });
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  await bus.unschedule(token ?? { id: "" });
  await t.pass(60_000);
  assertEquals(got, [["kept", 60_000]]);
});

trial("a send's delay waits at the broker as long as that can, else in the store", async (t) => {
  const store = memoryStore();
  const { bus, got } = recording(t, { store, transport: forgetful(t, 60_000) });
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    await ctx.send(Remind, { id: "unit short" }, { delay: "1m" });
    await ctx.send(Remind, { id: "unit long" }, { delay: "3m" });
  });
  await bus.start();
  await bus.send(Remind, { id: "short" }, { delay: "1m" });
  assertEquals((await store.outbox.stats("app")).waiting, 0);
  await bus.send(Remind, { id: "long" }, { delay: "2m" });
  assertEquals((await store.outbox.stats("app")).waiting, 1);
  await bus.send(Work, { id: "1" });
  await t.pass(180_000);
  assertEquals(got, [["short", 60_000], ["unit short", 60_000], ["long", 120_000], ["unit long", 180_000]]);
});

trial("many that are due at the same time are sent once each, by several processes", async (t) => {
  const database = memoryDatabase();
  const got: string[] = [];
  const buses = [0, 1, 2].map(() => {
    const bus = t.bus({ store: memoryStore({ database }) });
    bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id));
    return bus;
  });
  for (const bus of buses) await bus.start();
  for (let id = 0; id < 3000; id++) await buses[id % 3]?.schedule(Remind, { id: String(id) }, { in: "1m" });
  await t.pass(59_999);
  assertEquals(got.length, 0);
  await t.pass(1);
  await t.until("all were sent", () => got.length >= 3000);
  await t.pass(day);
  assertEquals([got.length, new Set(got).size], [3000, 3000]);
});

trial("a clock that is set on or back changes when, not whether", async (t) => {
  const { bus, got } = recording(t);
  await bus.start();
  await bus.schedule(Remind, { id: "1" }, { in: "1h" });
  await bus.schedule(Remind, { id: "2" }, { in: "3h" });
  t.clock.jump(2 * 3_600_000);
  await t.pass(0);
  assertEquals(got.map(([id]) => id), ["1"]);
  t.clock.jump(-2 * 3_600_000);
  await t.pass(3 * 3_600_000);
  assertEquals(got.map(([id]) => id), ["1", "2"]);
});

trial("a message that is scheduled keeps its headers, key, and time to live from when it is due", async (t) => {
  const Keyed = command<{ id: string }>("schedules.keyed", { key: ({ id }) => id, ttl: "1m" });
  const { bus } = recording(t);
  const seen: unknown[] = [];
  bus.endpoint("keyed").handle(Keyed, (_, ctx) => {
    seen.push([ctx.headers["tenant"], ctx.correlationId, (ctx.expiresAt?.getTime() ?? 0) - t.clock.now()]);
  });
  await bus.start();
  await bus.schedule(Keyed, { id: "k" }, { in: "1h" }, { headers: { tenant: "x" }, correlationId: "c" });
  await t.pass(3_600_000);
  assertEquals(seen, [["x", "c", 60_000]]);
});

trial(
  "the same token replaces what was scheduled before, in whatever process and unit; each bus has its own",
  async (t) => {
    const database = memoryDatabase();
    const { bus, got } = recording(t, { store: memoryStore({ database }) });
    bus.endpoint("work", { outbox: true }).handle(
      Work,
      ({ id }, ctx) => ctx.schedule(Remind, { id }, { in: "3m" }, { token: "nightly" }).then(() => {}),
    );
    await bus.start();
    const first = await bus.schedule(Remind, { id: "first" }, { in: "1m" }, { token: "nightly" });
    const other = t.bus({ store: memoryStore({ database }) });
    await other.start();
    const second = await other.schedule(Remind, { id: "second" }, { in: "2m" }, { token: "nightly" });
    assertNotEquals(first, second, "each takes back what its own call may still bring");
    const foreign = t.bus({ name: "foreign", store: memoryStore({ database }) });
    await foreign.start();
    await foreign.schedule(Remind, { id: "foreign" }, { in: "2m" }, { token: "nightly" });
    await bus.send(Work, { id: "third" });
    await t.pass(600_000);
    assertEquals(got, [["foreign", 120_000], ["third", 180_000]]);
    await bus.schedule(Remind, { id: "fourth" }, { in: "1m" }, { token: "nightly" });
    await other.unschedule(first);
    await t.pass(600_000);
    assertEquals(got.length, 2);
    await assertRejects(() => bus.schedule(Remind, { id: "1" }, { in: 1 }, { token: "" }), ConfigurationError, "token");
  },
);

trial("a bus without a store replaces no schedule, and says so", async (t) => {
  const bus = t.bus();
  await bus.start();
  await assertRejects(() => bus.schedule(Remind, { id: "1" }, { in: 1 }, { token: "x" }), UnsupportedError, "store");
});
