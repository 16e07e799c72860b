/** A saga on a bus: how its instances begin, find their messages, wait and end. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../../mod.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { all, Journal, type Trial, trial } from "../../support/trial.ts";
import {
  Accepted,
  Cancelled,
  Completed,
  Failed,
  GetState,
  OrderSaga,
  Paid,
  Shipped,
  Submitted,
  Touched,
} from "./orders.ts";

/** A bus with the saga, and what it published. */
async function started(t: Trial): Promise<{ readonly bus: Bus; readonly told: string[]; readonly database: Counts }> {
  const database = memoryDatabase();
  const bus = t.bus({ store: memoryStore({ database }) });
  const told: string[] = [];
  bus.add(OrderSaga);
  bus.endpoint("told")
    .handle(Accepted, ({ id, total }) => void told.push(`accepted ${id} ${total}`))
    .handle(Cancelled, ({ id, in: state }) => void told.push(`cancelled ${id} in ${state}`))
    .handle(Completed, ({ id }) => void told.push(`completed ${id}`));
  await bus.start();
  return { bus, told, database };
}
type Counts = ReturnType<typeof memoryDatabase>;

trial("an instance begins with its first event, and ends with its last; nothing is left of it", async (t) => {
  const { bus, told, database } = await started(t);
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.settled();
  assertEquals(told, ["accepted 1 5"]);
  assertEquals([database.counts.sagas, database.counts.schedules], [1, 1]);
  await bus.publish(Paid, { id: "1" });
  await t.settled();
  await bus.publish(Shipped, { id: "1" });
  await t.settled();
  assertEquals(told, ["accepted 1 5", "completed 1"]);
  assertEquals([database.counts.sagas, database.counts.schedules, database.counts.outbox], [0, 0, 0]);
});

trial("a timeout fires when it is due, once", async (t) => {
  const { bus, told, database } = await started(t);
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.pass(15 * 60_000 - 1);
  assertEquals(told, ["accepted 1 5"]);
  await t.pass(1);
  assertEquals(told, ["accepted 1 5", "cancelled 1 in waiting"]);
  await t.pass(3_600_000);
  assertEquals(told.length, 2);
  assertEquals([database.counts.sagas, database.counts.schedules], [0, 0]);
});

// Case 39.
trial("a timeout of an instance that is over neither revives it nor reaches another of the same id", async (t) => {
  const { bus, told } = await started(t);
  await bus.publish(Submitted, { id: "1", total: 1 });
  await t.pass(60_000);
  await bus.publish(Failed, { id: "1" });
  await t.pass(60_000);
  await bus.publish(Submitted, { id: "1", total: 2 });
  await t.pass(14 * 60_000);
  assertEquals(told, ["accepted 1 1", "cancelled 1 in waiting", "accepted 1 2"], "at 16 minutes");
  await t.pass(60_000);
  assertEquals(told, ["accepted 1 1", "cancelled 1 in waiting", "accepted 1 2", "cancelled 1 in waiting"]);
  await t.pass(3_600_000);
  assertEquals(told.length, 4);
});

trial("an event whose instance is not there fails, comes again, is dropped or runs, as it says", async (t) => {
  const { bus, told } = await started(t);
  const journal = new Journal();
  bus.observe(journal);
  await bus.publish(Paid, { id: "1" });
  await bus.publish(Failed, { id: "1" });
  await t.settled();
  const [parked] = await all(bus.errors("order").list());
  assertEquals(parked?.exceptions[0]?.type, "SagaNotFoundError");
  assert(parked?.exceptions[0]?.message.includes(`"order" with the id "1" is there for "paid"`));
  assertEquals(journal.of("unhandled"), ["unhandled orders.failed missing"]);
  assertEquals(bus.statistics("order").missing, 1);
  assertEquals(await bus.request(GetState, { id: "1" }), { state: "none", total: 0 });

  await bus.publish(Shipped, { id: "1" });
  await t.settled();
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.settled();
  await bus.publish(Paid, { id: "1" });
  await t.settled();
  assertEquals(told, ["accepted 1 5"]);
  await t.pass(1_000);
  assertEquals(told, ["accepted 1 5", "completed 1"]);
});

