import { assertEquals } from "@std/assert";
import {
  batchConsumer,
  command,
  consumer,
  createBus,
  event,
  type FrameTransform,
  jsonSerializer,
  memory,
  retry,
  saga,
  type Serializer,
  type,
} from "@hero/messaging";
import { RecordingTelemetry } from "../support/recording_telemetry.ts";
import { test } from "../support/runner.ts";

class Refused extends Error {}
/** JSON by another name. */
function called(contentType: string): Serializer {
  const json = jsonSerializer();
  return { contentType, serialize: (value) => json.serialize(value), deserialize: (...of) => json.deserialize(...of) };
}
const Charge = command<{ orderId: string }>("billing.charge");
const Base = event<{ orderId: string }>("billing.happened");
const Charged = event<{ orderId: string }>("billing.charged", { extends: Base });
const Bill = saga("bill", {
  data: type<{ orderId: string }>(),
  states: ["open"],
  timeouts: { due: "15m" },
  events: (on) => ({
    begun: on.start(Base, (m) => m.orderId, ({ orderId }) => ({ orderId })),
    charged: on(Charged, (m) => m.orderId),
  }),
}, ({ initially, during, when, timeout }) => [
  initially(when("begun").schedule("due").transitionTo("open")),
  during("open", when("charged").finalize(), timeout("due").finalize()),
]);
const transform: FrameTransform = { name: "zip", apply: (frame) => frame, restore: (frame) => frame };

function described() {
  const bus = createBus({ name: "billing", contracts: [Charged], transforms: [transform], prefix: "p-" });
  bus.use(function tenant(_, next) {
    return next();
  });
  bus.useSend(function stamp(_, next) {
    return next();
  });
  bus.endpoint("billing", {
    concurrency: 2,
    retry: retry.exponential({ limit: 5, min: "100ms", max: "30s", handle: [Refused] }),
    redeliver: ["1m", "1h"],
    timeout: "10s",
    circuitBreaker: { handle: [Refused, (error) => error.name === "Busy"], probes: 2 },
    outbox: "memory",
    extensions: [memory.queue({ maxQueueLength: 10 })],
    audit: "queue:audit",
  })
    .use((_, next) => next())
    .useSend(function sign(_, next) {
      return next();
    })
    .handle(Charge, () => {});
  return bus.describe();
}

test("describe() tells what an endpoint was told, and what a message passes there, in order", () => {
  const [endpoint] = described().endpoints;
  assertEquals(endpoint?.settings, {
    retry: "exponential, 5 × 100ms to 30s",
    redeliver: ["1m", "1h"],
    timeout: "10s",
    circuitBreaker: { handle: ["Refused", "a function"], probes: 2 },
    outbox: "memory",
    extensions: [{ transport: "memory", value: { maxQueueLength: 10 } }],
    audit: "queue:audit",
  });
  assertEquals([endpoint?.concurrency, endpoint?.prefetch], [2, 8]);
  assertEquals(endpoint?.stages.slice(-3), ["middleware tenant", "middleware 2", "handlers"]);
  assertEquals(endpoint?.sendMiddleware, ["middleware sign"]);
  assertEquals(described().sendStages, ["middleware stamp", "zip"]);
});

test("describe() tells what shall be at the broker", () => {
  const { queues, topics, bindings } = described().topology;
  assertEquals(queues, ["queue:p-billing", "queue:p-billing_error", "queue:p-billing_skipped", "queue:p-audit"]);
  assertEquals(topics.filter((topic) => !topic.includes("fault:")), [
    "topic:p-billing.charge",
    "topic:p-billing.charged",
    "topic:p-billing.happened",
  ]);
  assertEquals(bindings.filter(({ from }) => !from.includes("fault:")), [
    { from: "topic:p-billing.charge", to: "queue:p-billing" },
    { from: "topic:p-billing.charged", to: "topic:p-billing.happened" },
  ]);
});

test("describe() tells what runs on an endpoint: handlers, consumers, batches with their settings, sagas", () => {
  const bus = createBus({ name: "billing" });
  bus.add(consumer(Charged, () => {}, { name: "mail-receipt" }));
  bus.add(batchConsumer(Charged, { name: "archive", size: 50, within: "2s", by: (m) => m.orderId }, () => {}));
  bus.endpoint("billing")
    .handle(Charge, function charge() {})
    .handle(Base, () => {})
    .batch(Charged, {
      alone: true,
      by: function byOrder({ orderId }) {
        return orderId;
      },
    }, () => {})
    .batch(Base, {}, function importBatch() {});
  // On one of its own: a message in a saga's unit is in no batch's.
  bus.add(Bill);
  const consumers = bus.describe().endpoints.map(({ name, consumers }) => ({ name, consumers }));
  const [charge, base, charged] = [Charge, Base, Charged].map(({ name }) => ({ name, version: 1 }));
  assertEquals(consumers as unknown, [
    { name: "mail-receipt", consumers: [{ name: "mail-receipt", kind: "handler", contracts: [charged] }] },
    {
      name: "archive",
      consumers: [{
        name: "archive",
        kind: "batch",
        contracts: [charged],
        batch: { size: 50, withinInMs: 2000, by: "by", alone: false },
      }],
    },
    {
      name: "billing",
      consumers: [
        { name: "charge", kind: "handler", contracts: [charge] },
        { name: "billing.happened", kind: "handler", contracts: [base] },
        {
          name: "billing.charged",
          kind: "batch",
          contracts: [charged],
          batch: { size: 10, withinInMs: 1000, by: "byOrder", alone: true },
        },
        {
          name: "importBatch",
          kind: "batch",
          contracts: [base],
          batch: { size: 10, withinInMs: 1000, alone: false },
        },
      ],
    },
    // Its timeout comes by its endpoint's queue, not by a topic.
    { name: "bill", consumers: [{ name: "bill", kind: "saga", contracts: [base, charged] }] },
  ]);
});

test("describe() tells what the bus was told, and what stands for what it was not", () => {
  assertEquals(createBus({ name: "billing" }).describe().settings, {
    prefix: "",
    deploy: "apply",
    sendBuffer: 10_000,
    writes: "application/json",
    reads: ["application/json"],
    routes: {},
    naming: {},
    telemetry: false,
    host: {},
    replaced: [],
  });
  const told = createBus({
    name: "billing",
    prefix: "p-",
    deploy: "check",
    sendBuffer: 5,
    serializer: called("application/x-own"),
    serializers: [called("application/x-other")],
    routes: { "queue:charges": [Charge], "topic:all": [Base] },
    naming: {
      queue: function loud(name) {
        return name.toUpperCase();
      },
    },
    telemetry: new RecordingTelemetry(),
    host: { machine: "m-1" },
    random: Math.random,
  }).describe();
  assertEquals(told.settings, {
    prefix: "p-",
    deploy: "check",
    sendBuffer: 5,
    writes: "application/x-own",
    reads: ["application/x-own", "application/x-other", "application/json"],
    routes: { "queue:charges": ["billing.charge"], "topic:all": ["billing.happened"] },
    naming: { queue: "loud" },
    telemetry: true,
    host: { machine: "m-1" },
    replaced: ["random"],
  });
});

test("describe() is plain data: JSON carries all of it", () => {
  const description = described();
  assertEquals(JSON.parse(JSON.stringify(description)), description);
});
