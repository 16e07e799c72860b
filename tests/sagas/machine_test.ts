import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EndlessSagaError, saga, type, UnhandledSagaEventError, UnreadableSagaError } from "../../mod.ts";
import { handle, planOf } from "../../src/sagas/machine.ts";
import { definitionOfSaga } from "../../src/sagas/saga.ts";
import { test } from "../support/runner.ts";
import { blank, Driven, FakeEffects } from "./fake_effects.ts";
import { Failed, GetState, Noted, Paid, Ship, Submitted } from "./orders.ts";

const Orders = saga("orders", {
  data: type<{ total: number; paymentId?: string }>(),
  states: ["waiting", "paid"],
  timeouts: { due: "15m" },
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })),
    paid: on(Paid, (m) => m.id),
    asked: on(GetState, (m) => m.id, { onMissing: "run" }),
  }),
}, ({ initially, during, duringAny, when, whenMissing, timeout }) => [
  initially(
    when("submitted", (ctx) => ctx.message.total > 0).schedule("due").transitionTo("waiting"),
    whenMissing("asked").respond((ctx) => ({ state: `no ${ctx.message.id}` })),
  ),
  during(
    "waiting",
    when("paid")
      .unschedule("due")
      .then((ctx) => {
        ctx.saga.paymentId = ctx.message.paymentId;
      })
      .send(Ship, (ctx) => ({ id: ctx.id }))
      .transitionTo("paid"),
    timeout("due").publish(Failed, (ctx) => ({ id: ctx.id, reason: "late" })).finalize(),
  ),
  duringAny(when("asked").respond((ctx) => ({ state: ctx.state }))),
]);

async function waiting(): Promise<Driven> {
  const order = new Driven(Orders, { total: 5 });
  await order.event("submitted", { id: "1", total: 5 });
  return order;
}

test("an instance goes from state to state, and asks for what its steps say", async () => {
  const order = new Driven(Orders, { total: 5 });
  assertEquals(await order.event("submitted", { id: "1", total: 5 }), "handled");
  assertEquals(order.state, "waiting");
  assertEquals(order.asked, ["schedule due 1 at 901000"]);
  assertEquals(await order.event("paid", { id: "1", paymentId: "p" }), "handled");
  assertEquals(order.state, "paid");
  assertEquals(order.instance.data, { total: 5, paymentId: "p" });
  assertEquals(order.asked, ["unschedule 1", "send orders.ship"]);
  assertEquals(order.effects.transitions, ["initial → waiting", "waiting → paid"]);
});

test("steps that return no promise run within the call, others are waited for in order", async () => {
  const definition = definitionOfSaga(Orders)!;
  const effects = new FakeEffects();
  const now = handle(planOf(definition), blank("1", { total: 5 }), {
    kind: "event",
    event: "submitted",
    message: { id: "1", total: 5 },
  }, effects);
  assertEquals(now, "handled");
  effects.later = true;
  const instance = blank("1", { total: 5 });
  const occurrence = { kind: "event", event: "submitted", message: { id: "1", total: 5 } } as const;
  const later = handle(planOf(definition), instance, occurrence, effects);
  assert(later instanceof Promise);
  assertEquals(instance.state, "initial");
  assertEquals(await later, "handled");
  assertEquals(instance.state, "waiting");
});

test("an event that no rule takes is unhandled, also where a filter refuses it", async () => {
  const order = new Driven(Orders, { total: 0 });
  assertEquals(await order.event("submitted", { id: "1", total: 0 }), "unhandled");
  assertEquals(await order.event("paid", { id: "1", paymentId: "p" }), "unhandled");
  assertEquals(order.state, "initial");
  assertEquals(order.asked, []);
});

test("rules of any state are for none but the initial and the final one", async () => {
  const order = await waiting();
  assertEquals(order.asked.length, 1);
  assertEquals(await order.event("asked", { id: "1" }), "handled");
  assertEquals(order.asked, ['respond {"state":"waiting"}']);
  await order.timeout("due");
  assertEquals(order.state, "final");
  assertEquals(await order.event("asked", { id: "1" }), "unhandled");
  assertEquals(await new Driven(Orders).event("asked", { id: "1" }), "unhandled");
});

test("an event without an instance runs its rule and keeps nothing", async () => {
  const nobody = new Driven(Orders);
  assertEquals(await nobody.occur({ kind: "missing", event: "asked", message: { id: "7" } }), "handled");
  assertEquals(nobody.asked, ['respond {"state":"no 7"}']);
  assertEquals(await nobody.occur({ kind: "missing", event: "paid", message: { id: "7" } }), "unhandled");
});

