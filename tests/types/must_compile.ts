/**
 * A small shop: nothing here is cast, nothing is `any`. It must compile, and is never run: `types_test.ts` checks it.
 */
import {
  type Bus,
  type BusOptions,
  type Command,
  command,
  type ConsumeContext,
  consumer,
  contextKey,
  createBus,
  type Event,
  event,
  fault,
  memory,
  memoryBroker,
  type OutputOf,
  query,
  type Requester,
  retry,
  saga,
  type Schema,
  type Sender,
  type SendMiddleware,
  type Shape,
  type Steps,
  type Store,
  type Transport,
  type,
  verify,
} from "@hero/messaging";
import { z } from "zod";

// ---- Contracts: the interface and the contract share a name, so that errors and hovers speak of `OrderSubmitted`.

export interface OrderEvent {
  orderId: string;
}
export const OrderEvent = event<OrderEvent>("orders.order-event");

export interface OrderSubmittedV1 extends OrderEvent {
  total: number;
}
export const OrderSubmittedV1 = event<OrderSubmittedV1>("orders.order-submitted");
export interface OrderSubmitted extends OrderSubmittedV1 {
  currency: "EUR" | "USD";
}
export const OrderSubmitted = event<OrderSubmitted>("orders.order-submitted", {
  version: 2,
  extends: OrderEvent,
  key: (m) => m.orderId,
  ttl: "1d",
}).upcast(OrderSubmittedV1, (old) => ({ ...old, currency: "EUR" }));

export interface SubmitOrder {
  orderId: string;
  total: number;
}
export const SubmitOrder = command<SubmitOrder>("orders.submit-order", {
  key: (m) => m.orderId,
  to: "queue:orders",
});

export interface Order {
  orderId: string;
  status: "new" | "paid" | "shipped";
}
export const GetOrder = query<{ orderId: string }, Order>("orders.get-order");

/** Several named replies: everything is inferred from the options, so the message's type goes there too. */
export const OrderFound = event<Order>("orders.order-found");
export const OrderMissing = event<{ orderId: string; since?: Date }>("orders.order-missing");
export const FindOrder = query("orders.find-order", {
  schema: type<{ orderId: string }>(),
  replies: { found: OrderFound, missing: OrderMissing },
});

/** A Standard Schema (here a stand-in for `z.object(…)`) that turns an ISO string into a Date. */
declare const shipmentSchema: Schema<{ orderId: string; at: string }, { orderId: string; at: Date }>;
export const ShipOrder = command("orders.ship-order", { schema: shipmentSchema, key: (m) => m.orderId });
export const Ping = command("ping");

export const PaymentReceived = event<{ orderId: string; paymentId: string }>("payments.received");
export const PaymentFailed = event<{ orderId: string; reason: string }>("payments.failed");
export const OrderAccepted = event<{ orderId: string; channel: "web" | "shop" }>("orders.accepted");
export const OrderCancelled = event<{ orderId: string; reason: string }>("orders.cancelled");
export const OrderCompleted = event<OrderEvent>("orders.completed");
export const PaymentRefunded = event<{ paymentId: string }>("payments.refunded");
export const RefundPayment = command<{ paymentId: string; amount: number }>("payments.refund");
export const CheckAddress = query<{ orderId: string }, { ok: boolean; zip: string }>("addresses.check");
export const GetOrderState = query<{ orderId: string }, { state: string }>("orders.get-state");
export class CardError extends Error {
  readonly bank: string = "";
}

// ---- A bus whose store is typed: inside `outbox: true` endpoints `ctx.tx` is its transaction.

