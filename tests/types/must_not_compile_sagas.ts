/** Each typical mistake in a saga, and that it does not compile; as `must_not_compile.ts`. */
import { saga, type, verify } from "@hero/messaging";
import {
  CheckAddress,
  GetOrder,
  OrderCancelled,
  OrderEvent,
  OrderSubmitted,
  PaymentReceived,
  RefundPayment,
} from "./order_contracts.ts";

// ---- Sagas

saga("bad", {
  data: type<{ total: number; parcel?: string; lines?: readonly string[] }>(),
  states: ["waiting", "done"],
  timeouts: { due: "15m" },
  indexes: ["parcel"],
  events: (on) => ({
    submitted: on.start(OrderSubmitted, (m) => m.orderId, (m) => ({ total: m.total })),
    paid: on(PaymentReceived, (m) => m.orderId),
    // @ts-expect-error the data that a new instance starts with is incomplete
    again: on.start(OrderSubmitted, (m) => m.orderId, () => ({})),
    found: on.where(OrderEvent, (m) => ({ parcel: m.orderId })),
    // @ts-expect-error `total` is not one of `indexes`
    dear: on.where(OrderSubmitted, (m) => ({ total: m.total })),
    // @ts-expect-error nor is it beside one
    dearParcel: on.where(OrderSubmitted, (m) => ({ parcel: m.orderId, total: m.total })),
    // @ts-expect-error not a property of the data
    wrong: on.where(OrderSubmitted, (m) => ({ parsel: m.orderId })),
    // @ts-expect-error the index is a string
    number: on.where(OrderSubmitted, (m) => ({ parcel: m.total })),
    // @ts-expect-error that would find all
    all: on.where(OrderSubmitted, () => ({})),
  }),
}, ({ initially, during, when, whenAll, timeout, sequence }) => {
  const ofPaid = sequence("paid", (steps) => steps.then((ctx) => console.log(ctx.message.paymentId)));
  return [
    // @ts-expect-error `paid` cannot start a saga: `on`, not `on.start`
    initially(when("paid").transitionTo("waiting")),
    // @ts-expect-error no such state
    during("wating", when("paid").finalize()),
    // @ts-expect-error no such state
    during("waiting", when("paid").transitionTo("doen")),
    // @ts-expect-error not an event of this saga
    during("waiting", when("payed").finalize()),
    // @ts-expect-error not an event of this saga
    during("waiting", whenAll("paid", "payed").finalize()),
    // @ts-expect-error no such timeout
    during("waiting", timeout("deu").finalize()),
    // @ts-expect-error no such timeout
    during("waiting", when("paid").schedule("deu")),
    // @ts-expect-error the message of `paid` has no `total`
    during("waiting", when("paid").then((ctx) => console.log(ctx.message.total))),
    // @ts-expect-error a property that the event does not declare, though an arrow function returns it
    during("waiting", when("paid").publish(OrderCancelled, (ctx) => ({ orderId: ctx.id, reason: "", extra: 1 }))),
    // @ts-expect-error a property is missing
    during("waiting", when("paid").publish(OrderCancelled, (ctx) => ({ orderId: ctx.id }))),
    // @ts-expect-error a command is not published
    during("waiting", when("paid").publish(RefundPayment, () => ({ paymentId: "1", amount: 1 }))),
    // @ts-expect-error a saga's context does not wait for answers; the step `.request` does
    during("waiting", when("paid").then(async (ctx) => console.log(await ctx.request(CheckAddress, { orderId: "1" })))),
    // @ts-expect-error a branch is missing
    during("waiting", when("submitted").switch((ctx) => ctx.message.currency, { EUR: (then) => then.finalize() })),
    // @ts-expect-error `paid` expects no reply
    during("waiting", when("paid").respond(() => ({ ok: true }))),
    // @ts-expect-error nor in a branch
    during("waiting", when("paid").if((ctx) => ctx.saga.total > 0, (then) => then.respond(() => ({ ok: true })))),
    // @ts-expect-error nor where it fails
    during("waiting", when("paid").catch(RangeError, (failed) => failed.respond(() => ({ ok: true })))),
    // @ts-expect-error a sequence of another event's message
    during("waiting", when("submitted").run(ofPaid)),
    during(
      "waiting",
      when("paid").request(CheckAddress, (ctx) => ({ orderId: ctx.id }), {
        timeout: "5s",
        // @ts-expect-error the reply has no `okay`
        completed: (then) => then.if((ctx) => ctx.message.okay, (ok) => ok.finalize()),
        faulted: (then) => then.compensate(),
        // @ts-expect-error no such state
        timedOut: (then) => then.transitionTo("late"),
      }),
      when("paid").request(CheckAddress, (ctx) => ({ orderId: ctx.id }), {
        timeout: "5s",
        // @ts-expect-error `paid` expects no reply
        completed: (then) => then.respond(() => ({ ok: true })),
        faulted: (then) => then.compensate(),
        timedOut: (then) => then.compensate(),
      }),
    ),
  ];
});

saga("bad", {
  data: type<{ total: number; lines: readonly string[] }>(),
  states: ["waiting"],
  // @ts-expect-error a list is no index
  indexes: ["lines"],
  events: (on) => ({ submitted: on.start(OrderSubmitted, (m) => m.orderId, (m) => ({ total: m.total, lines: [] })) }),
}, () => []);
saga("bad", {
  data: type<{ total: number }>(),
  states: ["waiting"],
  events: (on) => ({
    // @ts-expect-error there are no `indexes`
    submitted: on.where(OrderSubmitted, (m) => ({ total: m.total })),
  }),
}, () => []);