test("an instance is over once it is final, and what was scheduled for it is taken back", async () => {
  const order = await waiting();
  assertEquals(order.over, false);
  await order.timeout("due");
  assertEquals([order.state, order.over], ["final", true]);
  assertEquals(order.asked, ["schedule due 1 at 901000", "publish orders.failed"]);
  const Ends = saga("ends", {
    data: type<object>(),
    states: ["a"],
    timeouts: { due: 10, late: 20 },
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({})), paid: on(Paid, (m) => m.id) }),
  }, ({ initially, during, when }) => [
    initially(when("begun").schedule("due").schedule("late").transitionTo("a")),
    during("a", when("paid").finalize()),
  ]);
  const one = new Driven(Ends);
  await one.event("begun");
  assertEquals(one.asked, ["schedule due 1 at 1010", "schedule late 2 at 1020"]);
  await one.event("paid");
  assertEquals(one.asked, ["unschedule 1", "unschedule 2"]);
  assertEquals(one.instance.timeouts, {});
});

test("an event that a rule raises is handled at once, in the state as it is then, and answers nobody", async () => {
  const Raising = saga("raising", {
    data: type<{ seen: string[] }>(),
    states: ["a", "b"],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({ seen: [] })),
      noted: on(Noted, (m) => m.text),
      asked: on(GetState, (m) => m.id),
      paid: on(Paid, (m) => m.id),
    }),
  }, ({ initially, during, duringAny, when, ignore }) => [
    initially(
      when("begun")
        .transitionTo("a")
        .raise("noted", async (ctx) => ({ text: await Promise.resolve(`from ${ctx.state}`) }))
        .raise("asked", (ctx) => ({ id: ctx.id }))
        .then((ctx) => void ctx.saga.seen.push(`behind, in ${ctx.state}`)),
    ),
    during("a", when("noted").then((ctx) => void ctx.saga.seen.push(ctx.message.text)).transitionTo("b")),
    during(
      "b",
      when("asked").respond(() => ({ state: "b" })),
      ignore("noted"),
      when("paid").raise("begun", () => ({
        id: "1",
        total: 1,
      })),
    ),
    duringAny(when("asked").respond(() => ({ state: "any" }))),
  ]);
  const one = new Driven(Raising, { seen: [] });
  await one.event("begun");
  assertEquals(one.instance.data, { seen: ["from a", "behind, in b"] });
  assertEquals(one.asked, []);
  const error = await assertRejects(() => one.event("paid"), UnhandledSagaEventError);
  assertEquals(error.details, { saga: "raising", id: "1", state: "b", event: "begun" });
});

test("rules that lead to one another without end are stopped", async () => {
  const Endless = saga("endless", {
    data: type<object>(),
    states: ["a", "b"],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({})),
      noted: on(Noted, (m) => m.text),
    }),
  }, ({ initially, duringAny, when, whenEnter }) => [
    initially(
      when("begun", (ctx) => ctx.message.total === 1).transitionTo("a"),
      when("begun").raise("begun", (ctx) => ctx.message),
    ),
    duringAny(whenEnter("a").transitionTo("b"), whenEnter("b").transitionTo("a")),
  ]);
  await assertRejects(() => new Driven(Endless).event("begun", { total: 1 }), EndlessSagaError, "whenEnter");
  await assertRejects(() => new Driven(Endless).event("begun", { total: 2 }), EndlessSagaError, "raise");
});

test("an instance in a state that the saga does not have is refused", () => {
  const definition = definitionOfSaga(Orders)!;
  for (
    const occurrence of [
      { kind: "event", event: "paid", message: {} },
      { kind: "timeout", timeout: "due", token: "t" },
      { kind: "completed", requestId: "r", message: {} },
      { kind: "compensate", token: "c" },
    ] as const
  ) {
    const instance = {
      ...blank("1", {}),
      state: "shipped",
      timeouts: { due: "t" },
      requests: { r: { step: "s", token: "t" } },
      compensating: occurrence.kind === "compensate" ? { downTo: undefined, then: [], token: "c" } : undefined,
    };
    assertThrows(
      () => handle(planOf(definition), instance, occurrence, new FakeEffects()),
      UnreadableSagaError,
      '"shipped" is none of the saga\'s',
    );
  }
});

test("a step that fails fails the message, whatever it throws", async () => {
  const Failing = saga("failing", {
    data: type<{ n: number }>(),
    states: ["a"],
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({ n: 0 })), noted: on(Noted, (m) => m.text) }),
  }, ({ initially, when }) => [
    initially(
      when("begun").transitionTo("a").then((ctx) => {
        ctx.saga.n++;
        if (ctx.message.total === 0) throw "a text";
        return Promise.reject(new RangeError("no"));
      }),
    ),
  ]);
  await assertRejects(() => new Driven(Failing, { n: 0 }).event("begun", { total: 1 }), RangeError, "no");
  await assertRejects(() => new Driven(Failing, { n: 0 }).event("begun", { total: 0 }), Error, "a text");
});
