/**
 * Each typical mistake, and that it does not compile: a directive that is not needed is an error itself. Remove one to
 * see the compiler's words. Never run: `types_test.ts` checks it.
 */
import {
  command,
  consumer,
  contextKey,
  createBus,
  event,
  fault,
  memory,
  query,
  retry,
  type Sender,
  type SendMiddleware,
  type Store,
  type,
} from "@hero/messaging";
import { rabbitmq } from "@hero/messaging/rabbitmq";
import {
  FindOrder,
  GetOrder,
  OrderCancelled,
  OrderEvent,
  OrderFound,
  OrderMissing,
  OrderSubmitted,
  SubmitOrder,
} from "./order_contracts.ts";

// ---- Contracts

// @ts-expect-error a derived message must have what its base has
event<{ id: string }>("bad", { extends: OrderEvent });
// @ts-expect-error the key is taken from a property of the message
event<{ id: string }>("bad", { key: (m) => m.orderId });
// @ts-expect-error not a duration
event<{ id: string }>("bad", { ttl: "5 parsecs" });
// @ts-expect-error named replies are inferred, so the message's type must be too: `schema: type<…>()`
query<{ id: string }, { kind: "found" }>("bad", { replies: { found: OrderFound, missing: OrderMissing } });
// @ts-expect-error the upcast does not give the new version
event<{ id: string; currency: string }>("bad", { version: 2 }).upcast(OrderEvent, (old) => ({ id: old.orderId }));
// @ts-expect-error an address says what it is: `queue:` or `topic:`
command("bad", { to: "orders" });
// @ts-expect-error an event has no owner
event("bad", { to: "queue:orders" });

// ---- Sending, publishing, handling

type Sql = (query: TemplateStringsArray) => Promise<void>;
declare const store: Store<Sql>;
declare const sql: Sql;
declare const dates: import("@hero/messaging").Schema<{ at: string }, { at: Date }>;
const OrderCancelledTotal = event<{ total: number }>("bad.total");
const bus = createBus({ name: "bad", store });
// @ts-expect-error an address says what it is: `queue:` or `topic:`
createBus({ name: "bad", routes: { orders: [SubmitOrder] } });
// @ts-expect-error an event does not go to a queue
createBus({ name: "bad", routes: { "queue:orders": [OrderCancelled] } });
// @ts-expect-error an address says what it is: `queue:` or `topic:`
await bus.send(SubmitOrder, { orderId: "1", total: 1 }, { to: "orders" });
// @ts-expect-error an event has no owner
await bus.publish(OrderCancelled, { orderId: "1", reason: "" }, { to: "queue:orders" });
// @ts-expect-error no transaction on a bus without a store
await createBus({ name: "bad" }).send(SubmitOrder, { orderId: "1", total: 1 }, { tx: sql });
// @ts-expect-error not a transaction of this bus' store
await bus.send(SubmitOrder, { orderId: "1", total: 1 }, { tx: "sql" });
// @ts-expect-error a request does not wait for a commit
await bus.request(GetOrder, { orderId: "1" }, { tx: sql });
// @ts-expect-error headers are text, numbers and booleans
await bus.send(SubmitOrder, { orderId: "1", total: 1 }, { headers: { at: new Date() } });
// @ts-expect-error an event has no owner that could answer
await bus.request(OrderCancelled, { orderId: "1", reason: "" });
// @ts-expect-error a typo in a property
await bus.send(SubmitOrder, { orderId: "1", totl: 1 });
// @ts-expect-error a property that the contract does not declare
await bus.send(SubmitOrder, { orderId: "1", total: 1, extra: true });
// @ts-expect-error a command is not published
await bus.publish(SubmitOrder, { orderId: "1", total: 1 });
// @ts-expect-error an event is not sent
await bus.send(OrderCancelled, { orderId: "1", reason: "" });
// @ts-expect-error the reply is missing
bus.endpoint("bad").handle(GetOrder, async () => {});
// @ts-expect-error the reply is wrong
bus.endpoint("bad").handle(GetOrder, ({ orderId }) => ({ orderId, status: "nwe" }));
// @ts-expect-error not one of the named replies
bus.endpoint("bad").handle(FindOrder, (m) => ({ kind: "fuond", message: m }));
bus.endpoint("bad").handle(SubmitOrder, async (_, ctx) => {
  // @ts-expect-error no transaction without `outbox: true`
  await ctx.tx`select 1`;
});
bus.endpoint("bad", { outbox: "memory" }).handle(SubmitOrder, async (_, ctx) => {
  // @ts-expect-error an outbox in memory has no transaction
  await ctx.tx`select 1`;
});
bus.endpoint("bad", { outbox: true }).handle(GetOrder, async ({ orderId }, ctx) => {
  // @ts-expect-error a query gets no transaction
  await ctx.tx`select 1`;
  return { orderId, status: "new" };
});
bus.endpoint("good", { outbox: true }).handle(SubmitOrder, async (_, ctx) => await ctx.tx`select 1`);
bus.endpoint("good", { outbox: { group: 50 } }).handle(OrderEvent, async (_, ctx) => await ctx.tx`select 1`);
bus.endpoint("good", { outbox: { inboxWindow: "30d" } }).handle(OrderEvent, async (_, ctx) => await ctx.tx`select 1`);
// @ts-expect-error not a duration
bus.endpoint("bad", { outbox: { inboxWindow: "a week" } });
// @ts-expect-error a bus is not a delivery
store.tx(bus);
bus.endpoint("bad").handle(fault(SubmitOrder), ({ message }) => {
  // @ts-expect-error the fault's message is the one that failed
  console.log(message.reason);
});
// @ts-expect-error queries are not answered in batches
bus.endpoint("bad").batch(GetOrder, { size: 10 }, () => {});
// @ts-expect-error a policy is made by `retry.…`
bus.endpoint("bad", { retry: { limit: 5 } });
// @ts-expect-error it grows without end: `max` is missing
retry.exponential({ limit: 5, min: "1s" });
// @ts-expect-error not something to do with a failed message
bus.endpoint("bad", { recoverability: () => "drop" });
// @ts-expect-error what waits for redelivery is overtaken: that must be allowed
bus.endpoint("bad", { order: "key", redeliver: ["1m"] });
// @ts-expect-error so is what the own rule delays
bus.endpoint("bad", { order: "key", recoverability: () => ({ delay: "1m" }) });
bus.endpoint("good", { order: "key", recoverability: (_, attempt) => attempt < 3 ? "retry" : "error" });
bus.endpoint("good", { order: "key", recoverability: () => ({ delay: "1m" }), overtaking: "allowed" });
// @ts-expect-error an endpoint's option that does not exist
bus.endpoint("bad", { concurency: 5 });
// @ts-expect-error neither plan, check nor apply
await bus.deploy("force");
const found = await bus.request(FindOrder, { orderId: "1" });
// @ts-expect-error which reply it is must be asked first
console.log(found.message.status);

