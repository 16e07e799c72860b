import { assert, assertEquals } from "@std/assert";
import { type BacklogActivity, command, consumer, DisconnectedError, event, type Telemetry } from "../../mod.ts";
import { BacklogWatch } from "../../src/outbox/backlog_watch.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { turn } from "../../src/testing/turn.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Due } from "../../src/spi/store.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { test } from "../support/runner.ts";
import { SettableClock } from "../support/settable_clock.ts";
import { type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("backlog.work");
const Done = event<{ by: string }>("backlog.done");
const Lost = command<{ by: string }>("backlog.lost");

/** Notes what it is told of backlogs. */
function noting(): Telemetry & { readonly told: BacklogActivity[] } {
  const told: BacklogActivity[] = [];
  return {
    told,
    send: () => undefined,
    receive: () => {},
    process: () => undefined,
    settle: () => {},
    backlog: (activity) => void told.push(activity),
  };
}

/** A bus whose broker takes no events until it is told to. */
async function started(t: Trial, telemetry: Telemetry) {
  const broker = { away: true };
  const transport = memory({ broker: t.broker });
  const send = transport.send.bind(transport);
  transport.send = (batch) => {
    const rest = batch.filter((outgoing) => {
      if (!broker.away || outgoing.to !== "topic:backlog.done") return true;
      outgoing.settled(new DisconnectedError("memory", "send"));
      return false;
    });
    return rest.length === 0 ? undefined : send(rest);
  };
  const bus = t.bus({ store: memoryStore(), transport, telemetry });
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    if (id === "lost") await ctx.send(Lost, { by: id });
    else await ctx.publish(Done, { by: id });
  });
  await bus.start();
  return { bus, broker };
}

trial("telemetry and health tell what waits, for how long, and how fast it leaves", async (t) => {
  const telemetry = noting();
  const { bus, broker } = await started(t, telemetry);
  for (const id of ["1", "2", "3"]) await bus.send(Work, { id });
  await t.pass(40_000);
  const last = telemetry.told.findLast(({ of }) => of === "outbox");
  assert(last !== undefined);
  assertEquals({ ...last, oldestInMs: 0 }, {
    bus: "app",
    of: "outbox",
    waiting: 3,
    parked: 0,
    oldestInMs: 0,
    sent: 0,
    sentPerSecond: 0,
    dropped: 0,
  });
  assert(last.oldestInMs >= 20_000 && last.oldestInMs <= 40_000, `${last.oldestInMs} ms`);
  const outbox = () => bus.health().parts.find(({ name }) => name === "outbox");
  assertEquals(outbox()?.status, "healthy");
  await t.pass(30_000);
  assertEquals([outbox()?.status, outbox()?.reason], ["degraded", "The oldest of 3 messages is due for 70 s"]);
  broker.away = false;
  await t.pass(120_000);
  const rates = telemetry.told.map(({ sentPerSecond }) => sentPerSecond);
  assert(rates.some((rate) => rate > 0 && rate <= 3), rates.join());
  assertEquals(outbox(), {
    name: "outbox",
    status: "healthy",
    backlog: { waiting: 0, parked: 0, oldestInMs: 0, sent: 3, sentPerSecond: 0, dropped: 0 },
  });
});

trial("what is parked is told at once, and as soon as it has been let go again", async (t) => {
  const telemetry = noting();
  const { bus } = await started(t, telemetry);
  await bus.send(Work, { id: "lost" });
  await t.settled();
  assertEquals(telemetry.told.findLast(({ of }) => of === "outbox")?.parked, 1);
  assertEquals(bus.health().parts.find(({ name }) => name === "outbox")?.backlog?.parked, 1);
  await bus.connect(consumer(Lost, () => {}));
  await bus.parked().release("all");
  await t.settled();
  const { parked, sent } = bus.health().parts.find(({ name }) => name === "outbox")?.backlog ?? {};
  assertEquals([parked, sent], [0, 1]);
});

