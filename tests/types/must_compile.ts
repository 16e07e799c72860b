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
  type Sender,
  type SendMiddleware,
  type Transport,
  type,
} from "@hero/messaging";
import { z } from "zod";
import {
  CardError,
  CheckAddress,
  FindOrder,
  GetOrder,
  OrderCompleted,
  OrderEvent,
  OrderSubmitted,
  PaymentFailed,
  PaymentReceived,
  PaymentRefunded,
  Ping,
  RefundPayment,
  ShipOrder,
  store,
  SubmitOrder,
} from "./order_contracts.ts";
import { OrderSaga } from "./must_compile_sagas.ts";

// ---- A bus whose store is typed: inside `outbox: true` endpoints `ctx.tx` is its transaction.

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

bus.add(OrderSaga, { concurrency: 16 });

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