// ---- What the bus has beyond that

// @ts-expect-error a version is a number
event("bad", { version: "2" });
// @ts-expect-error an option that does not exist
event("bad", { tll: "5s" });
// @ts-expect-error an event has no reply
event("bad", { reply: type<{ id: string }>() });
// @ts-expect-error an upcast starts from a contract
event<{ id: string }>("bad", { version: 2 }).upcast("bad", (old) => old);
// @ts-expect-error the message of the older version has no `currency`
event<{ id: string }>("bad", { version: 2 }).upcast(OrderEvent, (old) => ({ id: old.currency }));
// @ts-expect-error replies are contracts
query("bad", { schema: type<{ id: string }>(), replies: { found: type<{ id: string }>() } });
// @ts-expect-error the schema's input is sent, a text, not what it gives
await bus.publish(event("bad", { schema: dates }), { at: new Date() });
// @ts-expect-error a batch' size is a number
bus.endpoint("bad").batch(OrderEvent, { size: "10" }, () => {});
// @ts-expect-error a batch' time is a duration
bus.endpoint("bad").batch(OrderEvent, { within: "soon" }, () => {});
// @ts-expect-error a batch is by a property of the message
bus.endpoint("bad").batch(OrderEvent, { by: (m) => m.total }, () => {});
// @ts-expect-error a batch' option that does not exist
bus.endpoint("bad").batch(OrderEvent, { sise: 10 }, () => {});
// @ts-expect-error one message of a batch, not the batch, fails
bus.endpoint("bad").batch(OrderEvent, {}, (batch, ctx) => ctx.fail(batch, new Error("no")));
bus.endpoint("bad").batch(OrderEvent, {}, (batch) => {
  // @ts-expect-error the messages of a base have its properties only
  for (const { message } of batch) console.log(message.total);
});
// @ts-expect-error an event is not sent to a queue
bus.sink(OrderCancelled, { to: "queue:orders" });
// @ts-expect-error a query is not written: it would lose its answer
bus.sink(GetOrder);
// @ts-expect-error a sink is outside of transactions
bus.sink(SubmitOrder, { tx: sql });
// @ts-expect-error what is written is the contract's message
await bus.sink(SubmitOrder).getWriter().write({ orderId: "1" });
// @ts-expect-error what is read is the contract's message
for await (const message of bus.stream(OrderEvent)) console.log(message.total);
// @ts-expect-error a stream is of a contract
bus.stream("orders.order-event");
const wrongKind: SendMiddleware = async (ctx, next) => {
  // @ts-expect-error not how a message comes to be sent
  if (ctx.kind === "sent") return;
  // @ts-expect-error headers are text, numbers and booleans
  ctx.setHeader("at", new Date());
  // @ts-expect-error where it goes is not the middleware's to say
  ctx.to = "queue:elsewhere";
  await next();
};
// @ts-expect-error middleware on sending has another context than that on handling
bus.use(wrongKind);
// @ts-expect-error middleware waits for what is inside
bus.useSend((_ctx, next) => void next());
const Tenant = contextKey<{ id: string }>("tenant");
bus.use((ctx, next) => {
  // @ts-expect-error the key says what is set under it
  ctx.set(Tenant, "public");
  // @ts-expect-error and what is got
  console.log(ctx.get(Tenant).name);
  return next();
});
// @ts-expect-error by id, by what is known, or all
await bus.errors("bad").requeue({ messageId: "1" });
// @ts-expect-error a failed message has no such property
await bus.errors("bad").discard((message) => message.retries > 3);
// @ts-expect-error a limit is a number
bus.errors("bad").list({ limit: "10" });
// @ts-expect-error an audit goes to a queue
bus.endpoint("bad", { audit: "topic:audit" });
// @ts-expect-error a queue is shared or an instance's
bus.endpoint("bad", { queue: "own" });
// @ts-expect-error what has expired is discarded or kept
bus.endpoint("bad", { expired: "drop" });
// @ts-expect-error an outbox is of the store or in memory
bus.endpoint("bad", { outbox: "disk" });
// @ts-expect-error order is by key
bus.endpoint("bad", { order: "strict" });
// @ts-expect-error not a duration
bus.endpoint("bad", { timeout: "1 minute" });
// @ts-expect-error a rate has a time
bus.endpoint("bad", { rateLimit: { limit: 5 } });
// @ts-expect-error retries are counted
retry.immediate("3");
// @ts-expect-error a filter names classes or functions
retry.immediate(3, { handle: ["TypeError"] });
// @ts-expect-error a consumer's name is text
consumer(OrderEvent, () => {}, { name: 1 });
// @ts-expect-error a consumer on its own answers as a handler does
consumer(GetOrder, ({ orderId }) => ({ orderId, status: "nwe" }));
// @ts-expect-error `deploy` at start applies or checks
createBus({ name: "bad", deploy: "plan" });
// @ts-expect-error a topic's name is text
createBus({ name: "bad", naming: { topic: (contract) => contract.version } });
// @ts-expect-error a bus has a name
createBus({ transport: memory() });
// @ts-expect-error not an option of the transport
memory({ byRef: true });
// @ts-expect-error when: in, or at
await bus.schedule(SubmitOrder, { orderId: "1", total: 1 }, "1h");
// @ts-expect-error an instant is not a text
await bus.schedule(SubmitOrder, { orderId: "1", total: 1 }, { at: "2026-01-01" });
// @ts-expect-error it is due in a while or at a time, not both
await bus.schedule(SubmitOrder, { orderId: "1", total: 1 }, { in: "1h", at: new Date() });
// @ts-expect-error nobody would get the answer of a query
await bus.schedule(GetOrder, { orderId: "1" }, { in: "1h" });
// @ts-expect-error a token is what `schedule` gave
await bus.unschedule("token");
// @ts-expect-error a request waits for its answer: it has a timeout, no delay
await bus.request(GetOrder, { orderId: "1" }, { delay: "5s" });
bus.endpoint("bad").handle(OrderEvent, async (_, ctx) => {
  // @ts-expect-error an event is not answered
  await ctx.respond({ ok: true });
  // @ts-expect-error an address says what it is: `queue:` or `topic:`
  await ctx.forward("orders");
  // @ts-expect-error not one of the base's messages
  ctx.is(OrderCancelledTotal);
  // @ts-expect-error within a unit there is no other transaction
  await ctx.publish(OrderSubmitted, { orderId: "1", total: 1, currency: "EUR" }, { tx: sql });
});
// @ts-expect-error a bus of another store is none of this one's
const other: Sender<string> = bus;
console.log(other);

/** As the environment gives it: left out, it must not be this machine's broker without a word. */
declare const brokerUrl: string | undefined;
// @ts-expect-error a URL that may be missing
rabbitmq(brokerUrl);

// ---- Not caught by types; the runtime must

/** `${number}` allows blanks, signs and exponents: `"5 s"`, `"-5s"`, `"1e3ms"`. */
command("allowed", { ttl: "-5s" });
/** An extra property of a *reply* that an arrow function returns is not refused (`Make` would do it, at its price). */
bus.endpoint("allowed").handle(GetOrder, ({ orderId }) => ({ orderId, status: "new" as const, passwordHash: "…" }));
/** A message held in a variable may have more properties than the contract, as everywhere in TypeScript. */
const wide = { orderId: "1", total: 1, extra: true };
await bus.send(SubmitOrder, wide);