trial("schedules are a backlog of their own: what is not due yet is not late", async (t) => {
  const telemetry = noting();
  const { bus } = await started(t, telemetry);
  await bus.schedule(Work, { id: "lost" }, { in: "1h" });
  await t.pass(60_000);
  const last = telemetry.told.findLast(({ of }) => of === "schedules");
  assertEquals([last?.waiting, last?.oldestInMs, last?.sent], [1, 0, 0]);
  await t.pass(60 * 60_000);
  assertEquals(telemetry.told.findLast(({ of }) => of === "schedules")?.sent, 1);
});

trial("telemetry that throws harms nothing", async (t) => {
  const telemetry: Telemetry = {
    ...noting(),
    backlog: () => {
      throw new Error("no metrics today");
    },
  };
  const { bus, broker } = await started(t, telemetry);
  broker.away = false;
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(bus.health().parts.find(({ name }) => name === "outbox")?.backlog?.sent, 1);
});

/** Watches a store that counts like this. */
function watchOf(clock: Clock, stats: () => ReturnType<Due<OutboxRow>["stats"]>): BacklogWatch {
  const due = { stats, parked: () => Promise.resolve([]) };
  return new BacklogWatch({ bus: "app", of: "outbox", clock, telemetry: undefined, due });
}

test("a store that takes long to count is asked less often", async () => {
  const clock = new VirtualClock();
  const asked: number[] = [];
  const start = clock.now();
  const watch = watchOf(clock, async () => {
    asked.push(clock.now() - start);
    await clock.delay(2_000);
    return { waiting: 1, parked: 0, oldest: undefined };
  });
  for (let seconds = 0; seconds < 100; seconds++) {
    watch.look();
    await clock.advanceTo(clock.now() + 1_000, turn);
  }
  assertEquals(asked, [0, 42_000, 84_000]);
});

test("what waited is told of no longer than its time when it has gone, though nobody looks again", async () => {
  const clock = new VirtualClock();
  let waiting = 3;
  const oldest = () => waiting === 0 ? undefined : clock.now() - 55_000;
  const watch = watchOf(clock, () => Promise.resolve({ waiting, parked: 0, oldest: oldest() }));
  const pass = (ms: number) => clock.advanceTo(clock.now() + ms, turn);
  watch.look();
  await pass(1_000);
  waiting = 0;
  watch.look(); // all was sent, and the next look is far away
  await pass(10_000);
  assertEquals([watch.backlog.waiting, watch.backlog.oldestInMs, clock.pending], [0, 0, 0]);
  waiting = 3;
  watch.look();
  await turn();
  watch.look();
  watch.stop();
  watch.look();
  assertEquals(clock.pending, 0);
});

test("a rate is of the time between two looks, and none of a moment", async () => {
  const clock = new VirtualClock();
  const stats = () => Promise.resolve({ waiting: 0, parked: 0, oldest: undefined });
  const watch = new BacklogWatch({
    bus: "app",
    of: "outbox",
    clock,
    telemetry: undefined,
    due: { stats, parked: () => Promise.resolve([]) },
  });
  const sendAndLook = async (count: number, afterMs: number) => {
    for (let at = 0; at < count; at++) watch.sent();
    await clock.advanceTo(clock.now() + afterMs, turn);
    watch.forget();
    watch.look();
    await turn();
    return watch.backlog.sentPerSecond;
  };
  assertEquals(await sendAndLook(500, 10_000), 50);
  assertEquals(await sendAndLook(100, 500), 50, "Half a second says nothing");
  assertEquals(await sendAndLook(100, 500), 200);
  assertEquals(watch.backlog.sent, 700);
});

test("a backlog is counted as often as ever, and its rate told, though the clock is set back or on", async () => {
  for (const by of [-7_200_000, 7_200_000]) {
    const clock = new SettableClock();
    let asked = 0;
    const watch = watchOf(clock, () => (asked++, Promise.resolve({ waiting: 0, parked: 0, oldest: undefined })));
    const look = async (afterMs: number): Promise<number> => {
      for (let sent = 0; sent < 50; sent++) watch.sent();
      clock.advance(afterMs);
      watch.look();
      await turn();
      return asked;
    };
    assertEquals(await look(0), 1);
    clock.set(by);
    assertEquals([await look(9_999), await look(1), watch.backlog.sentPerSecond], [1, 2, 15]);
  }
});