saga("bad", {
  data: type<{ total: number }>(),
  states: ["waiting", "waiting.long"],
  timeouts: { due: "15m" },
  events: (on) => ({
    submitted: on.start(OrderSubmitted, (m) => m.orderId, (m) => ({ total: m.total })),
    paid: on(PaymentReceived, (m) => m.orderId, { onMissing: "run" }),
    asked: on(GetOrder, (m) => m.orderId, { onMissing: "run" }),
    // @ts-expect-error not what becomes of a message
    missed: on(OrderEvent, (m) => m.orderId, { onMissing: "ignore" }),
    // @ts-expect-error the id is a text
    counted: on(OrderSubmitted, (m) => m.total),
    // @ts-expect-error a property that the data does not declare is no part of it
    more: on.start(OrderSubmitted, (m) => m.orderId, (m): { total: number } => ({ total: m.total, extra: 1 })),
  }),
}, (rules) => {
  const { initially, during, duringAny, when, whenMissing, whenEnter, timeout, onUnhandled } = rules;
  return [
    // @ts-expect-error a rule that starts nothing
    initially(timeout("due").finalize()),
    // @ts-expect-error there is no instance that could go to a state
    initially(whenMissing("paid").transitionTo("waiting")),
    // @ts-expect-error nor one that has data
    initially(whenMissing("paid").then((ctx) => console.log(ctx.saga.total.toFixed()))),
    // @ts-expect-error the reply is another
    initially(whenMissing("asked").respond(() => ({ orderId: "1", status: "nwe" }))),
    // @ts-expect-error nor in a branch
    during("waiting", when("asked").if(() => true, (then) => then.respond(() => ({ orderId: "1", status: "nwe" })))),
    during(
      "waiting",
      // @ts-expect-error an undo answers nobody
      when("asked").compensateWith("a", (undo) => undo.respond(() => ({ orderId: "1", status: "new" }))),
    ),
    // @ts-expect-error a sequence that answers another event
    during("waiting", when("paid").run(rules.sequence("asked", (steps) => steps.finalize()))),
    // @ts-expect-error the message of `paid` has a `paymentId`
    during("waiting", when("submitted").raise("paid", (ctx) => ({ orderId: ctx.id }))),
    // @ts-expect-error and no more than that
    during("waiting", when("submitted").raise("paid", (ctx) => ({ orderId: ctx.id, paymentId: "1", extra: 1 }))),
    // @ts-expect-error not an event of this saga
    during("waiting", when("submitted").raise("payed", (ctx) => ({ orderId: ctx.id, paymentId: "1" }))),
    // @ts-expect-error no such state
    duringAny(whenEnter("initial").finalize()),
    // @ts-expect-error no such state
    during(["waiting", "waiting.short"], when("paid").finalize()),
    // @ts-expect-error a policy is made by `retry.…`
    during("waiting", when("paid").retry({ limit: 3 }, (steps) => steps.finalize())),
    // @ts-expect-error a class of errors
    during("waiting", when("paid").catch("CardError", (failed) => failed.finalize())),
    // @ts-expect-error what was caught has no `bank`
    during("waiting", when("paid").catch(RangeError, (failed) => failed.then((ctx) => console.log(ctx.error.bank)))),
    // @ts-expect-error nothing has been caught
    during("waiting", when("paid").then((ctx) => console.log(ctx.error.message))),
    // @ts-expect-error no message has come
    during("waiting", timeout("due").then((ctx) => console.log(ctx.message.orderId))),
    // @ts-expect-error not a duration, and not a time
    during("waiting", when("paid").schedule("due", () => "tomorrow")),
    // @ts-expect-error not an answer
    onUnhandled("drop"),
    // @ts-expect-error nor this
    onUnhandled(() => "drop"),
    // @ts-expect-error the state is none of the saga's
    rules.completedWhen((_, state) => state === "wating"),
    // @ts-expect-error the data is another
    rules.completedWhen((data) => data.totl === 0),
  ];
});
saga("bad", {
  data: type<{ total: number }>(),
  states: [],
  events: () => ({}),
  // @ts-expect-error neither removed nor archived
  finalized: "kept",
}, () => []);
saga("bad", {
  data: type<{ total: number }>(),
  states: [],
  events: () => ({}),
  // @ts-expect-error an upgrade gives data
  upgrades: { 1: () => 5 },
}, () => []);
saga("bad", {
  data: type<{ total: number }>(),
  states: [],
  events: (on) => ({ submitted: on.start(OrderSubmitted, (m) => m.orderId, (m) => ({ total: m.total })) }),
  // @ts-expect-error a rule stands in a state
}, ({ when }) => [when("submitted").finalize()]);
saga("bad", {
  data: type<{ total?: number }>(),
  states: ["waiting"],
  // @ts-expect-error not a property of the data
  requires: { waiting: ["totl"] },
  events: () => ({}),
}, () => []);
saga("bad", {
  data: type<{ total?: number }>(),
  states: ["waiting"],
  // @ts-expect-error not a state
  requires: { wating: ["total"] },
  events: () => ({}),
}, () => []);
saga("bad", {
  data: type<{ total?: number }>(),
  states: ["waiting"],
  events: (on) => ({ submitted: on.start(OrderSubmitted, (m) => m.orderId, () => ({})) }),
}, ({ initially, when }) => [
  initially(
    when("submitted")
      // @ts-expect-error not a property of the data
      .then((ctx) => console.log(ctx.need("totl")))
      // @ts-expect-error the property is a number
      .then((ctx) => console.log(ctx.need("total").length)),
  ),
]);
// @ts-expect-error an event is correlated by `on`
saga("bad", { data: type<{ total: number }>(), states: [], events: () => ({ paid: PaymentReceived }) }, () => []);

// @ts-expect-error a contract is no saga
verify(OrderEvent);
