import { assertEquals } from "@std/assert";
import { saga, type } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { Failed, Noted, Packed, Paid, Submitted } from "./orders.ts";

const Orders = saga("orders", {
  data: type<{ log: string[] }>(),
  states: ["waiting", "ready", "ready.late", "held", "done"],
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
    paid: on(Paid, (m) => m.id),
    packed: on(Packed, (m) => m.id),
    failed: on(Failed, (m) => m.id),
    noted: on(Noted, (m) => m.text),
  }),
}, ({ initially, during, duringAny, when, whenAll, ignore }) => [
  initially(when("submitted").transitionTo("waiting")),
  during("waiting", when("paid").then((ctx) => void ctx.saga.log.push("paid")).transitionTo("ready")),
  during(
    "ready",
    whenAll("paid", "packed").then((ctx) => void ctx.saga.log.push(`all in ${ctx.state}, ${ctx.message}`)).transitionTo(
      "done",
    ),
    when("failed").transitionTo("held"),
  ),
  during("ready.late", when("packed").then((ctx) => void ctx.saga.log.push("packed late"))),
  during("held", ignore("packed"), when("failed").transitionTo("ready")),
  during("done", when("paid").then((ctx) => void ctx.saga.log.push("paid again"))),
  duringAny(when("noted").transitionTo("ready.late"), ignore("paid")),
]);

async function after(...events: readonly string[]): Promise<Driven> {
  const one = new Driven(Orders, { log: [] });
  for (const event of events) await one.event(event);
  return one;
}
const log = (one: Driven) => (one.instance.data as { readonly log: readonly string[] }).log;

test("a composite fires once all of its events have come, behind the rule of the last", async () => {
  const one = await after("submitted", "paid", "packed");
  assertEquals([one.state, log(one)], ["done", ["paid", "all in ready, undefined"]]);
});

test("the order does not matter, nor the state: a state that has the rule fires it when it is entered", async () => {
  const one = await after("submitted", "packed");
  assertEquals([one.state, one.instance.arrived], ["waiting", { "packed+paid": ["packed"] }]);
  await one.event("paid");
  assertEquals([one.state, log(one)], ["done", ["paid", "all in ready, undefined"]]);
});

test("an event counts once, however often it comes", async () => {
  const one = await after("submitted", "packed", "packed", "packed");
  assertEquals(one.instance.arrived, { "packed+paid": ["packed"] });
});

test("an event has its own rule run and counts, in a sub-state too", async () => {
  const one = await after("submitted", "paid", "noted", "packed");
  assertEquals([one.state, log(one)], ["done", ["paid", "packed late", "all in ready.late, undefined"]]);
});

test("an event that is ignored does not count", async () => {
  const one = await after("submitted", "paid", "failed");
  assertEquals(await one.event("packed"), "ignored");
  await one.event("failed");
  assertEquals(one.state, "ready");
  assertEquals(await one.event("packed"), "handled");
  assertEquals(one.state, "done");
});

test("a state with the composite does not ignore what any state ignores", async () => {
  const one = await after("submitted", "noted");
  assertEquals(one.state, "ready.late");
  assertEquals(await one.event("paid"), "handled");
  assertEquals(one.instance.arrived, { "packed+paid": ["paid"] });
  const other = await after("submitted", "noted", "failed");
  assertEquals([other.state, await other.event("paid")], ["held", "ignored"]);
});

test("a composite fires once for an instance", async () => {
  const one = await after("submitted", "paid", "packed", "paid", "noted", "packed");
  assertEquals([one.state, log(one)], ["ready.late", ["paid", "all in ready, undefined", "paid again", "packed late"]]);
});

test("an event counts nothing before there is an instance, but the one that starts it does", async () => {
  const Started = saga("started", {
    data: type<{ n: number }>(),
    states: ["a", "b"],
    events: (on) => ({
      submitted: on.start(Submitted, (m) => m.id, () => ({ n: 0 })),
      paid: on.start(Paid, (m) => m.id, () => ({ n: 0 })),
      packed: on(Packed, (m) => m.id),
    }),
  }, ({ initially, during, duringAny, when, whenAll }) => [
    initially(when("submitted").transitionTo("a"), when("paid").transitionTo("a")),
    during("a", whenAll("submitted", "paid").transitionTo("b")),
    during("b", whenAll("packed", "submitted", "paid").then((ctx) => void ctx.saga.n++).finalize()),
    duringAny(when("packed").then(async () => await Promise.resolve())),
  ]);
  const one = new Driven(Started, { n: 0 });
  assertEquals(await one.event("packed"), "unhandled");
  await one.event("paid");
  await one.event("submitted");
  assertEquals(one.state, "b");
  await one.event("packed");
  assertEquals([one.state, one.instance.data], ["final", { n: 1 }]);
});

test("one composite may lead to the next, also if its steps take their time", async () => {
  const Chained = saga("chained", {
    data: type<object>(),
    states: ["a", "b"],
    events: (on) => ({
      submitted: on.start(Submitted, (m) => m.id, () => ({})),
      paid: on(Paid, (m) => m.id),
      packed: on(Packed, (m) => m.id),
    }),
  }, ({ initially, during, when, whenAll }) => [
    initially(when("submitted").transitionTo("a")),
    during("a", whenAll("paid", "packed").then(() => Promise.resolve()).transitionTo("b")),
    during("b", whenAll("packed", "submitted").then(() => Promise.resolve()).finalize()),
  ]);
  const one = new Driven(Chained);
  for (const event of ["submitted", "packed", "paid"]) await one.event(event);
  assertEquals([one.state, one.over], ["final", true]);
});

test("a composite that is complete fires when a timeout enters a state that has it", async () => {
  const Late = saga("late", {
    data: type<object>(),
    states: ["early", "ready"],
    timeouts: { due: 10 },
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({})),
      paid: on(Paid, (m) => m.id),
      packed: on(Packed, (m) => m.id),
    }),
  }, ({ initially, during, when, whenAll, timeout }) => [
    initially(when("begun").schedule("due").transitionTo("early")),
    during("early", timeout("due").transitionTo("ready")),
    during("ready", whenAll("paid", "packed").finalize()),
  ]);
  const one = new Driven(Late);
  await one.event("begun");
  await one.event("packed");
  await one.event("paid");
  assertEquals(one.state, "early");
  await one.timeout("due");
  assertEquals(one.state, "final");
});
