/** A broker that confirms late: what is under way is not sent beside itself. */
import { assertEquals } from "@std/assert";
import { command, DisconnectedError, event } from "../../mod.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { type Trial, trial } from "../support/trial.ts";

const Work = command<object>("slow.work");
const Step = event<{ of: string }>("slow.step", { key: ({ of }) => of });

/** A bus whose broker says nothing of what it is given. */
async function silent(t: Trial) {
  const transport = memory({ broker: t.broker });
  const unsettled: Outgoing[] = [];
  transport.send = (batch) => void unsettled.push(...batch);
  const database = memoryDatabase();
  const bus = t.bus({ transport, store: memoryStore({ database }) });
  await bus.start();
  await t.settled();
  const ids = (): readonly string[] => unsettled.map(({ messageId }) => messageId);
  const beside = memoryStore({ database });
  await beside.open({ bus: "beside", clock: t.clock, signal: new AbortController().signal, status: () => {} });
  const waiting = async (): Promise<number> => (await beside.outbox.stats(bus.name)).waiting;
  return { bus, unsettled, ids, waiting };
}

trial("what the broker has not confirmed when its lease ends is not sent beside itself", async (t) => {
  const { bus, unsettled, ids, waiting } = await silent(t);
  await bus.transaction(async (_, sender) => {
    await sender.send(Work, {}, { messageId: "free" });
    for (const id of ["first", "second"]) await sender.publish(Step, { of: "k" }, { messageId: id });
  });
  await t.pass(200_000); // six leases
  assertEquals(ids(), ["free", "first"]);
  for (const outgoing of unsettled) outgoing.settled();
  await t.pass(10_000);
  assertEquals(ids(), ["free", "first", "second"]);
  unsettled[2]?.settled();
  await t.pass(100_000);
  assertEquals([ids().length, await waiting()], [3, 0]);
});

trial("what the broker has not confirmed and then refuses is tried again, once at a time", async (t) => {
  const { bus, unsettled, ids, waiting } = await silent(t);
  await bus.transaction((_, sender) => sender.send(Work, {}, { messageId: "a" }));
  await t.pass(100_000);
  unsettled[0]?.settled(new DisconnectedError("memory", "send"));
  await t.pass(100_000);
  assertEquals(ids(), ["a", "a"]);
  unsettled[1]?.settled();
  await t.pass(100_000);
  assertEquals([ids().length, await waiting()], [2, 0]);
});

trial("schedules of one message id are each their own", async (t) => {
  const { bus, unsettled, ids } = await silent(t);
  for (const in_ of [1_000, 2_000]) await bus.schedule(Work, {}, { in: in_ }, { messageId: "same" });
  await t.pass(100_000);
  assertEquals(ids(), ["same", "same"]);
  for (const outgoing of unsettled) outgoing.settled();
  await t.pass(100_000);
  assertEquals(ids().length, 2);
});

trial("what the broker has not confirmed for hours holds up no other, be it of a key or not", async (t) => {
  const { bus, unsettled, ids } = await silent(t);
  const soon = { in: 1_000 };
  for (let at = 0; at < 20; at++) {
    await bus.schedule(Work, {}, soon, { messageId: `free ${at}` });
    await bus.schedule(Step, { of: "k" }, soon, { messageId: `of k ${at}` });
  }
  await bus.schedule(Work, {}, { in: 7_200_000 }, { messageId: "late" });
  await t.pass(7_300_000);
  assertEquals(ids().slice(20), ["of k 0", "late"]);
  for (let at = 0; at < 41; at++) {
    unsettled[at]?.settled();
    await t.pass(0);
  }
  assertEquals(ids().slice(22), Array.from({ length: 19 }, (_, at) => `of k ${at + 1}`));
  await t.pass(100_000);
  assertEquals(ids().length, 41);
});
