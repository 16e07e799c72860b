/** A saga that has a bit of everything, for what looks at definitions. */
import { command, event, query, saga, type } from "../../mod.ts";

interface OfOrder {
  readonly orderId: string;
}
const Submitted = event<OfOrder>("orders.submitted");
const Paid = event<OfOrder & { readonly amount: number }>("payments.received");
const Packed = event<OfOrder>("stock.packed");
const Cancelled = event<OfOrder>("orders.cancelled");
const Refund = command<OfOrder>("payments.refund", { to: "queue:payments" });
const CheckAddress = query<OfOrder, { readonly ok: boolean }>("addresses.check");

/** As in the guide, with sub-states, a request, a composite and a timeout. */
export const OrderSaga = saga("order", {
  data: type<{ total: number; city?: string }>(),
  states: ["awaitingPayment", "checking", "processing", "processing.packing", "cancelled"],
  timeouts: { paymentDue: "15m" },
  indexes: ["city"],
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.orderId, () => ({ total: 1 })),
    paid: on(Paid, (m) => m.orderId),
    packed: on(Packed, (m) => m.orderId),
    cancelled: on.where(Cancelled, (m) => ({ city: m.orderId })),
  }),
}, ({ initially, during, duringAny, when, whenAll, whenEnter, timeout, ignore }) => [
  initially(when("submitted").schedule("paymentDue").transitionTo("awaitingPayment")),
  during(
    "awaitingPayment",
    when("paid", (ctx) => ctx.message.amount > 0)
      .unschedule("paymentDue")
      .request(CheckAddress, (ctx) => ({ orderId: ctx.id }), {
        timeout: "30s",
        pending: "checking",
        completed: (then) =>
          then.ifElse(
            (ctx) => ctx.message.ok,
            (ok) => ok.transitionTo("processing"),
            (no) => no.transitionTo("cancelled"),
          ),
        faulted: (then) => then.transitionTo("cancelled"),
        timedOut: (then) => then.transitionTo("cancelled"),
      }),
    timeout("paymentDue").transitionTo("cancelled"),
  ),
  during("processing", when("packed").transitionTo("processing.packing"), whenAll("paid", "packed").finalize()),
  during("cancelled", ignore("paid", "packed")),
  duringAny(
    when("cancelled").transitionTo("cancelled"),
    whenEnter("cancelled").send(Refund, (ctx) => ({ orderId: ctx.id })),
  ),
]);
