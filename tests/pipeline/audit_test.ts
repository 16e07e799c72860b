import { assertEquals } from "@std/assert";
import { command, event } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { Journal, textOf, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("audit.work", { key: ({ id }) => id, ttl: "1m" });
const Base = event<{ id: string }>("audit.base");
const Derived = event<{ id: string; more: number }>("audit.derived", { extends: Base });

trial("a copy of what has been handled goes to the audit queue: body, key and headers as they came", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  bus.observe(journal);
  bus.endpoint("work", { audit: "queue:audit" }).handle(Work, () => {});
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m-1", headers: { tenant: "north" } });
  await t.settled();
  // The application has sent one message, and the copy is none of its.
  assertEquals(journal.lines, ["send audit.work", "received audit.work 1", "consumed audit.work 1"]);
  const [copy, ...others] = await t.peek("audit");
  assertEquals(others.length, 0);
  assertEquals(copy === undefined ? "" : textOf(copy), `{"id":"1"}`);
  assertEquals(copy?.key, "1");
  const { headers } = copy?.frame ?? {};
  assertEquals(headers?.["hero-id"], "m-1");
  assertEquals(headers?.["tenant"], "north");
  assertEquals(headers?.["hero-type"], "audit.work");
  assertEquals(headers?.["hero-audited-by"], "work");
});

trial("one copy a message, however many attempts it took, and none of what was not handled", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { audit: "queue:audit", retry: retry.immediate(2), redeliver: ["1m"] })
    .handle(Work, async ({ id }, ctx) => {
      if (id === "bad") throw new Error("down");
      if (id === "late" && ctx.attempt < 4) throw new Error("not yet");
      if (id === "deferred" && ctx.sentAt?.getTime() === t.clock.now()) await ctx.defer("30s");
      if (id === "forwarded") await ctx.forward("queue:elsewhere");
    });
  bus.endpoint("elsewhere", { subscribe: false }).handle(Base, () => {});
  await bus.start();
  for (const id of ["good", "bad", "late", "deferred", "forwarded"]) {
    await bus.send(Work, { id }, { messageId: id, ttl: "1h" });
  }
  await t.put("queue:work", { body: "junk", headers: { "hero-type": "audit.work", "hero-id": "junk" } });
  await t.put("queue:work", { body: "{}", headers: { "hero-type": "audit.unknown", "hero-id": "unknown" } });
  await t.settled();
  assertEquals((await t.peek("audit")).map(({ frame }) => frame.headers["hero-id"]), ["good"]);
  await t.pass(30_000);
  assertEquals((await t.peek("audit")).map(({ frame }) => frame.headers["hero-id"]), ["good", "deferred"]);
  await t.pass(30_000);
  assertEquals((await t.peek("audit")).map(({ frame }) => frame.headers["hero-id"]), ["good", "deferred", "late"]);
});

trial("a copy does not expire with its message", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { audit: "queue:audit" }).handle(Work, () => {});
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(3_600_000);
  assertEquals(await t.count("audit"), 1);
});

trial(
  "a message for several handlers is copied once; a derived one that only its base's subscriber knows, whole",
  async (t) => {
    const sender = t.bus({ name: "sender" });
    const bus = t.bus();
    bus.endpoint("work", { audit: "queue:audit" }).handle(Base, () => {}).handle(Base, () => {});
    await bus.start();
    await sender.start();
    await sender.publish(Derived, { id: "1", more: 5 });
    await t.settled();
    assertEquals((await t.peek("audit")).map(textOf), [`{"id":"1","more":5}`]);
  },
);

trial("a message that cannot be copied is not lost: it is in the error queue with the reason", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { audit: "queue:audit" }).handle(Work, () => {});
  await bus.start();
  const send = t.transportOf(bus).send.bind(t.transportOf(bus));
  t.transportOf(bus).send = (batch) =>
    send(batch.filter((outgoing) => {
      if (outgoing.to !== "queue:audit") return true;
      outgoing.settled(new RangeError("the audit queue is full"));
      return false;
    }));
  await bus.send(Work, { id: "1" });
  await t.settled();
  const [parked] = await t.peek("work_error");
  assertEquals(parked?.frame.headers["hero-error-message"], "the audit queue is full");
  assertEquals(bus.statistics("work").consumed, 0);
});