trial("an event that is to come again is given up in the end", async (t) => {
  const { bus } = await started(t);
  await bus.publish(Shipped, { id: "1" });
  await t.pass(10 * 60_000);
  assertEquals((await all(bus.errors("order").list())).map(({ exceptions: [first] }) => first?.type), [
    "SagaNotFoundError",
  ]);
  assertEquals(bus.statistics("order").deferred, 10);
});

trial("an event that gives no id, or an empty one, is given up as a mistake; no instance has it", async (t) => {
  const { bus } = await started(t);
  await bus.publish(Submitted, { id: "", total: 5 });
  await bus.publish(Submitted, { id: undefined as unknown as string, total: 5 }); // as from JavaScript
  await t.pass(60_000);
  const failed = await all(bus.errors("order").list());
  assertEquals(failed.map(({ exceptions: [first] }) => first?.type), ["ConfigurationError", "ConfigurationError"]);
  assertEquals(await bus.sagas(OrderSaga).count(), 0);
});

trial("an event that no rule of the state takes fails, and the instance stays as it is", async (t) => {
  const { bus } = await started(t);
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.settled();
  await bus.publish(Submitted, { id: "1", total: 6 });
  await t.settled();
  const [parked] = await all(bus.errors("order").list());
  assertEquals(parked?.exceptions[0]?.type, "UnhandledSagaEventError");
  assertEquals(await bus.request(GetState, { id: "1" }), { state: "waiting", total: 5 });
});

trial("an event by an index reaches all instances that have it, and no other, in one unit", async (t) => {
  const { bus } = await started(t);
  for (const id of ["a2", "b1", "a1", "a3"]) await bus.publish(Submitted, { id, total: 1 });
  await t.settled();
  await bus.publish(Touched, { customer: "a", by: 10 });
  await t.settled();
  const totals = await Promise.all(["a1", "a2", "a3", "b1"].map((id) => bus.request(GetState, { id })));
  assertEquals(totals.map(({ total }) => total), [11, 11, 11, 1]);
  await bus.publish(Touched, { customer: "c", by: 10 });
  await t.settled();
  assertEquals((await all(bus.errors("order").list())).map(({ exceptions: [first] }) => first?.type), [
    "SagaNotFoundError",
  ]);
});

trial("a question to an instance writes nothing, and is answered within its unit", async (t) => {
  const database = memoryDatabase();
  const store = memoryStore({ database });
  const bus = t.bus({ store });
  const journal = new Journal();
  bus.add(OrderSaga);
  bus.observe(journal);
  await bus.start();
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.settled();
  const inbox = database.counts.inbox;
  assertEquals(await bus.request(GetState, { id: "1" }), { state: "waiting", total: 5 });
  assertEquals(database.counts.inbox, inbox);
  assertEquals(journal.of("consumed").at(-1), "consumed orders.get-state 1");
  assertEquals((await bus.sagas(OrderSaga).get("1"))?.version, 1);
});

trial("a message that comes again, or many at once, changes an instance once each", async (t) => {
  const { bus, told } = await started(t);
  await Promise.all(Array.from({ length: 5 }, () => bus.publish(Submitted, { id: "a", total: 5 }, { messageId: "m" })));
  await t.settled();
  assertEquals(told, ["accepted a 5"]);
  assertEquals(bus.statistics("order").duplicate, 4);
  await Promise.all(Array.from({ length: 100 }, () => bus.publish(Touched, { customer: "a", by: 1 })));
  await t.settled();
  assertEquals((await bus.request(GetState, { id: "a" })).total, 105);
});

trial("a saga is on an endpoint of its name, with others or alone, and never on a queue of one process", async (t) => {
  const bus = t.bus();
  bus.endpoint("own", { outbox: "memory" }).add(OrderSaga).handle(Completed, () => {});
  assertEquals(bus.describe().endpoints[0]?.contracts.map(({ name }) => name), [
    "orders.submitted",
    "orders.paid",
    "orders.shipped",
    "orders.failed",
    "orders.touched",
    "orders.get-state",
    "orders.completed",
  ]);
  assert(!JSON.stringify(bus.describe()).includes("saga:"), "what is the library's own has no topic");
  const other = t.bus();
  other.add(OrderSaga, { concurrency: 4 });
  assertEquals(other.describe().endpoints[0]?.name, "order");
  const third = t.bus();
  await assertRejects(async () => void await third.add(OrderSaga, { queue: "instance" }), ConfigurationError);
});
