/** Which rule takes what comes to an instance. */
import { assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError, saga, type } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { GetState, Noted, Packed, Paid, Submitted } from "./orders.ts";

test("rules of several states hold in each of them, and in no other", async () => {
  const Several = saga("several", {
    data: type<object>(),
    states: ["a", "b", "c"],
    events: (on) => ({ submitted: on.start(Submitted, (m) => m.id, () => ({})), noted: on(Noted, (m) => m.text) }),
  }, ({ initially, during, when }) => [
    initially(when("submitted").transitionTo("a")),
    during(
      ["a", "b"],
      when("noted").ifElse((ctx) => ctx.state === "a", (a) => a.transitionTo("b"), (b) => b.transitionTo("c")),
    ),
  ]);
  const one = new Driven(Several);
  await one.event("submitted");
  assertEquals([await one.event("noted"), one.state], ["handled", "b"]);
  assertEquals([await one.event("noted"), one.state], ["handled", "c"]);
  assertEquals(await one.event("noted"), "unhandled");
});

test("the first rule whose filter agrees takes an event, and no other", async () => {
  const Filtered = saga("filtered", {
    data: type<{ took: string[] }>(),
    states: ["a", "a.b", "c"],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({ took: [] })),
      paid: on(Paid, (m) => m.id),
      packed: on(Packed, (m) => m.id),
    }),
  }, ({ initially, during, duringAny, when, ignore }) => [
    initially(when("begun").transitionTo("a")),
    duringAny(
      when("paid").then((ctx) => void ctx.saga.took.push("any")),
      when("packed").transitionTo("a.b"),
    ),
    during(
      "a",
      when("paid", (ctx) => ctx.message.paymentId !== "").then((ctx) => void ctx.saga.took.push("a")),
      when("paid", (ctx) => ctx.message.paymentId === "x").then((ctx) => void ctx.saga.took.push("too late")),
    ),
    during("a.b", when("paid", (ctx) => ctx.message.paymentId === "b").then((ctx) => void ctx.saga.took.push("a.b"))),
    during("a.b", ignore("packed")),
  ]);
  const one = new Driven(Filtered, { took: [] });
  await one.event("begun");
  await one.event("paid", { paymentId: "x" });
  await one.event("paid", { paymentId: "" });
  assertEquals(await one.event("packed"), "handled");
  await one.event("paid", { paymentId: "b" });
  await one.event("paid", { paymentId: "x" });
  await one.event("paid", { paymentId: "" });
  assertEquals(one.instance.data, { took: ["a", "any", "a.b", "a", "any"] });
  assertEquals(await one.event("packed"), "ignored");
});

test("onUnhandled decides on events and timeouts that no rule takes", async () => {
  const seen: string[] = [];
  const Deciding = saga("deciding", {
    data: type<object>(),
    states: ["a"],
    timeouts: { due: 10 },
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({})),
      paid: on(Paid, (m) => m.id),
      packed: on(Packed, (m) => m.id),
      noted: on(Noted, (m) => m.text),
    }),
  }, ({ initially, when, onUnhandled }) => [
    initially(when("begun").schedule("due").transitionTo("a")),
    onUnhandled((ctx, event) => {
      seen.push(`${ctx.state} ${event} ${ctx.id}`);
      if (event === "noted") return "drop" as "ignore";
      return event === "paid" ? "redeliver" : event === "packed" ? "fault" : "ignore";
    }),
  ]);
  const one = new Driven(Deciding);
  await one.event("begun");
  assertEquals(await one.event("paid"), "redeliver");
  assertEquals(await one.event("packed"), "unhandled");
  assertEquals(await one.timeout("due"), "ignored");
  assertEquals(seen, ["a paid 1", "a packed 1", "a due 1"]);
  await assertRejects(() => one.event("noted"), ConfigurationError, 'said "drop" of "noted"');
});

test("the rules of finally are for instances that are kept in the final state", async () => {
  const Kept = saga("kept", {
    data: type<{ asked: number }>(),
    states: [],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({ asked: 0 })),
      asked: on(GetState, (m) => m.id),
    }),
  }, (rules) => [
    rules.initially(rules.when("begun").finalize()),
    rules.finally(
      rules.when("asked").then((ctx) => void ctx.saga.asked++).respond((ctx) => ({ state: ctx.state })),
    ),
    rules.completedWhen((data, state) => data.asked === 2 && state === "final"),
  ]);
  const one = new Driven(Kept, { asked: 0 });
  await one.event("begun");
  assertEquals([one.state, one.over], ["final", false]);
  await one.event("asked");
  assertEquals(one.over, false);
  await one.event("asked");
  assertEquals(one.over, true);
  assertEquals(one.asked, ['respond {"state":"final"}', 'respond {"state":"final"}']);
});
