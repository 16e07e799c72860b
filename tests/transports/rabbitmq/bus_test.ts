/** A whole bus on RabbitMQ. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  command,
  createBus,
  event,
  memoryStore,
  NotCancellableError,
  query,
  UnroutableError,
  UnsupportedError,
} from "../../../mod.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { usualPort } from "../../support/servers/rabbitmq.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { skip } from "./broker.ts";
import { removeAll, withBus } from "./bus_rig.ts";

interface Submit {
  readonly orderId: string;
}
const Submit = command<Submit>("orders.submit");
const Submitted = event<Submit>("orders.submitted");
const Urgent = event<Submit & { readonly by: string }>("orders.urgent", { extends: Submitted });
const GetOrder = query<Submit, { readonly status: string }>("orders.get");

const clock = realTime();
const run = Math.floor(performance.timeOrigin + performance.now()).toString(36);

withBus("commands, events, bases and queries reach their endpoints", async (bus) => {
  const seen: string[] = [];
  bus.endpoint("orders")
    .handle(Submit, async ({ orderId }, ctx) => {
      seen.push(`submit ${orderId}`);
      await ctx.publish(Urgent, { orderId, by: "me" });
    })
    .handle(GetOrder, ({ orderId }) => ({ status: `new ${orderId}` }));
  bus.endpoint("audit").handle(Submitted, ({ orderId }) => void seen.push(`submitted ${orderId}`));
  bus.endpoint("live", { queue: "instance" }).handle(Urgent, ({ by }) => void seen.push(`urgent by ${by}`));
  await bus.start();
  await bus.send(Submit, { orderId: "1" });
  await eventually(clock, "all handlers", () => seen.length === 3);
  assertEquals(seen.toSorted(), ["submit 1", "submitted 1", "urgent by me"]);
  assertEquals(await bus.request(GetOrder, { orderId: "1" }, { timeout: "10s" }), { status: "new 1" });
});

withBus("many requests at once get their own answers", async (bus) => {
  bus.endpoint("orders", { concurrency: 64 }).handle(GetOrder, ({ orderId }) => ({ status: orderId }));
  await bus.start();
  const ids = Array.from({ length: 500 }, (_, at) => String(at));
  const answers = await Promise.all(ids.map((orderId) => bus.request(GetOrder, { orderId }, { timeout: "20s" })));
  assertEquals(answers.map(({ status }) => status), ids);
});

withBus("what fails is redelivered, then kept, listed and put back", async (bus) => {
  let broken = true;
  let calls = 0;
  bus.endpoint("orders", { redeliver: ["200ms"] }).handle(Submit, () => {
    calls++;
    if (broken) throw new Error("The shelf is empty");
  });
  await bus.start();
  await bus.send(Submit, { orderId: "7" });
  await eventually(clock, "both attempts", () => calls === 2);
  const errors = bus.errors("orders");
  const kept = async () => {
    const found = [];
    for await (const message of errors.list()) found.push(message);
    return found;
  };
  for (let tries = 0; tries < 100 && (await kept()).length === 0; tries++) await clock.pass(50);
  const [message, ...others] = await kept();
  assertEquals([others.length, message?.contract?.name], [0, "orders.submit"]);
  broken = false;
  assertEquals(await errors.requeue("all"), 1);
  await eventually(clock, "the third attempt", () => calls === 3);
  assertEquals(await kept(), []);
});

withBus("a command that nobody handles is refused, a delayed one comes later", async (bus) => {
  const seen: number[] = [];
  bus.endpoint("orders").handle(Submit, () => void seen.push(clock.now()));
  await bus.start();
  await assertRejects(() => bus.send(command<Submit>("orders.nobody"), { orderId: "1" }), UnroutableError);
  const start = clock.now();
  await bus.send(Submit, { orderId: "1" }, { delay: "700ms" });
  await eventually(clock, "it to come", () => seen.length === 1);
  assert(seen[0]! >= start + 700, `It came ${seen[0]! - start} ms after it was sent`);
});

withBus("priorities count where the endpoint's queue has them", async (bus) => {
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  bus.endpoint("orders", { concurrency: 1, prefetch: 1, extensions: [rabbitmq.queue({ maxPriority: 9 })] })
    .handle(Submit, async ({ orderId }) => {
      seen.push(orderId);
      await gate.promise;
    });
  await bus.start();
  await bus.send(Submit, { orderId: "first" });
  await eventually(clock, "the first", () => seen.length === 1);
  await bus.send(Submit, { orderId: "low" });
  await bus.send(Submit, { orderId: "high" }, { priority: 9 });
  gate.resolve();
  await eventually(clock, "all", () => seen.length === 3);
  assertEquals(seen, ["first", "high", "low"]);
});

withBus(
  "priorities above 9 are told apart where the queue has so many, and above that count as its highest",
  async (bus) => {
    const seen: string[] = [];
    const gate = Promise.withResolvers<void>();
    bus.endpoint("orders", { concurrency: 1, prefetch: 1, extensions: [rabbitmq.queue({ maxPriority: 20 })] })
      .handle(Submit, async ({ orderId }) => {
        seen.push(orderId);
        await gate.promise;
      });
    await bus.start();
    await bus.send(Submit, { orderId: "first" });
    await eventually(clock, "the first", () => seen.length === 1);
    for (const priority of [5, 12, 20, 255, 13]) await bus.send(Submit, { orderId: `${priority}` }, { priority });
    gate.resolve();
    await eventually(clock, "all", () => seen.length === 6);
    assertEquals(seen, ["first", "20", "255", "13", "12", "5"]);
  },
);

withBus(
  "a priority that the queue is known to ignore is refused; on an event, which others may heed, it is not",
  async (bus) => {
    bus.endpoint("orders", { extensions: [rabbitmq.queue({ type: "classic" })] }) // RabbitMQ 4 gives quorum queues two
      .handle(Submit, () => {}).handle(Submitted, () => {});
    await bus.start();
    const orderId = "1";
    for (const to of [undefined, `queue:${bus.describe().endpoints[0]?.name}` as const]) {
      const options = { priority: 3, ...(to === undefined ? {} : { to }) };
      const error = await assertRejects(() => bus.send(Submit, { orderId }, options), UnsupportedError, "maxPriority");
      assert(error.message.includes("the priority 3"), error.message);
    }
    await bus.send(Submit, { orderId }, { priority: 0 });
    await bus.publish(Submitted, { orderId }, { priority: 3 });
  },
);

withBus(
  "order by key needs no setting of the broker: the queue has a single active consumer",
  async (bus, transport) => {
    const Step = command<{ readonly key: string; readonly at: number }>("orders.step", { key: ({ key }) => key });
    const seen = new Map<string, number[]>();
    bus.endpoint("orders", { order: "key" }).handle(Step, ({ key, at }) => {
      seen.set(key, [...seen.get(key) ?? [], at]);
    });
    await bus.start();
    const steps = Array.from({ length: 60 }, (_, at) => ({ key: `k${at % 3}`, at }));
    await Promise.all(steps.map((step) => bus.send(Step, step)));
    await eventually(clock, "all steps", () => [...seen.values()].flat().length === 60);
    for (const numbers of seen.values()) assertEquals(numbers, numbers.toSorted((a, b) => a - b));
    const queues = bus.describe().topology.queues.map((each) => ({
      name: each.slice("queue:".length),
      extensions: [],
    }));
    const [change, ...others] = await transport.deploy({ queues, topics: [], bindings: [] }, "plan");
    assertEquals([change?.kind, others], ["conflict", []]);
    assert(change?.detail.includes(`"x-single-active-consumer"`), change?.detail);
  },
);

withBus("without a store, what is scheduled cannot be taken back, and unschedule says so", async (bus) => {
  const seen: string[] = [];
  bus.endpoint("orders").handle(Submit, ({ orderId }) => void seen.push(orderId));
  await bus.start();
  const token = await bus.schedule(Submit, { orderId: "later" }, { in: "500ms" });
  await assertRejects(() => bus.unschedule(token), NotCancellableError, token.id);
  await eventually(clock, "what was scheduled", () => seen.length === 1);
  const past = await bus.schedule(Submit, { orderId: "now" }, { at: new Date(clock.now() - 1_000) });
  await bus.unschedule(past); // it is out, so there is nothing to take back
  await eventually(clock, "what was due", () => seen.length === 2);
});

// Case 15.
test(
  "rabbitmq: what ran on when its connection was lost leaves nothing beside the second run, with an outbox",
  async () => {
    const proxy = await TcpProxy.to(usualPort);
    const transport = rabbitmq({ url: `amqp://127.0.0.1:${proxy.port}` });
    const bus = createBus({ name: "shop", transport, store: memoryStore(), prefix: `o${run}-` });
    const gate = Promise.withResolvers<void>();
    const told: string[] = [];
    let runs = 0;
    bus.endpoint("orders", { outbox: true }).handle(Submit, async ({ orderId }, ctx) => {
      runs++;
      const mine = runs;
      if (mine === 1) await gate.promise;
      await ctx.publish(Submitted, { orderId: `${orderId} by run ${mine}` });
    });
    bus.endpoint("audit").handle(Submitted, ({ orderId }) => void told.push(orderId));
    await bus.start();
    try {
      await bus.send(Submit, { orderId: "1" });
      await eventually(clock, "the first run", () => runs === 1);
      await proxy.cut();
      await eventually(clock, "the reconnect", () => transport.counts.connections === 2);
      await clock.pass(500);
      gate.resolve();
      await eventually(clock, "the effect", () => told.length > 0);
      await clock.pass(500);
      assertEquals(told.length, 1, `${told}`);
      assertEquals((await bus.counts("orders")).waiting, 0);
      assertEquals((await bus.counts("orders")).failed, 0);
    } finally {
      await bus.stop({ deadline: "2s" });
      await proxy[Symbol.asyncDispose]();
      await removeAll(bus);
    }
  },
  { skip },
);
