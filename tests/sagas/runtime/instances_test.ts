/** What an operator sees of the instances of a saga, and can do. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  ConfigurationError,
  event,
  InvalidSagaDataError,
  NotStartedError,
  saga,
  SagaNotFoundError,
  type Schema,
  type,
} from "../../../mod.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { all, trial } from "../../support/trial.ts";
import { Begun, Ended, JobSaga } from "./jobs.ts";
import { Cancelled, OrderSaga, Paid, Submitted } from "./orders.ts";

trial("instances are got by id, found by index, a page at a time, and counted by state", async (t) => {
  const bus = t.bus();
  bus.add(OrderSaga);
  await assertRejects(async () => void await bus.sagas(OrderSaga).get("1"), NotStartedError);
  await bus.start();
  for (const id of ["a2", "a1", "b1", "a3"]) await bus.publish(Submitted, { id, total: 7 });
  await t.settled();
  await bus.publish(Paid, { id: "a1" });
  await t.settled();
  const orders = bus.sagas(OrderSaga);
  const found = await orders.get("a1");
  assert(found !== undefined && found.incarnation !== "");
  assertEquals(found, {
    id: "a1",
    state: "paid",
    data: { total: 7, customer: "a" },
    incarnation: found.incarnation,
    version: 2,
    timeouts: [],
    requests: [],
    undos: [],
    compensating: false,
  });
  assertEquals((await orders.get("a2"))?.timeouts, ["due"]);
  assertEquals(await orders.get("c"), undefined);
  assertEquals((await orders.find({ customer: "a" })).map(({ id }) => id), ["a1", "a2", "a3"]);
  assertEquals((await orders.find({ customer: "a" }, { after: "a1", limit: 1 })).map(({ id }) => id), ["a2"]);
  assertEquals((await orders.find({})).map(({ id }) => id), ["a1", "a2", "a3", "b1"]);
  await assertRejects(() => orders.find({ total: 7 }), ConfigurationError, "indexes");
  assertEquals([await orders.count(), await orders.count("waiting"), await orders.count("paid")], [4, 3, 1]);
});

trial("a saga that is none of this bus is refused, and so is one of a name that is taken", async (t) => {
  const bus = t.bus();
  bus.add(OrderSaga);
  await bus.start();
  await assertRejects(async () => void await bus.sagas(JobSaga).get("1"), ConfigurationError, "job");
  const twice = t.bus();
  twice.add(OrderSaga);
  twice.endpoint("other").add(OrderSaga);
  await assertRejects(() => twice.start(), ConfigurationError, `"order" on "other"`);
});

trial("an instance that is set to be over is gone, and its timeouts with it; what cannot be is refused", async (t) => {
  const database = memoryDatabase();
  const bus = t.bus({ store: memoryStore({ database }) });
  bus.add(OrderSaga);
  await bus.start();
  await bus.publish(Submitted, { id: "1", total: 7 });
  await t.settled();
  const orders = bus.sagas(OrderSaga);
  const missing = await assertRejects(() => orders.set("2", {}, { reason: "x" }), SagaNotFoundError);
  assertStringIncludes(missing.message, "Nothing was changed");
  assertEquals(missing.message.includes("onMissing"), false);
  await assertRejects(() => orders.set("1", {}, { reason: "" }), ConfigurationError, "reason");
  await assertRejects(() => orders.set("1", { state: "lost" as "paid" }, { reason: "x" }), ConfigurationError, "lost");
  assertEquals((await orders.get("1"))?.version, 1);
  await orders.set("1", { state: "final" }, { reason: "a test" });
  assertEquals([database.counts.sagas, database.counts.schedules], [0, 0]);
  assertEquals((await all(orders.history("1"))).length, 1);
});

trial("what is kept of an instance that is over is forgotten, and of one that is not, it is refused", async (t) => {
  const bus = t.bus();
  bus.add(JobSaga);
  await bus.start();
  const jobs = bus.sagas(JobSaga);
  // Of several that have had the id, and more than one page of what they did.
  for (let round = 0; round < 60; round++) {
    await bus.publish(Begun, { id: "x1", at: new Date(5) });
    await t.settled();
    await bus.publish(Ended, { id: "x1" });
    await t.settled();
    if (round < 59) assertEquals(await jobs.forget("x1"), true);
  }
  await bus.publish(Begun, { id: "x2", at: new Date(5) });
  await t.settled();
  assertEquals([(await jobs.get("x1"))?.state, (await all(jobs.history("x1"))).length], ["final", 2]);
  await assertRejects(() => jobs.forget("x2"), ConfigurationError, 'it is in "running"');
  assertEquals([await jobs.forget("x1"), await jobs.forget("x1"), await jobs.forget("none")], [true, false, false]);
  assertEquals([await jobs.get("x1"), await all(jobs.history("x1"))], [undefined, []]);
  assertEquals([(await jobs.get("x2"))?.state, (await all(jobs.history("x2"))).length], ["running", 1]);
  for (let n = 0; n < 150; n++) await jobs.set("x2", {}, { reason: `${n}` });
  await bus.publish(Ended, { id: "x2" });
  await t.settled();
  assertEquals(await jobs.forget("x2"), true);
  assertEquals([await jobs.count(), await all(jobs.history("x2"))], [0, []]);
});

trial("messages of an instance that were given up are handled again, and no others", async (t) => {
  const bus = t.bus();
  const cancelled: string[] = [];
  bus.add(OrderSaga);
  bus.endpoint("told").handle(Cancelled, ({ id }) => void cancelled.push(id));
  await bus.start();
  await bus.publish(Paid, { id: "1" });
  await bus.publish(Paid, { id: "2" });
  await t.settled();
  await bus.publish(Submitted, { id: "1", total: 7 });
  await bus.publish(Submitted, { id: "2", total: 7 });
  await t.settled();
  const orders = bus.sagas(OrderSaga);
  assertEquals([await orders.redeliver("1"), await orders.redeliver("3")], [1, 0]);
  await t.settled();
  assertEquals([(await orders.get("1"))?.state, (await orders.get("2"))?.state], ["paid", "waiting"]);
  assertEquals((await all(bus.errors("order").list())).length, 1);
});

const positive: Schema<{ n: number }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value === "object" && value !== null && "n" in value && typeof value.n === "number" && value.n > 0
        ? { value: { n: value.n } }
        : { issues: [{ message: "must be positive", path: ["n"] }] },
  },
};
const Made = event<{ id: string; n: number }>("made");
const Lowered = event<{ id: string }>("lowered");

trial("data that the saga's schema refuses is not written, whether rules or a hand have made it", async (t) => {
  const bus = t.bus();
  const Counter = saga("counter", {
    data: positive,
    states: ["counting"],
    events: (on) => ({
      made: on.start(Made, (m) => m.id, (m) => ({ n: m.n })),
      lowered: on(Lowered, (m) => m.id),
    }),
  }, ({ initially, during, when }) => [
    initially(when("made").transitionTo("counting")),
    during("counting", when("lowered").then((ctx) => void ctx.saga.n--)),
  ]);
  bus.add(Counter);
  await bus.start();
  await bus.publish(Made, { id: "1", n: 1 });
  await bus.publish(Made, { id: "2", n: -1 });
  await t.settled();
  await bus.publish(Lowered, { id: "1" });
  await t.settled();
  const counters = bus.sagas(Counter);
  assertEquals((await counters.find({})).map(({ id, data }) => [id, data.n]), [["1", 1]]);
  const given = await all(bus.errors("counter").list());
  assertEquals(given.map(({ exceptions: [first] }) => first?.type), ["InvalidSagaDataError", "InvalidSagaDataError"]);
  await assertRejects(() => counters.set("1", { data: { n: 0 } }, { reason: "x" }), InvalidSagaDataError);
});

trial("an id that is no text, and a change without options, are refused: nothing would be found", async (t) => {
  const bus = t.bus();
  bus.add(OrderSaga);
  await bus.start();
  const orders = bus.sagas(OrderSaga);
  for (const id of [undefined, 5, ""] as never[]) {
    for (const call of [() => orders.get(id), () => orders.redeliver(id), () => orders.forget(id)]) {
      await assertRejects(call, ConfigurationError, "its id is text");
    }
    await assertRejects(() => all(orders.history(id)), ConfigurationError, "its id is text");
    await assertRejects(() => orders.set(id, {}, { reason: "x" }), ConfigurationError, "its id is text");
  }
  await assertRejects(() => orders.set("1", {}, undefined as never), ConfigurationError, "as the options of set()");
});

trial(
  "bounds, states and corrections that are none are refused: they would say nothing, and find nothing",
  async (t) => {
    const bus = t.bus();
    bus.add(OrderSaga);
    await bus.start();
    const orders = bus.sagas(OrderSaga);
    await assertRejects(() => orders.find(undefined as never), ConfigurationError, "{} for all");
    await assertRejects(() => orders.find({}, { max: 5 } as never), ConfigurationError, "find() of the saga");
    for (const limit of [-1, 0, "5", NaN] as never[]) {
      await assertRejects(() => orders.find({}, { limit }), ConfigurationError, "Give a whole number from 1");
      await assertRejects(() => orders.prune(new Date(), { limit }), ConfigurationError, "Give a whole number from 1");
    }
    await assertRejects(() => orders.count("payed" as never), ConfigurationError, `in "payed": it has no such state`);
    const set = (correction: unknown) => orders.set("1", correction as never, { reason: "x" });
    await assertRejects(() => set({ sate: "paid" }), ConfigurationError, "Write { state }");
    await assertRejects(() => set(null), ConfigurationError, "a correction of the instance");
  },
);

const Odd = saga("odd", {
  data: type<object>(),
  states: ["kept"],
  events: (on) => ({ begun: on.start(Ended, (m) => m.id, () => undefined as never) }),
}, ({ initially, when }) => [initially(when("begun").transitionTo("kept"))]);

trial("an instance that begins without data is refused: its rules would fail on it", async (t) => {
  const bus = t.bus();
  bus.add(Odd);
  await bus.start();
  await bus.publish(Ended, { id: "1" });
  await t.settled();
  const [failed] = await all(bus.errors("odd").list());
  assertEquals(failed?.exceptions[0]?.type, "InvalidSagaDataError");
  assertEquals(await bus.sagas(Odd).get("1"), undefined);
});
