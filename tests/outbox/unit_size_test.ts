import { assertEquals, assertRejects } from "@std/assert";
import { command, event, UnitTooLargeError, UnsupportedError } from "../../mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ count: number }>("size.work");
const Done = event<{ at: number; text?: string }>("size.done");

trial(
  "a handler that sends more than the store writes at once fails with an error of its own, and sends none",
  async (t) => {
    const store = new ScriptedStore(undefined, { maxOperations: 10 });
    const bus = t.bus({ store });
    const [done, failures]: [number[], unknown[]] = [[], []];
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ count }, ctx) => {
      await ctx.schedule(Work, { count: 0 }, { in: "1h" });
      for (let at = 0; at < count; at++) await ctx.publish(Done, { at });
    });
    bus.endpoint("done").handle(Done, ({ at }) => void done.push(at));
    bus.observe({ faulted: ({ error }) => void failures.push(error) });
    await bus.start();
    // One for the inbox, one for the schedule.
    await bus.send(Work, { count: 8 });
    await t.settled();
    assertEquals([done.length, failures.length], [8, 0]);
    await bus.send(Work, { count: 9 });
    await t.settled();
    assertEquals(done.length, 8);
    const [error] = failures;
    assertEquals(error instanceof UnitTooLargeError && [error.code, error.details], [
      "HERO_UNIT_TOO_LARGE",
      { store: "scripted", what: "operations", size: 11, limit: 10 },
    ]);
  },
);

trial("bytes count as well, those of schedules too", async (t) => {
  const bus = t.bus({ store: new ScriptedStore(undefined, { maxBytes: 1_000 }) });
  await bus.start();
  const text = "x".repeat(450);
  await bus.transaction(async (_, sender) => {
    await sender.publish(Done, { at: 1, text });
    await sender.schedule(Done, { at: 2, text }, { in: "1h" });
  });
  const tooMuch = bus.transaction(async (_, sender) => {
    await sender.publish(Done, { at: 1, text });
    await sender.publish(Done, { at: 1, text });
    await sender.schedule(Done, { at: 2, text }, { in: "1h" });
  });
  await assertRejects(() => tooMuch, UnitTooLargeError, "bytes");
});

trial("groups and batches that no unit of the store can hold are refused at the start", async (t) => {
  const store = () => new ScriptedStore(undefined, { maxOperations: 10 });
  const grouped = t.bus({ store: store() });
  grouped.endpoint("work", { outbox: { group: 11 } }).handle(Work, () => {});
  await assertRejects(() => grouped.start(), UnsupportedError, "group: 11");
  const batched = t.bus({ store: store() });
  batched.endpoint("work", { outbox: true }).batch(Work, { size: 11 }, () => {});
  await assertRejects(() => batched.start(), UnsupportedError, "more than 10 messages");
  const fits = t.bus({ store: store() });
  fits.endpoint("work", { outbox: { group: 10 } }).handle(Work, () => {});
  fits.endpoint("done", { outbox: true }).batch(Done, { size: 10 }, () => {});
  await fits.start();
});
