/** What is kept of what happens to instances, and for how long. */
import { assertEquals, assertRejects } from "@std/assert";
import { InvalidInstantError, saga, type } from "../../../mod.ts";
import { all, trial } from "../../support/trial.ts";
import { Begun, Ended, JobSaga } from "./jobs.ts";
import { OrderSaga, Submitted } from "./orders.ts";

trial(
  "what happens to an instance is kept: when, by which message, from where to where; also of one that is over",
  async (t) => {
    const bus = t.bus();
    bus.add(JobSaga);
    await bus.start();
    const jobs = bus.sagas(JobSaga);
    const at = new Date(5);
    await bus.publish(Begun, { id: "x1", at }, { messageId: "m1" });
    await t.settled();
    const begun = new Date(t.clock.now());
    await t.pass(60_000);
    await bus.publish(Ended, { id: "x1" }, { messageId: "m2" });
    await t.settled();
    const [first, second, ...more] = await all(jobs.history("x1"));
    assertEquals(more, []);
    assertEquals(first, {
      at: begun,
      incarnation: first!.incarnation,
      version: 1,
      kind: "event",
      name: "begun",
      message: { id: "x1", at },
      messageId: "m1",
      conversationId: "m1",
      by: "queue:app",
      transitions: [{ from: "initial", to: "running" }],
      state: "running",
      reason: undefined,
    });
    assertEquals([second!.version, second!.name, second!.transitions, second!.state], [
      2,
      "ended",
      [{ from: "running", to: "billing" }, { from: "billing", to: "final" }],
      "final",
    ]);
    const archived = await jobs.get("x1");
    assertEquals([archived?.state, archived?.data], ["final", { at, team: "x" }]);
    assertEquals(await jobs.find({ team: "x" }), [], "what is over is found by its id alone");
    assertEquals([await jobs.count(), await jobs.count("final")], [1, 1]);
    assertEquals(await all(jobs.history("none")), []);
  },
);

trial("a history of any length is told whole, oldest first", async (t) => {
  const Counting = saga("counting", {
    data: type<{ count: number }>(),
    states: ["here"],
    history: true,
    events: (on) => ({ ended: on.start(Ended, (m) => m.id, () => ({ count: 0 })) }),
  }, ({ initially, during, when }) => [
    initially(when("ended").transitionTo("here")),
    during("here", when("ended").then((ctx) => void ctx.saga.count++)),
  ]);
  const bus = t.bus();
  bus.add(Counting);
  await bus.start();
  for (let at = 0; at < 250; at++) await bus.publish(Ended, { id: "1" }, { messageId: `m${at}` });
  await t.settled();
  const entries = await all(bus.sagas(Counting).history("1"));
  assertEquals(entries.map(({ messageId }) => messageId), Array.from({ length: 250 }, (_, at) => `m${at}`));
});

trial("a saga that keeps nothing has no history, but of what was done by hand", async (t) => {
  const bus = t.bus();
  bus.add(OrderSaga);
  await bus.start();
  await bus.publish(Submitted, { id: "1", total: 7 });
  await t.settled();
  const orders = bus.sagas(OrderSaga);
  assertEquals(await all(orders.history("1")), []);
  await orders.set("1", { state: "paid", data: { total: 1, customer: "1" } }, { reason: "paid in cash", by: "eve" });
  const [kept, ...more] = await all(orders.history("1"));
  assertEquals(more, []);
  assertEquals([kept?.kind, kept?.by, kept?.reason, kept?.transitions, kept?.version], [
    "set",
    "eve",
    "paid in cash",
    [{ from: "waiting", to: "paid" }],
    2,
  ]);
  const now = await orders.get("1");
  assertEquals([now?.state, now?.data, now?.timeouts], ["paid", { total: 1, customer: "1" }, ["due"]]);
});

trial("histories are pruned by age, a bounded number at once; instances go on without", async (t) => {
  const bus = t.bus();
  bus.add(JobSaga);
  await bus.start();
  const jobs = bus.sagas(JobSaga);
  for (const id of ["x1", "x2", "x3"]) await bus.publish(Begun, { id, at: new Date(5) });
  await t.settled();
  await t.pass(60_000);
  const noon = new Date(t.clock.now());
  await bus.publish(Ended, { id: "x1" });
  await t.settled();
  const left = async (id: string) => (await all(jobs.history(id))).map(({ name }) => name);
  assertEquals(await jobs.prune(new Date(0)), 0);
  assertEquals([await jobs.prune(noon, { limit: 2 }), await jobs.prune(noon, { limit: 2 })], [2, 1]);
  assertEquals([await left("x1"), await left("x2"), await left("x3")], [["ended"], [], []]);
  assertEquals([(await jobs.get("x1"))?.state, (await jobs.get("x2"))?.state], ["final", "running"]);
  await bus.publish(Ended, { id: "x2" });
  await t.settled();
  assertEquals(await left("x2"), ["ended"]);
  await assertRejects(() => jobs.prune(new Date(NaN)), InvalidInstantError);
});
