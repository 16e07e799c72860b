/** What is stored of instances: other versions, and what cannot be read. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { event, saga, SagaVersionAheadError, type Schema, type, UnreadableSagaError } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import type { SagaRow } from "../../../src/spi/rows.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { sqliteTrial } from "../../support/sqlite_trial.ts";
import { all, type Trial, trial } from "../../support/trial.ts";

const Begun = event<{ id: string; name: string }>("people.begun");
const Met = event<{ id: string }>("people.met");

const First = saga("person", {
  data: type<{ name: string }>(),
  states: ["here"],
  events: (on) => ({ begun: on.start(Begun, (m) => m.id, (m) => ({ name: m.name })), met: on(Met, (m) => m.id) }),
}, ({ initially, during, when }) => [
  initially(when("begun").transitionTo("here")),
  during("here", when("met").then(() => {})),
]);
const Third = saga("person", {
  data: type<{ first: string; last: string; met: number }>(),
  version: 3,
  upgrades: {
    1: ({ name }: { name: string }) => ({ first: name.split(" ")[0], last: name.split(" ")[1] }),
    2: (old: { first: string; last: string }) => ({ ...old, met: 0 }),
  },
  states: ["here"],
  events: (on) => ({ met: on(Met, (m) => m.id) }),
}, ({ during, when }) => [
  during(
    "here",
    when("met").then((ctx) => {
      ctx.saga.met++;
    }),
  ),
]);

/** Runs the first version of the saga, and gives what it has stored. */
async function written(t: Trial): Promise<ReturnType<typeof memoryDatabase>> {
  const database = memoryDatabase();
  const bus = t.bus({ store: memoryStore({ database }) });
  bus.add(First);
  await bus.start();
  await bus.publish(Begun, { id: "1", name: "Ada Lovelace" });
  await t.settled();
  await bus.stop();
  return database;
}

trial("an instance of an older version is brought up by all upgrades when it is next handled", async (t) => {
  const database = await written(t);
  const bus = t.bus({ store: memoryStore({ database }) });
  bus.add(Third);
  await bus.start();
  const people = bus.sagas(Third);
  assertEquals((await people.get("1"))?.data, { first: "Ada", last: "Lovelace", met: 0 });
  await bus.publish(Met, { id: "1" });
  await bus.publish(Met, { id: "1" });
  await t.settled();
  const now = await people.get("1");
  assertEquals([now?.data, now?.version], [{ first: "Ada", last: "Lovelace", met: 2 }, 3]);
});

trial("an instance of a later version is refused, its message kept, and its row untouched", async (t) => {
  const database = await written(t);
  const later = t.bus({ store: memoryStore({ database }) });
  later.add(Third);
  await later.start();
  await later.publish(Met, { id: "1" });
  await t.settled();
  await later.stop();
  const earlier = t.bus({ store: memoryStore({ database }) });
  earlier.add(First);
  await earlier.start();
  await assertRejects(() => earlier.sagas(First).get("1"), SagaVersionAheadError);
  await earlier.publish(Met, { id: "1" });
  await t.settled();
  const [parked] = await all(earlier.errors("person").list());
  assertEquals([parked?.contract?.name, parked?.exceptions[0]?.type], ["people.met", "SagaVersionAheadError"]);
  await earlier.stop();
  const again = t.bus({ store: memoryStore({ database }) });
  again.add(Third);
  await again.start();
  assertEquals((await again.sagas(Third).get("1"))?.data.met, 1);
  assertEquals(await again.errors("person").requeue("all"), 1);
  await t.settled();
  assertEquals((await again.sagas(Third).get("1"))?.data.met, 2, "nothing is lost");
});

sqliteTrial("a row in a file says of which version its data is", async (t, file) => {
  const begun = file.bus();
  begun.add(First);
  await begun.start();
  await begun.publish(Begun, { id: "1", name: "Ada Lovelace" });
  await t.settled();
  await begun.stop();
  const later = file.bus();
  later.add(Third);
  await later.start();
  for (let times = 1; times <= 2; times++) {
    await later.publish(Met, { id: "1" });
    await t.settled();
    assertEquals((await later.sagas(Third).get("1"))?.data, { first: "Ada", last: "Lovelace", met: times });
  }
  await later.stop();
  const earlier = file.bus();
  earlier.add(First);
  await earlier.start();
  await assertRejects(() => earlier.sagas(First).get("1"), SagaVersionAheadError);
});

trial("an instance whose data the schema does not take any more is refused, and its message kept", async (t) => {
  const database = await written(t);
  const data: Schema<unknown, { name: string }> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const { name } = value as { name: string };
        return name.includes(" ") ? { issues: [{ message: "has a blank", path: ["name"] }] } : { value: { name } };
      },
    },
  };
  const Stricter = saga("person", {
    data,
    states: ["here"],
    events: (on) => ({ met: on(Met, (m) => m.id) }),
  }, ({ during, when }) => [during("here", when("met").then(() => {}))]);
  const bus = t.bus({ store: memoryStore({ database }) });
  bus.add(Stricter);
  await bus.start();
  await assertRejects(() => bus.sagas(Stricter).get("1"), UnreadableSagaError, "its data is wrong: name: has a blank");
  await bus.publish(Met, { id: "1" });
  await t.settled();
  const [parked] = await all(bus.errors("person").list());
  assertEquals([parked?.contract?.name, parked?.exceptions[0]?.type], ["people.met", "UnreadableSagaError"]);
});

