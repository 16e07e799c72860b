import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, MissingSagaDataError, saga, type } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { Failed, Noted, Packed, Paid, Ship, Submitted } from "./orders.ts";

const Orders = saga("orders", {
  data: type<{ total: number; paymentId?: string; parcel?: string }>(),
  states: ["waiting", "paid", "paid.packed"],
  requires: { "paid": ["paymentId"], "paid.packed": ["parcel"] },
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })),
    paid: on(Paid, (m) => m.id),
    packed: on(Packed, (m) => m.id),
    noted: on(Noted, (m) => m.text),
    failed: on(Failed, (m) => m.id),
  }),
}, ({ initially, during, duringAny, when, beforeEnter }) => [
  initially(when("submitted").transitionTo("waiting")),
  during(
    "waiting",
    when("paid")
      .then((ctx) => {
        if (ctx.message.paymentId !== "") ctx.saga.paymentId = ctx.message.paymentId;
      })
      .transitionTo("paid"),
    when("noted").transitionTo("paid.packed"),
    when("failed").transitionTo("paid").transitionTo("waiting"),
    when("packed").send(Ship, (ctx) => ({ id: ctx.need("paymentId") })),
  ),
  during(
    "paid",
    when("packed").send(Ship, (ctx) => ({ id: ctx.need("paymentId") })).transitionTo("paid.packed"),
    when("failed").then((ctx) => {
      delete ctx.saga.paymentId;
    }),
  ),
  duringAny(
    beforeEnter("paid.packed").then((ctx) => {
      ctx.saga.parcel ??= `parcel of ${ctx.id}`;
    }),
  ),
]);

async function submitted(): Promise<Driven> {
  const one = new Driven(Orders, { total: 1 });
  await one.event("submitted", { id: "1", total: 1 });
  return one;
}

test("an instance is in a state with all that the state and those around it require", async () => {
  const one = await submitted();
  await one.event("paid", { id: "1", paymentId: "p" });
  await one.event("packed", { id: "1" });
  assertEquals([one.state, one.asked], ["paid.packed", ["send orders.ship"]]);
  assertEquals(one.instance.data, { total: 1, paymentId: "p", parcel: "parcel of 1" });
});

test("a state is not entered without what it requires", async () => {
  const one = await submitted();
  const error = await assertRejects(() => one.event("paid", { id: "1", paymentId: "" }), MissingSagaDataError);
  assertEquals(error.details, { saga: "orders", id: "1", state: "paid", property: "paymentId" });
  assertEquals(one.state, "waiting");
  // Nor on the way to another.
  await assertRejects(
    () => one.event("failed", { id: "1", reason: "" }),
    MissingSagaDataError,
    '"paymentId" in "paid"',
  );
  await assertRejects(() => one.event("noted", { text: "1" }), MissingSagaDataError, '"paymentId" in "paid.packed"');
});

test("a state is not kept without what it requires", async () => {
  const one = await submitted();
  await one.event("paid", { id: "1", paymentId: "p" });
  await assertRejects(() => one.event("failed", { id: "1", reason: "" }), MissingSagaDataError);
  assertEquals(one.instance.data, { total: 1, paymentId: "p" });
});

test("what a rule needs and is not there fails the rule", async () => {
  const one = await submitted();
  await assertRejects(() => one.event("packed", { id: "1" }), MissingSagaDataError, '"paymentId" in "waiting"');
});

test("what is required of a state that is not there is refused", () => {
  const make = saga as unknown as (...args: readonly unknown[]) => unknown; // as from JavaScript
  const options = { data: type<object>(), states: ["a"], events: () => ({}) };
  const said = (requires: unknown) =>
    assertThrows(() => make("orders", { ...options, requires }, () => []), ConfigurationError).message;
  assertStringIncludes(said({ b: ["total"] }), 'there is no state "b"');
  assertStringIncludes(said({ a: "total" }), "no list");
});
