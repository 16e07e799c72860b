import { assertEquals } from "@std/assert";
import { command, event } from "../../mod.ts";
import { all, Journal, Latch, textOf, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("expiry.work", { ttl: "10s" });
const Follow = event<{ id: string }>("expiry.follow");

trial("what has expired when its turn comes is not handled, but counted, and told of", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const latch = new Latch();
  const handled: string[] = [];
  bus.observe(journal);
  bus.endpoint("work", { concurrency: 1 }).handle(Work, async ({ id }) => {
    handled.push(id);
    await latch.pass();
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await bus.send(Work, { id: "2" });
  await bus.send(Work, { id: "3" }, { ttl: "1m" });
  await t.pass(10_000);
  latch.open();
  await t.settled();
  assertEquals(handled, ["1", "3"]);
  const { expired, consumed, discarded, faulted } = bus.statistics("work");
  assertEquals({ expired, consumed, discarded, faulted }, { expired: 1, consumed: 2, discarded: 0, faulted: 0 });
  assertEquals(journal.of("unhandled"), ["unhandled expiry.work expired"]);
  assertEquals([await t.count("work_error"), await t.count("work")], [0, 0]);
});

trial("a moment before it expires a message is handled", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const handled: unknown[] = [];
  bus.endpoint("work", { concurrency: 1 }).handle(Work, async ({ id }, ctx) => {
    handled.push([id, ctx.expiresAt?.getTime()]);
    await latch.pass();
  });
  await bus.start();
  const start = t.clock.now();
  await bus.send(Work, { id: "1" });
  await bus.send(Work, { id: "2" });
  await t.pass(9_999);
  latch.open();
  await t.settled();
  assertEquals(handled, [["1", start + 10_000], ["2", start + 10_000]]);
});

trial(`with expired: "error" it goes to the error queue, whence it can be looked at`, async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  bus.endpoint("work", { concurrency: 1, expired: "error" }).handle(Work, () => latch.pass());
  await bus.start();
  await bus.send(Work, { id: "1" });
  await bus.send(Work, { id: "2" }, { messageId: "m-2" });
  await t.pass(10_000);
  latch.open();
  await t.settled();
  assertEquals(bus.statistics("work").expired, 1);
  const [failed, ...others] = await all(bus.errors("work").list());
  assertEquals(others.length, 0);
  assertEquals([failed?.messageId, failed?.reason, failed?.attempts], ["m-2", "expired", 0]);
  assertEquals(failed?.failedAt.getTime(), t.clock.now());
  assertEquals(failed?.exceptions, []);
  const [parked] = await t.peek("work_error");
  assertEquals(parked === undefined ? "" : textOf(parked), `{"id":"2"}`);
  await t.pass(3_600_000);
  assertEquals(await t.count("work_error"), 1);
});

trial("a time to live counts from when a delayed message is due", async (t) => {
  const bus = t.bus();
  const handled: string[] = [];
  bus.endpoint("work").handle(Work, ({ id }) => void handled.push(id));
  await bus.start();
  await bus.send(Work, { id: "1" }, { delay: "1h" });
  await t.pass(3_600_000);
  assertEquals(handled, ["1"]);
});

trial("a time to live is not handed on to what a handler sends", async (t) => {
  const bus = t.bus();
  const expiries: unknown[] = [];
  bus.endpoint("work").handle(Work, ({ id }, ctx) => ctx.publish(Follow, { id }));
  bus.endpoint("follow").handle(Follow, (_, ctx) => void expiries.push(ctx.expiresAt));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(expiries, [undefined]);
});

trial("a message in a foreign sender's own words expires by its envelope", async (t) => {
  const bus = t.bus();
  let handled = 0;
  bus.endpoint("work").handle(Work, () => void handled++);
  await bus.start();
  for (const expires of [t.clock.now() - 1, t.clock.now() + 1]) {
    await t.put("queue:work", {
      body: `{"id":"1"}`,
      headers: { "hero-id": "1", "hero-type": "expiry.work", "hero-meta": JSON.stringify({ expires }) },
    });
  }
  await t.settled();
  assertEquals(handled, 1);
  assertEquals(bus.statistics("work").expired, 1);
});