interface Sql {
  (query: TemplateStringsArray, ...values: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
}
declare const store: Store<Sql>;
declare const transport: Transport;
const bus = createBus({
  name: "orders",
  transport,
  store,
  routes: {
    "queue:addresses": [CheckAddress],
    "queue:order-queries": [GetOrder, FindOrder],
    "topic:payments": [PaymentFailed],
  },
});

const Tenant = contextKey<{ id: string }>("tenant");
bus.use(async (ctx, next) => {
  ctx.set(Tenant, { id: String(ctx.headers["tenant"] ?? "public") });
  await next();
});

/** Takes a bus or any context. */
const announce = (sender: Sender, orderId: string) => sender.publish(OrderCompleted, { orderId });

/** Written on its own; it reaches the transaction through the store, and the tenant through its key. */
const refundPayment = consumer(RefundPayment, async (payment, ctx) => {
  const sql = store.tx(ctx);
  await sql`insert into refunds values (${payment.paymentId}, ${payment.amount}, ${ctx.get(Tenant).id})`;
  await ctx.publish(PaymentRefunded, { paymentId: payment.paymentId });
});

bus.endpoint("orders", {
  concurrency: 32,
  outbox: true,
  retry: retry.exponential({ limit: 5, min: "100ms", max: "30s", ignore: [CardError] }),
  order: "key",
  redeliver: ["1m", "1h"],
  overtaking: "allowed",
})
  .handle(SubmitOrder, async (order, ctx) => {
    await ctx.tx`insert into orders values (${order.orderId}, ${order.total})`;
    await ctx.publish(OrderSubmitted, { orderId: order.orderId, total: order.total, currency: "EUR" });
    await ctx.schedule(SubmitOrder, order, { in: "1h" });
  })
  .handle(OrderEvent, (message, ctx) => {
    if (ctx.is(OrderSubmitted)) console.log(message.orderId, ctx.message.currency);
  })
  .handle(ShipOrder, ({ orderId, at }, ctx) => at < new Date() ? announce(ctx, orderId) : ctx.defer("1h"))
  .batch(PaymentReceived, { size: 100, within: "200ms" }, async (batch, ctx) => {
    for (const { message } of batch) await ctx.tx`update orders set paid = ${message.paymentId}`;
  })
  .handle(fault(ShipOrder), ({ exceptions: [reason], message }) => console.error(message.at.getTime(), reason?.type))
  .add(refundPayment);

/** Queries and what waits for answers stand apart: a request in an open transaction is refused. */
bus.endpoint("order-queries", {
  recoverability: (error, attempt) => error instanceof CardError ? "error" : attempt < 3 ? "retry" : { delay: "1m" },
})
  .handle(GetOrder, ({ orderId }) => ({ orderId, status: "new" }))
  .handle(FindOrder, async ({ orderId }, ctx) => {
    const { status } = await ctx.request(GetOrder, { orderId }, { timeout: "5s" });
    if (status === "new") return { kind: "missing", message: { orderId } };
    return await ctx.respond({ kind: "found", message: { orderId, status } });
  });

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
      when("refunded").switch((ctx) => ctx.saga.total > 100 ? "large" : "small", {
        large: (then) => then.run(cancel),
        small: (then) => then.finalize(),
      }),
      when("asked").respond((ctx) => ({ state: ctx.state })),
      whenEnter("cancelled").unschedule("paymentDue"),
    ),
    onUnhandled((ctx, event) => ctx.state === "cancelled" && event === "paid" ? "ignore" : "fault"),
  ];
});
bus.add(OrderSaga, { concurrency: 16 });

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

// ---- The caller's side.

await bus.deploy("apply");
await bus.start();
await bus.send(SubmitOrder, { orderId: "42", total: 10 });
await bus.send(Ping, {});
await bus.send(ShipOrder, { orderId: "42", at: "2026-01-01" }, {
  to: "queue:depot",
  delay: "5s",
  headers: { urgent: true },
});
const token = await bus.schedule(SubmitOrder, { orderId: "42", total: 10 }, { at: new Date() });
await bus.unschedule(token);
await announce(bus, "40");
const rows = await bus.transaction(async (tx, sender) => {
  await sender.send(SubmitOrder, { orderId: "43", total: 10 }, { messageId: "order-43" });
  await bus.publish(OrderCompleted, { orderId: "41" }, { tx });
  return await tx`select count(*) from orders`;
});
console.log(rows.length);
const found = await bus.request(FindOrder, { orderId: "42" });
console.log(found.kind === "found" ? found.message.status : found.message.since?.toISOString());
for await (const submitted of bus.stream(OrderSubmitted, { signal: AbortSignal.timeout(60_000) })) {
  console.log(submitted.total);
}

// ---- The operator's side.

const { waiting, failed } = await bus.counts("orders");
if (failed > 0 && waiting === 0) {
  await bus.pause("orders");
  for await (const { messageId, exceptions } of bus.errors("orders").list({ limit: 10 })) {
    if (exceptions[0]?.type === "CardError") await bus.errors("orders").requeue([messageId]);
  }
  await bus.resume("orders");
}
console.log(bus.health().status, bus.describe().endpoints.map((endpoint) => endpoint.name));

// ---- What the bus has beyond that.

const broker = memoryBroker({ byReference: true });
const options: BusOptions<undefined> = {
  name: "billing",
  transport: memory({ broker, maxQueueLength: 1000 }),
  contracts: [OrderSubmitted],
  naming: { topic: (contract) => `${contract.name}-v${contract.version}`, queue: (endpoint) => `q.${endpoint}` },
  prefix: "test-",
  deploy: "check",
  sendBuffer: 100,
  host: { machine: "m" },
};
const billing: Bus = createBus(options);
/** A bus of any store is a sender, and one without a store is one without `tx`. */
const senders: readonly Sender[] = [bus, billing];
await Promise.all(senders.map((sender) => announce(sender, "1")));

