import { assertEquals } from "@std/assert";
import { command, createBus, event, type FrameTransform, memory, retry } from "@hero/messaging";
import { test } from "../support/runner.ts";

class Refused extends Error {}
const Charge = command<{ orderId: string }>("billing.charge");
const Base = event<{ orderId: string }>("billing.happened");
const Charged = event<{ orderId: string }>("billing.charged", { extends: Base });
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

test("describe() is plain data: JSON carries all of it", () => {
  const description = described();
  assertEquals(JSON.parse(JSON.stringify(description)), description);
});
