import { assertEquals } from "@std/assert";
import { command, fault } from "../../mod.ts";
import { all, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("limit.work");

trial("what has come ten times without an outcome is not handled again, but given up as it is", async (t) => {
  const handled: string[] = [];
  for (let round = 1; round <= 10; round++) {
    const bus = t.bus({ name: `round-${round}` });
    bus.endpoint("work").handle(Work, ({ id }) => {
      handled.push(`${id} ${round}`);
      return new Promise<void>(() => {});
    });
    await bus.start();
    if (round === 1) {
      await bus.send(Work, { id: "bad" }, { messageId: "m-1" });
      await t.settled();
    }
    await t.settled();
    assertEquals(handled.length, round);
    t.broker.kill(t.transportOf(bus));
  }
  const bus = t.bus({ name: "last" });
  const faults: unknown[] = [];
  let good = 0;
  bus.endpoint("work").handle(Work, ({ id }) => {
    if (id === "bad") handled.push("eleventh");
    else good++;
  });
  bus.endpoint("faults").handle(
    fault(Work),
    ({ exceptions, faultedMessageId }) => void faults.push([exceptions[0]?.type, faultedMessageId]),
  );
  await bus.start();
  await bus.send(Work, { id: "good" });
  await t.settled();
  assertEquals(handled.length, 10);
  assertEquals(good, 1);
  const [failed] = await all(bus.errors("work").list());
  assertEquals([failed?.messageId, failed?.reason, failed?.attempts], ["m-1", "limit", 0]);
  assertEquals(failed?.exceptions.map(({ type }) => type), ["DeliveryLimitError"]);
  assertEquals(new TextDecoder().decode(failed?.body), `{"id":"bad"}`);
  assertEquals(faults, [["DeliveryLimitError", "m-1"]]);
});

trial("retries, redeliveries and putting back do not count: those are outcomes", async (t) => {
  const bus = t.bus();
  const attempts: number[] = [];
  bus.endpoint("work", { redeliver: Array.from({ length: 15 }, () => 0) }).handle(Work, (_, { attempt }) => {
    attempts.push(attempt);
    throw new Error("down");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(attempts, Array.from({ length: 16 }, (_, index) => index + 1));
  for (let round = 0; round < 3; round++) {
    attempts.length = 0;
    await bus.errors("work").requeue("all");
    await t.settled();
    assertEquals(attempts.length, 16);
  }
});

trial("a connection that breaks again and again does not count against what waits at the broker", async (t) => {
  const bus = t.bus();
  const handled: string[] = [];
  const ends: (() => void)[] = [];
  bus.endpoint("work", { concurrency: 1, prefetch: 1 }).handle(Work, ({ id }) => {
    handled.push(id);
    return id === "last" ? undefined : new Promise<void>((resolve) => ends.push(resolve));
  });
  await bus.start();
  await bus.send(Work, { id: "first" });
  await bus.send(Work, { id: "last" });
  for (let round = 0; round < 12; round++) {
    await t.settled();
    t.broker.disconnect(t.transportOf(bus));
    for (const end of ends.splice(0)) end();
  }
  await t.settled();
  assertEquals(handled.filter((id) => id === "first").length, 10);
  assertEquals(handled.filter((id) => id === "last").length, 1);
  assertEquals((await bus.counts("work")).failed, 1);
});

trial("what was taken and never handed to a handler is not counted, however often a process restarts", async (t) => {
  for (let round = 1; round <= 20; round++) {
    const bus = t.bus({ name: `round-${round}` });
    // One holds the only slot, until it is given up and the next one does; the others wait behind it in this process.
    bus.endpoint("work", { concurrency: 1, prefetch: 10 }).handle(Work, () => new Promise<void>(() => {}));
    await bus.start();
    if (round === 1) { for (const id of ["hold", "hold", "hold", "a", "b", "c"]) await bus.send(Work, { id }); }
    await t.settled();
    await bus.stop({ deadline: 0 });
  }
  const bus = t.bus({ name: "last" });
  const handled: string[] = [];
  bus.endpoint("work").handle(Work, ({ id }) => void handled.push(id));
  await bus.start();
  await t.settled();

  assertEquals(handled, ["hold", "a", "b", "c"]);
  assertEquals((await bus.counts("work")).failed, 2);
});
