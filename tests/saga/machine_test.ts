import { assertEquals } from "@std/assert";
import { command, event, query } from "../../mod.ts";
import { saga } from "../../src/saga/saga.ts";
import { type } from "../../src/values/schema.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";

const Submitted = event<{ id: string; total: number }>("orders.submitted");
const Paid = event<{ id: string; paymentId: string }>("orders.paid");
const Cancelled = event<{ id: string }>("orders.cancelled");
const Ship = command<{ id: string }>("orders.ship");
const GetState = query<{ id: string }, { state: string }>("orders.get-state");

const Orders = saga("orders", {
  data: type<{ total: number; paymentId?: string }>(),
  states: ["waiting", "paid"],
  timeouts: { due: "15m" },
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })),
    paid: on(Paid, (m) => m.id),
    asked: on(GetState, (m) => m.id),
  }),
}, ({ initially, during, duringAny, when, timeout }) => [
  initially(when("submitted", (ctx) => ctx.message.total > 0).schedule("due").transitionTo("waiting")),
  during(
    "waiting",
    when("paid")
      .unschedule("due")
      .then((ctx) => {
        ctx.saga.paymentId = ctx.message.paymentId;
      })
      .send(Ship, (ctx) => ({ id: ctx.id }))
      .transitionTo("paid"),
    timeout("due").publish(Cancelled, (ctx) => ({ id: ctx.id })).finalize(),
  ),
  duringAny(when("asked").respond((ctx) => ({ state: ctx.state }))),
]);

test("an instance goes from state to state, and asks for what its steps say", async () => {
  const order = new Driven(Orders, { total: 5 });
  assertEquals(await order.event("submitted", { id: "1", total: 5 }), "handled");
  assertEquals(order.state, "waiting");
  assertEquals(order.asked, ["schedule due 1 at 901000"]);
  assertEquals(await order.event("paid", { id: "1", paymentId: "p" }), "handled");
  assertEquals(order.state, "paid");
  assertEquals(order.instance.data, { total: 5, paymentId: "p" });
  assertEquals(order.asked, ["unschedule 1", "send orders.ship"]);
  assertEquals(await order.event("asked", { id: "1" }), "handled");
  assertEquals(order.asked, ['respond {"state":"paid"}']);
});
