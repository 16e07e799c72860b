/** Sagas of a small shop: nothing here is cast, nothing is `any`. They must compile, and never run. */
import { event, query, retry, saga, type Shape, type Steps, type, verify } from "@hero/messaging";
import { z } from "zod";
import {
  CardError,
  CheckAddress,
  GetOrderState,
  OrderAccepted,
  OrderCancelled,
  OrderCompleted,
  OrderSubmitted,
  PaymentFailed,
  PaymentReceived,
  PaymentRefunded,
  RefundPayment,
  store,
} from "./order_contracts.ts";

// ---- A saga.

interface OrderData {
  total: number;
  lines: readonly string[];
  paymentId?: string;
}

/** A sequence for any saga. */
const accept = <S extends Shape, Message>(steps: Steps<S, Message>) =>
  steps.publish(OrderAccepted, (ctx) => ({ orderId: ctx.id, channel: "web" }));

export const OrderSaga = saga("order", {
  data: type<OrderData>(),
  states: ["awaitingPayment", "checkingAddress", "processing", "processing.packing", "cancelled"],
  timeouts: { paymentDue: "15m" },
  indexes: ["paymentId"],
  events: (on) => ({
    submitted: on.start(OrderSubmitted, (m) => m.orderId, (m) => ({ total: m.total, lines: [] })),
    paid: on(PaymentReceived, (m) => m.orderId),
    paymentFailed: on(PaymentFailed, (m) => m.orderId, { onMissing: "discard" }),
    completed: on(OrderCompleted, (m) => m.orderId),
    refunded: on.where(PaymentRefunded, (m) => ({ paymentId: m.paymentId })),
    asked: on(GetOrderState, (m) => m.orderId),
  }),
}, ({ initially, during, duringAny, when, whenAll, whenEnter, timeout, sequence, ignore, onUnhandled }) => {
  const cancel = sequence((steps) =>
    steps
      .publish(OrderCancelled, (ctx) => ({ orderId: ctx.id, reason: `cancelled in ${ctx.state}` }))
      .transitionTo("cancelled")
  );
  const tell = sequence("asked", (steps) => steps.respond((ctx) => ({ state: ctx.state })));
  const ofPaid = sequence("paid", (steps) => steps.then((ctx) => console.log(ctx.message.paymentId)));
  return [
    initially(
      when("submitted", (ctx) => ctx.message.total > 0)
        .then((ctx) => {
          ctx.saga.total = ctx.message.total;
        })
        .schedule("paymentDue")
        .run(accept)
        .transitionTo("awaitingPayment"),
    ),
    during(
      "awaitingPayment",
      when("paid")
        .unschedule("paymentDue")
        .then(async (ctx) => {
          ctx.saga.paymentId = ctx.message.paymentId;
          await store.tx(ctx)`update orders set paid = ${ctx.message.paymentId}`;
        })
        .compensateWith(
          "payment",
          (undo) => undo.send(RefundPayment, (ctx) => ({ paymentId: ctx.message.paymentId, amount: ctx.saga.total })),
        )
        .compensateWith("note", ofPaid)
        .request(CheckAddress, (ctx) => ({ orderId: ctx.id }), {
          timeout: "30s",
          pending: "checkingAddress",
          completed: (then) =>
            then.ifElse(
              (ctx) => ctx.message.ok,
              (ok) => ok.transitionTo("processing"),
              (bad) => bad.compensate().run(cancel),
            ),
          faulted: (then) => then.then((ctx) => console.error(ctx.message.error.type)).compensate(),
          timedOut: (then) => then.run(cancel),
        })
        .catch(CardError, (failed) => failed.then((ctx) => console.error(ctx.error.bank)).run(accept).run(cancel)),
      when("paymentFailed").run(cancel),
      timeout("paymentDue").run(cancel),
    ),
    during(["processing", "processing.packing"], whenAll("paid", "completed").finalize(), ignore("paymentFailed")),
    duringAny(
      when("asked", (ctx) => ctx.state === "processing").request(CheckAddress, (ctx) => ({ orderId: ctx.id }), {
        timeout: "5s",
        completed: (then) =>
          then.ifElse(
            (ctx) => ctx.message.ok,
            (ok) => ok.respond((ctx) => ({ state: ctx.state })),
            (bad) => bad.respond(() => ({ state: "nowhere" })),
          ),
        faulted: (then) => then.respond((ctx) => ({ state: ctx.message.error.type })),
        timedOut: (then) => then.respond(() => ({ state: "unknown" })),
      }),
      when("refunded").switch((ctx) => ctx.saga.total > 100 ? "large" : "small", {
        large: (then) => then.run(cancel),
        small: (then) => then.finalize(),
      }),
      when("asked").ifElse(
        (ctx) => ctx.state === "cancelled",
        (gone) => gone.respond(() => ({ state: "cancelled" })),
        (there) => there.run(tell).catch(CardError, (failed) => failed.respond((ctx) => ({ state: ctx.error.bank }))),
      ),
      whenEnter("cancelled").unschedule("paymentDue"),
    ),
    onUnhandled((ctx, event) => ctx.state === "cancelled" && event === "paid" ? "ignore" : "fault"),
  ];
});

