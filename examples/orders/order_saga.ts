/** The life of an order, from its first message to its last. */
import { saga, type } from "@hero/messaging";
import {
  ChargeCard,
  OrderCancelled,
  OrderCompleted,
  OrderSubmitted,
  OrderWithdrawn,
  PaymentDeclined,
  PaymentReceived,
  RefundPayment,
  ReleaseArticle,
  ReserveArticle,
  type SubmitOrder,
} from "./contracts.ts";

export const OrderSaga = saga("order", {
  data: type<{ readonly order: SubmitOrder }>(),
  states: ["awaitingPayment", "processing", "cancelled"],
  timeouts: { paymentDue: "5s" }, // a shop that is in a hurry
  events: (on) => ({
    submitted: on.start(OrderSubmitted, (m) => m.orderId, (order) => ({ order })),
    // The last word may come when the order is completed, and its instance gone.
    withdrawn: on(OrderWithdrawn, (m) => m.orderId, { onMissing: "discard" }),
    paid: on(PaymentReceived, (m) => m.orderId),
    declined: on(PaymentDeclined, (m) => m.orderId),
  }),
}, ({ initially, during, duringAny, when, whenEnter, timeout, sequence, ignore }) => {
  const cancel = (reason: string) =>
    sequence((steps) =>
      steps.publish(OrderCancelled, (ctx) => ({ orderId: ctx.id, reason })).transitionTo("cancelled")
    );
  return [
    initially(
      when("submitted")
        .schedule("paymentDue")
        .send(ChargeCard, (ctx) => ctx.saga.order)
        .transitionTo("awaitingPayment"),
    ),
    during(
      "awaitingPayment",
      when("paid")
        .unschedule("paymentDue")
        .compensateWith(
          "payment",
          (undo) => undo.send(RefundPayment, (ctx) => ({ orderId: ctx.id, cents: ctx.message.cents })),
        )
        .compensateWith("article", (undo) => undo.send(ReleaseArticle, (ctx) => ({ orderId: ctx.id })))
        .request(ReserveArticle, (ctx) => ({ orderId: ctx.id, article: ctx.saga.order.article }), {
          timeout: "1m",
          pending: "processing",
          completed: (then) =>
            then.ifElse(
              (ctx) => ctx.message.reserved,
              (reserved) => reserved.publish(OrderCompleted, (ctx) => ({ orderId: ctx.id })).finalize(),
              (soldOut) => soldOut.compensate().run(cancel("sold out")),
            ),
          faulted: (then) => then.compensate().run(cancel("the warehouse failed")),
          timedOut: (then) => then.compensate().run(cancel("the warehouse is silent")),
        }),
      when("declined").run(cancel("declined")),
      when("withdrawn").run(cancel("withdrawn")),
      timeout("paymentDue").run(cancel("not paid")),
    ),
    during("processing", when("withdrawn").compensate().run(cancel("withdrawn"))),
    during(
      "cancelled",
      // The card was being charged when the order was withdrawn.
      when("paid").send(RefundPayment, (ctx) => ({ orderId: ctx.id, cents: ctx.message.cents })),
      ignore("declined", "withdrawn"),
    ),
    duringAny(whenEnter("cancelled").unschedule("paymentDue")),
  ];
});
