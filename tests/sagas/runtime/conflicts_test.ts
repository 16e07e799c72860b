/** Others who change an instance while a rule runs. */
import { assertEquals } from "@std/assert";
import { event, saga, type } from "../../../mod.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { ScriptedStore } from "../../support/fakes/scripted_store.ts";
import { Journal, trial } from "../../support/trial.ts";

const Opened = event<{ id: string }>("sums.opened");
const Added = event<{ id: string; by: number }>("sums.added");
const Told = event<{ total: number; attempt: number }>("sums.told");

const Sum = saga("sum", {
  data: type<{ total: number }>(),
  states: ["open"],
  events: (on) => ({ opened: on.start(Opened, (m) => m.id, () => ({ total: 0 })), added: on(Added, (m) => m.id) }),
}, ({ initially, during, when }) => [
  initially(when("opened").transitionTo("open")),
  during(
    "open",
    when("added")
      .then((ctx) => void (ctx.saga.total += ctx.message.by))
      .publish(Told, (ctx) => ({ total: ctx.saga.total, attempt: ctx.attempt })),
  ),
]);

/** Long enough for a change in memory that is not held off; no time passes. */
async function unlessHeldOff(): Promise<void> {
  for (let left = 500; left > 0; left--) await undefined;
}

trial(
  "a rule that others were quicker than begins again on what they have left, and then holds them off",
  async (t) => {
    const database = memoryDatabase();
    const store = new ScriptedStore(database);
    const bus = t.bus({ store, name: "sums" });
    const told: { total: number; attempt: number }[] = [];
    bus.add(Sum);
    bus.endpoint("told").handle(Told, (message) => void told.push(message));
    const journal = new Journal();
    bus.observe(journal);
    const observed: unknown[] = [];
    bus.observe({ instance: ({ kind, data }) => void observed.push([kind, data]) });
    await bus.start();
    await bus.publish(Opened, { id: "1" });
    await t.settled();

    const other = t.bus({ store: memoryStore({ database }), name: "sums" });
    other.add(Sum);
    await other.start();
    await other.pause("sum");
    const sums = other.sagas(Sum);
    const before = store.count("commit");
    const heldOff: Promise<void>[] = [];
    store.script = async (call) => {
      if (call !== "commit") return;
      const { total } = (await sums.get("1"))!.data;
      const set = sums.set("1", { data: { total: total + 100 } }, { reason: "quicker" });
      if (store.count("commit") - before <= 2) await set;
      else {
        heldOff.push(set);
        await unlessHeldOff();
      }
    };
    await bus.publish(Added, { id: "1", by: 1 });
    await t.pass(60_000);
    assertEquals(store.count("commit") - before, 3);
    assertEquals(told, [{ total: 201, attempt: 1 }]);
    // What was not committed has not happened.
    assertEquals(observed, [["event", { total: 0 }], ["event", { total: 201 }]]);
    assertEquals([journal.of("retried"), (await bus.counts("sum")).failed], [[], 0]);
    // Who was held off was so until then, and comes after.
    await Promise.all(heldOff);
    assertEquals([heldOff.length, (await sums.get("1"))?.version], [1, 5]);
  },
);

for (const how of ["id", "index"] as const) {
  trial(`a pessimistic rule keeps others from an instance from its first look on, found by ${how}`, async (t) => {
    const Held = saga("held", {
      data: type<{ total: number; tag: string }>(),
      states: ["open"],
      indexes: ["tag"],
      concurrency: "pessimistic",
      events: (on) => ({
        opened: on.start(Opened, (m) => m.id, (m) => ({ total: 0, tag: m.id })),
        added: how === "id" ? on(Added, (m) => m.id) : on.where(Added, (m) => ({ tag: m.id })),
      }),
    }, ({ initially, during, when }) => [
      initially(when("opened").transitionTo("open")),
      during("open", when("added").then((ctx) => void (ctx.saga.total += ctx.message.by))),
    ]);
    const database = memoryDatabase();
    const store = new ScriptedStore(database);
    const bus = t.bus({ store, name: "sums" });
    bus.add(Held);
    await bus.start();
    await bus.publish(Opened, { id: "1" });
    await t.settled();
    const other = t.bus({ store: memoryStore({ database }), name: "sums" });
    other.add(Held);
    await other.start();
    await other.pause("held");
    const before = store.count("commit");
    const heldOff: Promise<void>[] = [];
    store.script = async (call) => {
      if (call !== "commit") return;
      heldOff.push(other.sagas(Held).set("1", { data: { total: 100, tag: "1" } }, { reason: "later" }));
      await unlessHeldOff();
    };
    await bus.publish(Added, { id: "1", by: 1 });
    await t.pass(60_000);
    await Promise.all(heldOff);
    assertEquals([heldOff.length, store.count("commit") - before], [1, 1]);
    const held = await other.sagas(Held).get("1");
    assertEquals([held?.data.total, held?.version], [100, 3]);
  });
}

trial("an observer that comes while an instance is handled is told of what comes after that", async (t) => {
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const Slow = saga("slow", {
    data: type<Record<never, never>>(),
    states: ["open", "shut"],
    events: (on) => ({ opened: on.start(Opened, (m) => m.id, () => ({})), added: on(Added, (m) => m.id) }),
  }, ({ initially, during, when }) => [
    initially(
      when("opened").transitionTo("open").then(() => {
        entered.resolve();
        return gate.promise;
      }),
    ),
    during("open", when("added").transitionTo("shut")),
  ]);
  const bus = t.bus({ name: "slow" });
  bus.add(Slow);
  await bus.start();
  await bus.publish(Opened, { id: "1" });
  await entered.promise;
  const told: unknown[] = [];
  bus.observe({ instance: ({ name, transitions }) => void told.push([name, transitions]) });
  gate.resolve();
  await t.settled();
  // Not of half of what has happened.
  assertEquals(told, []);
  await bus.publish(Added, { id: "1", by: 1 });
  await t.settled();
  assertEquals(told, [["added", [{ from: "open", to: "shut" }]]]);
});