interface ParcelDataV1 {
  weight: number;
}
interface ParcelData {
  grams: number;
  parcel: string;
  urgent?: boolean;
}
const Packed = event<{ parcel: string; grams: number }>("parcels.packed");
const Weighed = event<{ parcel: string; grams: number }>("parcels.weighed");
const Shipped = event<{ parcel: string }>("parcels.shipped");
const GetWeight = query<{ parcel: string }, { grams: number | undefined }>("parcels.get-weight");

/** What the sketch left out. */
export const ParcelSaga = saga("parcel", {
  data: type<ParcelData>(),
  version: 2,
  upgrades: { 1: (old: ParcelDataV1): ParcelData => ({ grams: old.weight * 1000, parcel: "" }) },
  history: true,
  finalized: "archived",
  concurrency: "pessimistic",
  states: ["packed", "packed.weighed", "shipped"],
  requires: { shipped: ["urgent"] },
  timeouts: { late: "1d", reminder: 1_000 },
  indexes: ["parcel", "urgent", "grams"],
  events: (on) => ({
    packed: on.start(Packed, (m) => m.parcel, (m) => ({ grams: m.grams, parcel: m.parcel })),
    weighed: on.where(Weighed, (m) => ({ parcel: m.parcel, grams: m.grams }), { onMissing: "redeliver" }),
    shipped: on(Shipped, (m) => m.parcel),
    asked: on(GetWeight, (m) => m.parcel, { onMissing: "run" }),
  }),
}, (rules) => {
  const { initially, during, duringAny, when, whenMissing, beforeEnter, whenLeave, afterLeave, whenEnter } = rules;
  const weigh = rules.sequence(
    "packed",
    (steps) => steps.raise("weighed", (ctx) => ({ parcel: ctx.message.parcel, grams: ctx.message.grams })),
  );
  return [
    initially(
      when("packed").run(weigh).schedule("late").schedule(
        "reminder",
        (ctx) => ctx.saga.grams > 1000 ? "1m" : new Date(),
      ),
      whenMissing("asked").if((ctx) => ctx.message.parcel === "", (none) => none.then(() => {})).respond((ctx) => ({
        grams: ctx.message.parcel.length > 0 ? undefined : 0,
      })),
    ),
    during(
      "packed",
      when("weighed")
        .retry(retry.immediate(2), (steps) => steps.then(async () => await Promise.resolve()))
        .compensateWith("weight", (undo) => undo.then((ctx) => console.log(ctx.message.grams)))
        .catch(
          CardError,
          (failed) => failed.compensate({ downTo: "weight" }).then((ctx) => console.log(ctx.error.bank)),
        )
        .transitionTo("packed.weighed"),
    ),
    duringAny(when("asked").respond((ctx) => ({ grams: ctx.saga.grams })), whenLeave("initial").then(() => {})),
    rules.finally(when("asked").respond(() => ({ grams: 0 }))),
    duringAny(
      beforeEnter("final").unschedule("late"),
      whenEnter("shipped").then((ctx) => {
        const urgent: boolean = ctx.need("urgent");
        console.log(urgent);
      }).finalize(),
      afterLeave("packed").unschedule("reminder"),
    ),
    rules.completedWhen((data, state) => state === "shipped" && data.grams === 0),
    rules.onUnhandled("redeliver"),
  ];
});

const visitStates = ["open", "closed"] as const;
/** The data is what the schema gives; its input does not matter. */
export const VisitSaga = saga("visit", {
  data: z.object({ count: z.number().default(0), since: z.coerce.date(), note: z.string().optional() }),
  states: visitStates,
  indexes: ["note"],
  events: (on) => ({
    begun: on.start(Shipped, (m) => m.parcel, () => ({ count: 1, since: new Date() })),
    noted: on.where(Weighed, (m) => ({ note: m.parcel })),
  }),
}, ({ initially, during, when }) => [
  initially(
    when("begun").then((ctx) => {
      ctx.saga.count++;
      ctx.saga.since.setTime(0);
    }).transitionTo("open"),
  ),
  during(visitStates, when("noted").finalize()),
]);

const drawn: string = OrderSaga.toMermaid() + ParcelSaga.toGraphviz();
console.log(drawn, verify(ParcelSaga).map(({ subject }) => subject), OrderSaga.describe().states.length);
