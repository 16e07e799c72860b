import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type BusObserver,
  command,
  DisconnectedError,
  event,
  InvalidDurationError,
  MissedScheduleError,
  type ObservedSend,
  UnsupportedError,
} from "../../mod.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { type Trial, trial } from "../support/trial.ts";

const Remind = command<{ id: string }>("late.remind");
const Happened = event<{ id: string }>("late.happened", { key: () => "one" });
const Work = command<{ id: string }>("late.work");

const minute = 60_000;

/** Lives of a bus on one database: what came, and what its observers were told of as not sent. */
function lives(t: Trial) {
  const database = memoryDatabase();
  const start = t.clock.now();
  const got: (readonly [id: string, atInMinutes: number])[] = [];
  const dropped: ObservedSend[] = [];
  const note = (send: ObservedSend) => void (send.error instanceof MissedScheduleError && dropped.push(send));
  const observer: BusObserver = { sent: note, published: note };
  const broker = { away: false };
  const begin = async () => {
    const transport = memory({ broker: t.broker });
    const send = transport.send.bind(transport);
    transport.send = (batch) => {
      if (!broker.away) return send(batch);
      for (const outgoing of batch) outgoing.settled(new DisconnectedError("memory", "send"));
    };
    const store = memoryStore({ database });
    const bus = t.bus({ store, transport });
    bus.observe(observer);
    const noting = ({ id }: { id: string }) => void got.push([id, (t.clock.now() - start) / minute]);
    bus.endpoint("reminders").handle(Remind, noting).handle(Happened, noting);
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      await ctx.schedule(Remind, { id }, { in: "10m" }, { late: "5m" });
    });
    await bus.start();
    return { bus, store };
  };
  return { begin, got, dropped, broker };
}

trial(
  "what is due while nobody is there is sent once on return, or dropped where it says how late is too late",
  async (t) => {
    const { begin, got, dropped } = lives(t);
    const { bus } = await begin();
    await bus.schedule(Remind, { id: "however late" }, { in: "10m" });
    await bus.schedule(Remind, { id: "too late" }, { in: "10m" }, { late: "9m", messageId: "m1" });
    await bus.schedule(Remind, { id: "in time" }, { in: "10m" }, { late: "10m" });
    await bus.schedule(Happened, { id: "event, too late" }, { in: "11m" }, { late: "1m" });
    await bus.schedule(Happened, { id: "event, after it" }, { in: "12m" });
    await bus.send(Work, { id: "of a unit" });
    await t.settled();
    await bus.stop();
    await t.pass(20 * minute);
    const { bus: next, store } = await begin();
    await t.settled();
    assertEquals(got, [["however late", 20], ["in time", 20], ["event, after it", 20]]);
    assertEquals(dropped.map(({ kind, to, message, name }) => [kind, to, message, name]), [
      ["send", "topic:late.remind", undefined, "late.remind"],
      ["send", "topic:late.remind", undefined, "late.remind"],
      ["publish", "topic:late.happened", undefined, "late.happened"],
    ]);
    const [{ error } = { error: undefined }] = dropped;
    assertInstanceOf(error, MissedScheduleError);
    assertEquals([error.code, error.details], ["HERO_MISSED_SCHEDULE", {
      contract: "late.remind",
      messageId: "m1",
      lateInMs: minute,
    }]);
    await t.pass(20 * minute);
    assertEquals([got.length, (await store.schedules.stats("app")).waiting], [3, 0]);
    const part = next.health().parts.find(({ name }) => name === "schedules");
    assertEquals([part?.status, part?.backlog?.sent, part?.backlog?.dropped], ["healthy", 3, 3]);
  },
);

trial("a broker that is away makes a schedule as late as a process that is", async (t) => {
  const { begin, got, dropped, broker } = lives(t);
  const { bus } = await begin();
  await bus.schedule(Remind, { id: "too late" }, { in: "1m" }, { late: "10m" });
  await bus.schedule(Remind, { id: "however late" }, { in: "1m" });
  await t.settled();
  broker.away = true;
  await t.pass(20 * minute);
  assertEquals([got, dropped.length], [[], 1]);
  broker.away = false;
  await t.pass(20 * minute);
  assertEquals(got.map(([id]) => id), ["however late"]);
});

trial("a schedule that is in time is sent, whatever it allows", async (t) => {
  const { begin, got, dropped } = lives(t);
  const { bus } = await begin();
  await bus.schedule(Remind, { id: "now" }, { in: "1m" }, { late: 0 });
  await bus.schedule(Remind, { id: "past" }, { at: new Date(0) }, { late: "1s" });
  await t.pass(minute);
  assertEquals([got, dropped], [[["past", 0], ["now", 1]], []]);
  await assertRejects(() => bus.schedule(Remind, { id: "1" }, { in: 1 }, { late: -1 }), InvalidDurationError);
});

trial("a clock that is set on makes late, and one that is set back makes early nothing", async (t) => {
  const { begin, got, dropped } = lives(t);
  const { bus } = await begin();
  await bus.schedule(Remind, { id: "too late" }, { in: "10m" }, { late: "1h" });
  await bus.schedule(Remind, { id: "later" }, { in: "5h" }, { late: "1h" });
  t.clock.jump(2 * 60 * minute);
  await t.pass(0);
  assertEquals([got, dropped.length], [[], 1]);
  t.clock.jump(-2 * 60 * minute);
  await t.pass(5 * 60 * minute - 1);
  assertEquals(got, []);
  await t.pass(1);
  assertEquals(got, [["later", 5 * 60]]);
});

trial("a broker that keeps schedules by itself sends them however late: to say otherwise is refused", async (t) => {
  const bus = t.bus();
  await bus.start();
  await assertRejects(() => bus.schedule(Remind, { id: "1" }, { in: 1 }, { late: "1h" }), UnsupportedError, "ttl");
});
