import { assertEquals } from "@std/assert";
import { command, event } from "../../mod.ts";
import { Journal, textOf, trial } from "../support/trial.ts";

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

function fail(): never {
  throw new Error("Nothing was skipped");
}