const stamp: SendMiddleware = async (ctx, next) => {
  if (ctx.kind === "publish" && ctx.cause?.endpoint === "invoices") ctx.setHeader("from", ctx.cause.messageId);
  ctx.message = { ...Object(ctx.message) };
  await next();
};
billing.useSend(stamp).use((ctx, next) => ctx.attempt > 3 ? Promise.resolve() : next());

billing.endpoint("invoices", {
  concurrency: 4,
  prefetch: 64,
  timeout: "10s",
  hold: "1m",
  audit: "queue:audit",
  publishFaults: false,
  expired: "error",
  queue: "instance",
  subscribe: false,
  outbox: "memory",
  circuitBreaker: { trackingPeriod: "1m", tripThreshold: 50, resetInterval: ["1s", "30s"], probes: 2 },
  killSwitch: { activationThreshold: 10, tripThreshold: 30, trackingPeriod: "1m", restartTimeout: "1m" },
  rateLimit: { limit: 100, per: "1s" },
  extensions: [memory.queue({ maxQueueLength: 10 })],
  retry: retry.intervals(["10ms", "1s"], { handle: [(error) => error.name === "TimeoutError", CardError] }),
})
  .useSend(stamp)
  .use(async (ctx, next) => {
    ctx.set(Tenant, { id: "1" });
    await next();
  })
  .batch(OrderSubmitted, { size: 10, within: "1s", by: (m) => m.orderId, alone: true }, async (batch, ctx) => {
    for (const item of batch) {
      const currency: "EUR" | "USD" = item.message.currency;
      if (currency === "USD") ctx.fail(item, new RangeError(item.messageId));
    }
    const { status } = await ctx.request(GetOrder, { orderId: "1" });
    console.log(status, ctx.signal.aborted);
  })
  .handle(FindOrder, async ({ orderId }, ctx) => {
    const early = await ctx.respond({ kind: "missing", message: { orderId } });
    await ctx.forward("queue:elsewhere");
    await ctx.redeliver("1m");
    return early;
  });

/** A zod schema gives both types: its input is sent, its output arrives. */
export const Booked = event("hotels.booked", {
  schema: z.object({ at: z.coerce.date(), nights: z.number().default(1) }),
  key: (m) => String(m.nights ?? 1),
});
export type Booked = OutputOf<typeof Booked>;
const booked = consumer(Booked, ({ at, nights }) => console.log(at.getTime() + nights), { name: "bookings" });
await using connection = await billing.connect(booked, { order: "key", redeliver: ["1m"], overtaking: "allowed" });
console.log(connection.endpoint);
await billing.publish(Booked, { at: new Date() }, { key: "1", priority: 3, ttl: "1h", delay: 0, correlationId: "c" });

/** A reply that is validated. */
export const GetTotal = query("orders.get-total", {
  schema: type<{ orderId: string }>(),
  reply: z.object({ total: z.number() }),
});
const { total } = await billing.request(GetTotal, { orderId: "1" }, { to: "queue:totals", timeout: "5s" });
console.log(total.toFixed());
/** A command may be answered, too; without a reply the request waits until it has been handled. */
export const Charge = command<{ amount: number }, { receipt: string }>("payments.charge");
const asker: Requester = billing;
console.log((await asker.request(Charge, { amount: 1 })).receipt);
const nothing: void = await billing.request(SubmitOrder, { orderId: "1", total: 1 });
console.log(nothing);

/** Streams of the web, in and out. */
await billing.stream(Booked)
  .pipeThrough(new TransformStream<Booked, { orderId: string }>())
  .pipeTo(billing.sink(OrderCompleted, { headers: { via: "stream" } }));
await ReadableStream.from([{ orderId: "1", total: 1 }]).pipeTo(billing.sink(SubmitOrder, { to: "queue:orders" }));

/** What derives is accepted where its base is asked for. */
const only = (ctx: ConsumeContext<OrderEvent>) => ctx.is(OrderSubmitted) ? ctx.message.total : ctx.message.orderId;
billing.endpoint("bases").handle(OrderEvent, (_, ctx) => only(ctx));

/** Contracts that are published are annotated. */
export const Annotated: Event<OrderEvent> = event<OrderEvent>("orders.annotated");
export const Answered: Command<{ amount: number }, { receipt: string }> = Charge;

const stop = billing.observe({
  faulted: ({ endpoint, error, then }) => console.error(endpoint, error.message, then),
  unhandled: ({ name }, why) => console.log(name, why === "skipped"),
});
stop();
await billing.errors("invoices").requeue((message) => message.reason === "fault" && message.attempts > 1);
await billing.errors("invoices").discard("all");
const { consumed } = billing.statistics("invoices");
const changes = await billing.deploy("plan");
console.log(consumed, changes.filter(({ kind }) => kind === "create").length);
await billing.start({ signal: AbortSignal.timeout(1000) });
await bus.stop({ deadline: "30s" });
