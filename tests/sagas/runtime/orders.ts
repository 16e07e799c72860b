/** An order, as a saga: what the tests of running sagas have in common. */
import { command, event, query, saga, type } from "../../../mod.ts";

export const Submitted = event<{ id: string; total: number }>("orders.submitted");
export const Paid = event<{ id: string }>("orders.paid");
export const Shipped = event<{ id: string }>("orders.shipped");
export const Failed = event<{ id: string }>("orders.failed");
export const Touched = event<{ customer: string; by: number }>("orders.touched");
export const Accepted = event<{ id: string; total: number }>("orders.accepted");
export const Cancelled = event<{ id: string; in: string }>("orders.cancelled");
export const Completed = event<{ id: string }>("orders.completed");
export const Refund = command<{ id: string }>("payments.refund");
export const GetState = query<{ id: string }, { state: string; total: number }>("orders.get-state");

export interface OrderData {
  total: number;
  customer: string;
}

/** Submitted, then paid within 15 minutes or cancelled, then shipped. Its customer is the first letter of its id. */
export const OrderSaga = saga("order", {
  data: type<OrderData>(),
  states: ["waiting", "paid"],
  timeouts: { due: "15m" },
  indexes: ["customer"],
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total, customer: m.id.slice(0, 1) })),
    paid: on(Paid, (m) => m.id),
    shipped: on(Shipped, (m) => m.id, { onMissing: "redeliver" }),
    failed: on(Failed, (m) => m.id, { onMissing: "discard" }),
    touched: on.where(Touched, (m) => ({ customer: m.customer })),
    asked: on(GetState, (m) => m.id, { onMissing: "run" }),
  }),
}, ({ initially, during, duringAny, when, whenMissing, timeout }) => [
  initially(
    when("submitted")
      .schedule("due")
      .publish(Accepted, (ctx) => ({ id: ctx.id, total: ctx.saga.total }))
      .transitionTo("waiting"),
    whenMissing("asked").respond(() => ({ state: "none", total: 0 })),
  ),
  during(
    "waiting",
    when("paid").unschedule("due").transitionTo("paid"),
    when("failed").publish(Cancelled, (ctx) => ({ id: ctx.id, in: ctx.state })).finalize(),
    timeout("due").publish(Cancelled, (ctx) => ({ id: ctx.id, in: ctx.state })).finalize(),
  ),
  during("paid", when("shipped").publish(Completed, (ctx) => ({ id: ctx.id })).finalize()),
  duringAny(
    when("touched").then((ctx) => {
      ctx.saga.total += ctx.message.by;
    }),
    when("asked").respond((ctx) => ({ state: ctx.state, total: ctx.saga.total })),
  ),
]);