trial(
  "what an older process refuses of a newer version's instances comes again, for a newer one to take",
  async (t) => {
    const database = await written(t);
    const [older, newer] = [First, Third].map((saga) => {
      const bus = t.bus({ store: memoryStore({ database }) });
      bus.add(saga, { redeliver: ["10s", "1m"] });
      return bus;
    }) as [Bus, Bus];
    await newer.start();
    await newer.publish(Met, { id: "1" });
    await t.settled();
    await older.start();
    await newer.pause("person");
    await older.publish(Met, { id: "1" });
    await t.settled();
    const person = newer.sagas(Third);
    assertEquals([(await person.get("1"))?.data.met, (await newer.counts("person")).failed], [1, 0]);
    await newer.resume("person");
    await older.pause("person");
    await t.pass(10_000);
    assertEquals([(await person.get("1"))?.data.met, (await newer.counts("person")).failed], [2, 0]);
  },
);

for (
  const [what, change, says] of [
    ["is in a state that the saga does not have", (row: SagaRow) => ({ ...row, state: "gone" }), `state "gone"`],
    ["is damaged", (row: SagaRow) => ({ ...row, data: row.data.slice(0, 5) }), "damaged"],
    ["is nothing that a saga writes", (row: SagaRow) => ({ ...row, data: bytes("[]") }), "not what a saga writes"],
    ["has data that is no object", (row: SagaRow) => ({ ...row, data: bytes(`{"data":1}`) }), "not what a saga writes"],
    ["is of a version that nothing upgrades", (row: SagaRow) => ({ ...row, schema: 0 }), "version 0"],
  ] as const
) {
  trial(`an instance that ${what} is refused; its message is kept, and its row as it was`, async (t) => {
    const database = await written(t);
    const store = memoryStore({ database });
    const bus = t.bus({ store });
    bus.add(First);
    await bus.start();
    const scope = { bus: "app", partition: "1", inbox: [], signal: new AbortController().signal };
    const load = async (): Promise<SagaRow> => {
      const unit = await store.begin(scope);
      const row = await unit.load("person", "1", false);
      await unit.rollback();
      assert(row !== undefined);
      const { saga, id, incarnation, version, schema, state, data, types, index } = row;
      return { saga, id, incarnation, version, schema, state, data, types, index };
    };
    const before = await load();
    const broken: SagaRow = { ...change(before), version: 2 };
    await (await store.begin(scope)).commit({ sagas: [{ before, after: broken }], outbox: [], schedules: [] });
    await assertRejects(() => bus.sagas(First).get("1"), UnreadableSagaError, says);
    await bus.publish(Met, { id: "1" });
    await t.settled();
    const [parked] = await all(bus.errors("person").list());
    assertEquals([parked?.contract?.name, parked?.exceptions[0]?.type], ["people.met", "UnreadableSagaError"]);
    assertEquals(await load(), broken);
  });
}

trial("data comes back as it was: dates, bytes, maps, and names that are special", async (t) => {
  const Kept = saga("kept", {
    data: type<{ value: unknown }>(),
    states: ["here"],
    events: (on) => ({ met: on.start(Met, (m) => m.id, () => ({ value: special() })) }),
  }, ({ initially, when }) => [initially(when("met").transitionTo("here"))]);
  const bus = t.bus();
  bus.add(Kept);
  await bus.start();
  await bus.publish(Met, { id: "constructor" });
  await bus.publish(Met, { id: "a\u0000b/é" });
  await t.settled();
  assertEquals((await bus.sagas(Kept).get("constructor"))?.data.value, special());
  assertEquals((await bus.sagas(Kept).get("a\u0000b/é"))?.data.value, special());
});

trial("what a rule keeps of its data, and changes later, changes nothing that is stored", async (t) => {
  const kept: { name: string; tags: string[] }[] = [];
  const Held = saga("held", {
    data: type<{ name: string; tags: string[] }>(),
    states: ["here"],
    events: (on) => ({
      begun: on.start(Begun, (m) => m.id, (m) => ({ name: m.name, tags: ["new"] })),
      met: on(Met, (m) => m.id),
    }),
  }, ({ initially, during, when }) => [
    initially(when("begun").then((ctx) => void kept.push(ctx.saga)).transitionTo("here")),
    during("here", when("met").then((ctx) => void kept.push(ctx.saga))),
  ]);
  const bus = t.bus();
  bus.add(Held);
  await bus.start();
  await bus.publish(Begun, { id: "1", name: "Ada" });
  await t.settled();
  for (let round = 0; round < 2; round++) {
    for (const each of kept) {
      each.name = "changed";
      each.tags.push("changed");
    }
    assertEquals((await bus.sagas(Held).get("1"))?.data, { name: "Ada", tags: ["new"] });
    await bus.publish(Met, { id: "1" });
    await t.settled();
  }
  assertEquals(kept.length, 3);
});

trial("data that a serializer cannot carry fails its message by the same error on any store", async (t) => {
  const Broken = saga("broken", {
    data: type<{ value: unknown }>(),
    states: ["here"],
    events: (on) => ({ met: on.start(Met, (m) => m.id, () => ({ value: () => {} })) }),
  }, ({ initially, when }) => [initially(when("met").transitionTo("here"))]);
  const bus = t.bus();
  bus.add(Broken);
  await bus.start();
  await bus.publish(Met, { id: "1" });
  await t.settled();
  const [parked] = await all(bus.errors("broken").list());
  assertEquals(parked?.exceptions[0]?.type, "UnserializableError");
  assertEquals(await bus.sagas(Broken).get("1"), undefined);
});

function special(): unknown {
  return { at: new Date(5), bytes: new Uint8Array([0, 255]), map: new Map([["a", 1n]]), ["__proto__x"]: "a\u0000b" };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
