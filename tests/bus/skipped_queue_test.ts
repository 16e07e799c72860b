import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { command, createBus, event, UnknownEndpointError, UnsupportedError } from "../../mod.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { all, Journal, textOf, trial } from "../support/trial.ts";

const Known = command<{ id: string }>("skipped.known");
const Unknown = command<{ id: string }>("skipped.unknown");
const Happened = event<{ id: string }>("skipped.happened");

trial("what no handler is for is moved to the skipped queue as it came, and counted", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const handled: string[] = [];
  bus.observe(journal);
  bus.endpoint("work").handle(Known, ({ id }) => void handled.push(id));
  await bus.start();
  await bus.send(Unknown, { id: "1" }, { to: "queue:work", headers: { tenant: "north" }, messageId: "m-1" });
  await bus.send(Known, { id: "2" });
  await t.settled();
  assertEquals(handled, ["2"]);
  const [skipped, ...others] = await t.peek("work_skipped");
  assertEquals(others.length, 0);
  assertEquals(textOf(skipped ?? fail()), `{"id":"1"}`);
  assertEquals(skipped?.frame.headers["hero-id"], "m-1");
  assertEquals(skipped?.frame.headers["tenant"], "north");
  assertEquals(skipped?.frame.headers["hero-reason"], "no-consumer");
  assertEquals(skipped?.frame.headers["hero-failed-endpoint"], "work");
  const { skipped: count, consumed, faulted, received } = bus.statistics("work");
  assertEquals({ count, consumed, faulted, received }, { count: 1, consumed: 1, faulted: 0, received: 2 });
  assertEquals(journal.of("unhandled"), ["unhandled skipped.unknown skipped"]);
  assertEquals(await t.count("work_error"), 0);
});

trial("a skipped message frees its slot and tells nobody of a fault", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  bus.observe(journal);
  let handled = 0;
  bus.endpoint("work", { concurrency: 1, prefetch: 1 }).handle(Known, () => void handled++);
  await bus.start();
  for (let count = 0; count < 20; count++) await bus.send(Unknown, { id: "x" }, { to: "queue:work" });
  await bus.send(Known, { id: "1" });
  await t.settled();
  assertEquals(handled, 1);
  assertEquals(await t.count("work_skipped"), 20);
  assertEquals(journal.of("fault"), []);
});

trial("an event sent to the queue of an endpoint that handles others is skipped; its subscriber gets it", async (t) => {
  const bus = t.bus();
  const handled: string[] = [];
  bus.endpoint("work").handle(Known, () => {});
  bus.endpoint("events").handle(Happened, ({ id }) => void handled.push(id));
  await bus.start();
  await t.put("queue:work", { body: `{"id":"1"}`, headers: { "hero-type": "skipped.happened", "hero-id": "1" } });
  await bus.publish(Happened, { id: "2" });
  await t.settled();
  assertEquals(handled, ["2"]);
  assertEquals(await t.count("work_skipped"), 1);
});

trial("what was skipped is counted, listed and put back by the next release, which has a handler for it", async (t) => {
  const old = t.bus();
  old.endpoint("work").handle(Known, () => {});
  await old.start();
  const skippedAt = t.clock.now();
  for (const id of ["1", "2", "3"]) {
    await old.send(Unknown, { id }, { to: "queue:work", messageId: `m-${id}`, headers: { tenant: "north" } });
  }
  await t.settled();
  const { skipped, failed } = await old.counts("work");
  assertEquals({ skipped, failed }, { skipped: 3, failed: 0 });
  const [first, ...others] = await all(old.skipped("work").list());
  assertEquals(others.map(({ messageId }) => messageId), ["m-2", "m-3"]);
  assertEquals({ ...first, headers: { ...first?.headers }, body: new TextDecoder().decode(first?.body) }, {
    messageId: "m-1",
    contract: { name: "skipped.unknown", version: 1 },
    requestId: undefined,
    reason: "no-consumer",
    failedAt: new Date(skippedAt),
    attempts: 0,
    exceptions: [],
    headers: { tenant: "north" },
    contentType: "application/json",
    body: `{"id":"1"}`,
  });
  assertEquals((await all(old.skipped("work").list({ after: "m-1", limit: 1 }))).map(({ messageId }) => messageId), [
    "m-2",
  ]);
  assertEquals(await old.skipped("work").discard(["m-2"]), 1);
  await old.stop();

  const next = t.bus();
  const handled: string[] = [];
  next.endpoint("work").handle(Known, () => {}).handle(
    Unknown,
    ({ id }, ctx) => void handled.push(`${id} ${ctx.messageId} ${ctx.attempt} ${ctx.headers["tenant"]}`),
  );
  await next.start();
  assertEquals(await next.skipped("work").requeue(({ messageId }) => messageId !== "m-3"), 1);
  await t.settled();
  assertEquals(handled, ["1 m-1 1 north"]);
  assertEquals(await next.skipped("work").requeue("all"), 1);
  await t.settled();
  assertEquals(handled, ["1 m-1 1 north", "3 m-3 1 north"]);
  assertEquals((await next.counts("work")).skipped, 0);
});

trial("what is put back before there is a handler is skipped again, and the requeue ends", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Known, () => {});
  await bus.start();
  await bus.send(Unknown, { id: "1" }, { to: "queue:work" });
  await t.settled();
  assertEquals(await bus.skipped("work").requeue("all"), 1);
  await t.settled();
  assertEquals((await bus.counts("work")).skipped, 1);
});

trial("an endpoint that keeps nothing counts no skipped ones; one that is not there is named", async (t) => {
  const bus = t.bus();
  bus.endpoint("work", { keepFailed: false }).handle(Known, () => {});
  await bus.start();
  await bus.send(Unknown, { id: "1" }, { to: "queue:work" });
  await t.settled();
  assertEquals([(await bus.counts("work")).skipped, bus.statistics("work").skipped], [0, 1]);
  assertThrows(() => bus.skipped("wrok"), UnknownEndpointError, `"wrok"`);
});

trial("where a transport lets nobody look, the error says which call it was", async () => {
  const bus = createBus({ name: "app", transport: new ScriptedTransport() });
  bus.endpoint("work").handle(Known, () => {});
  await assertRejects(() => bus.skipped("work").requeue("all"), UnsupportedError, `bus.skipped("work")`);
  await assertRejects(() => bus.errors("work").discard("all"), UnsupportedError, `bus.errors("work")`);
});

function fail(): never {
  throw new Error("Nothing was skipped");
}
