import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import {
  ConfigurationError,
  DuplicateContractError,
  DuplicateOwnerError,
  InvalidNameError,
} from "../../src/errors/configuration.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import { memory } from "../../transports/memory/mod.ts";
import { test } from "../support/runner.ts";
import { Journal, type Trial, trial } from "../support/trial.ts";

interface Order {
  readonly orderId: string;
}
const order: Order = { orderId: "42" };
const Plain = command<Order>("orders.plain");
const Owned = command<Order>("orders.owned", { to: "queue:by-contract" });
const Asked = query<Order, { ok: boolean }>("orders.asked", { to: "queue:by-contract" });
const Happened = event<Order>("orders.happened");

/** Queues to which a bus may send: a bus that handles there, and keeps what came. */
async function queues(trial: Trial, ...names: readonly string[]): Promise<void> {
  const client = await trial.client();
  await client.deploy({
    queues: names.map((name) => ({ name, extensions: [] })),
    topics: [],
    bindings: [],
  }, "apply");
}
async function counts(trial: Trial, ...names: readonly string[]): Promise<readonly number[]> {
  return await Promise.all(names.map((name) => trial.count(name)));
}

trial("a contract's own `to` yields to the bus' routes, and those to a send's", async (trial) => {
  await queues(trial, "by-contract", "by-routes", "by-send");
  const plain = trial.bus({ name: "plain" });
  const routing = trial.bus({ name: "routing", routes: { "queue:by-routes": [Owned] } });
  await Promise.all([plain.start(), routing.start()]);
  await plain.send(Owned, order);
  assertEquals(await counts(trial, "by-contract", "by-routes", "by-send"), [1, 0, 0]);
  await routing.send(Owned, order);
  assertEquals(await counts(trial, "by-contract", "by-routes", "by-send"), [1, 1, 0]);
  await routing.send(Owned, order, { to: "queue:by-send" });
  assertEquals(await counts(trial, "by-contract", "by-routes", "by-send"), [1, 1, 1]);
});

trial("a command without any rule goes to its own topic, to which its owner is bound", async (trial) => {
  const handled: string[] = [];
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Plain, ({ orderId }) => void handled.push(orderId));
  const sender = trial.bus({ name: "sender" });
  await owner.start();
  await sender.start();
  await sender.send(Plain, order);
  await trial.settled();
  assertEquals(handled, ["42"]);
});

trial("a request goes where its options say", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("elsewhere", { subscribe: false }).handle(Asked, () => ({ ok: true }));
  await bus.start();
  assertEquals(await bus.request(Asked, order, { to: "queue:elsewhere" }), { ok: true });
});

trial("an event that is routed to a topic is published and subscribed there", async (trial) => {
  const seen: string[] = [];
  const subscriber = trial.bus({ name: "subscriber", routes: { "topic:shared": [Happened] } });
  subscriber.endpoint("s").handle(Happened, (_, ctx) => void seen.push(ctx.messageId));
  const routed = trial.bus({ name: "routed", routes: { "topic:shared": [Happened] } });
  const plain = trial.bus({ name: "plain" });
  await Promise.all([subscriber.start(), routed.start(), plain.start()]);
  await routed.publish(Happened, order, { messageId: "by-route" });
  await plain.publish(Happened, order, { messageId: "by-name" });
  await trial.settled();
  assertEquals(seen, ["by-route"]);
});

trial("an address in a send that is none is refused", async (trial) => {
  const bus = trial.bus();
  await bus.start();
  for (
    const [to, says] of [
      ["orders", `Write "queue:orders" or "topic:orders"`],
      ["exchange:x", `"exchange:x" in { to } is not an address`],
      ["queue:", `Cannot name the queue in { to } "": it is empty`],
      ["topic:a b", `Cannot name the topic in { to } "a b": it contains " "`],
    ] as const
  ) {
    const error = await assertRejects(() => bus.send(Plain, order, { to: to as never }), ConfigurationError);
    assertStringIncludes(error.message, says);
  }
});

trial("a command that reaches no queue is an UnroutableError that names contract and address", async (trial) => {
  const bus = trial.bus();
  await bus.start();
  const error = await assertRejects(() => bus.send(Plain, order), UnroutableError);
  assertEquals(error.code, "HERO_UNROUTABLE");
  assertEquals(error.details, { contract: "orders.plain", address: "topic:orders.plain" });
  const sent = await assertRejects(() => bus.send(Plain, order, { to: "queue:nowhere" }), UnroutableError);
  assertEquals(sent.details["address"], "queue:nowhere");
  await assertRejects(() => bus.request(Plain, order), UnroutableError);
});

trial("an event that nobody subscribes to is published all the same", async (trial) => {
  const bus = trial.bus();
  await bus.start();
  await bus.publish(Happened, order);
  assertEquals(trial.broker.counts.unrouted, 1);
});

trial("prefix stands before every queue and topic: environments on one broker do not meet", async (trial) => {
  const handled: string[] = [];
  const [test, live] = ["test-", "live-"].map((prefix) => {
    const bus = trial.bus({ prefix, name: "app" });
    bus.endpoint("orders", { audit: "queue:audit" }).handle(Plain, () => {
      handled.push(prefix);
      throw new RangeError("no");
    });
    return bus;
  });
  await test?.start();
  await live?.start();
  await test?.send(Plain, order);
  await trial.settled();
  await test?.send(Plain, order, { to: "queue:orders" });
  await trial.settled();
  assertEquals(handled, ["test-", "test-"]);
  assertEquals(await counts(trial, "test-orders_error", "live-orders_error"), [2, 0]);
  const { endpoints, contracts } = test?.describe() ?? {};
  assertEquals(endpoints?.map(({ address }) => address), ["queue:test-orders"]);
  assertEquals(contracts?.map(({ topic }) => topic), ["topic:test-orders.plain"]);
});

trial("prefix stands before the queues, too, that only one process has", async (trial) => {
  const queues: string[] = [];
  const transport = memory({ broker: trial.broker });
  const receive = transport.receive.bind(transport);
  transport.receive = (source, sink) => {
    queues.push(source.queue);
    return receive(source, sink);
  };
  const bus = trial.bus({ prefix: "test-", transport });
  bus.endpoint("orders", { queue: "instance" }).handle(Plain, () => {});
  await bus.start();
  const stream = bus.stream(event<{ id: string }>("streamed"));
  await stream.opened;
  await bus.request(Plain, order);
  await stream.cancel();
  assertEquals(queues.map((queue) => queue.replace(/-[-0-9a-f]{36}$/, "-…")), [
    "test-orders-…",
    "test-app-stream-1-…",
    "test-app-replies-…",
  ]);
});

trial("a prefix under which nothing could be named is refused", async (trial) => {
  for (const prefix of [" ", "a b", "-a", "a,", "é", "a".repeat(201)]) {
    assertThrows(() => createBus({ name: "app", prefix }), InvalidNameError, "prefix");
  }
  await trial.bus({ prefix: "" }).start();
});

trial("a naming policy names topics and queues, at the sender and at the receiver", async (trial) => {
  const naming = {
    topic: ({ name, version }: { readonly name: string; readonly version: number }) => `T.${name}.v${version}`,
    queue: (endpoint: string) => `Q.${endpoint}`,
  };
  const handled: string[] = [];
  const owner = trial.bus({ name: "owner", naming, prefix: "p-" });
  owner.endpoint("orders").handle(Plain, ({ orderId }) => void handled.push(orderId));
  const sender = trial.bus({ name: "sender", naming, prefix: "p-" });
  const other = trial.bus({ name: "other", prefix: "p-" });
  await Promise.all([owner.start(), sender.start(), other.start()]);
  await sender.send(Plain, order);
  await trial.settled();
  assertEquals(handled, ["42"]);
  await assertRejects(() => other.send(Plain, order), UnroutableError);
  assertEquals(owner.describe().endpoints[0]?.address, "queue:p-Q.orders");
  assertEquals(owner.describe().contracts[0]?.topic, "topic:p-T.orders.plain.v1");
  await trial.put("queue:p-Q.orders", { body: "[]", headers: { "hero-type": "orders.plain" } });
  await trial.settled();
  assertEquals(await trial.count("p-Q.orders_error"), 1);
});

trial("describe() says where each command and query goes, and by which rule", async (trial) => {
  const Routed = command<Order>("orders.routed", { to: "queue:by-contract" });
  const bus = trial.bus({ routes: { "queue:by-routes": [Routed], "topic:all": [Happened] }, prefix: "p-" });
  bus.endpoint("orders").handle(Plain, () => {}).handle(Owned, () => {}).handle(Asked, () => ({ ok: true }))
    .handle(Routed, () => {});
  assertEquals(bus.describe().routes, [
    { contract: "orders.asked", version: 1, to: "queue:p-by-contract", by: "contract" },
    { contract: "orders.owned", version: 1, to: "queue:p-by-contract", by: "contract" },
    { contract: "orders.plain", version: 1, to: "topic:p-orders.plain", by: "endpoint" },
    { contract: "orders.routed", version: 1, to: "queue:p-by-routes", by: "routes" },
  ]);
  await bus.start();
});

test("a contract that stands in two routes is refused", () => {
  const error = assertThrows(
    () => createBus({ name: "app", routes: { "queue:a": [Plain], "queue:b": [Plain] } }),
    ConfigurationError,
  );
  for (const part of ["orders.plain", "queue:a", "queue:b"]) assertStringIncludes(error.message, part);
  assertThrows(() => createBus({ name: "app", routes: { "queue:a": [Plain, Plain] } }), ConfigurationError);
});

test("routes to what is no address, and of what is no contract, are refused", () => {
  assertThrows(() => createBus({ name: "app", routes: { "orders": [Plain] } as never }), ConfigurationError, "orders");
  assertThrows(() => createBus({ name: "app", routes: { "queue:a b": [Plain] } }), ConfigurationError);
  assertThrows(
    () => createBus({ name: "app", routes: { "queue:a": [{} as never] } }),
    ConfigurationError,
    `routed to "queue:a"`,
  );
});

test("an event that is routed to a queue, from JavaScript, is refused", () => {
  assertThrows(
    () => createBus({ name: "app", routes: { "queue:a": [Happened as never] } }),
    ConfigurationError,
    "Route it to a topic",
  );
});

trial("two endpoints that handle one command or query are refused at start, and both are named", async (trial) => {
  const commands = trial.bus();
  for (const name of ["one", "two"]) commands.endpoint(name).handle(Plain, () => {});
  const queries = trial.bus();
  for (const name of ["one", "two"]) queries.endpoint(name).handle(Asked, () => ({ ok: true }));
  for (const [bus, contract] of [[commands, Plain], [queries, Asked]] as const) {
    const error = await assertRejects(() => bus.start(), DuplicateOwnerError);
    assertEquals(error.code, "HERO_DUPLICATE_OWNER");
    assertEquals(error.details, { contract: contract.name, endpoints: ["one", "two"] });
  }
});

trial("two versions of one command have one owner, too", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("one").handle(Plain, () => {});
  bus.endpoint("two").handle(command<Order>("orders.plain", { version: 2 }), () => {});
  await assertRejects(() => bus.start(), DuplicateOwnerError);
});

trial("an endpoint cannot handle one command twice", async (trial) => {
  const endpoint = trial.bus().endpoint("one").handle(Plain, () => {});
  assertThrows(() => endpoint.handle(Plain, () => {}), ConfigurationError, "twice");
  await trial.settled();
});

trial("an event has any number of subscribers, on one endpoint and on several", async (trial) => {
  const seen: string[] = [];
  const bus = trial.bus();
  bus.endpoint("one").handle(Happened, () => void seen.push("one a")).handle(Happened, () => void seen.push("one b"));
  bus.endpoint("two").handle(Happened, () => void seen.push("two"));
  await bus.start();
  await bus.publish(Happened, order);
  await trial.settled();
  assertEquals(seen.sort(), ["one a", "one b", "two"]);
});

trial("one name and version for two contracts is refused at start, wherever they come from", async (trial) => {
  const Other = command<Order>("orders.plain");
  const handled = trial.bus({ contracts: [Plain] });
  handled.endpoint("one").handle(Other, () => {});
  await assertRejects(() => handled.start(), DuplicateContractError);
  const events = trial.bus();
  events.endpoint("one").handle(Happened, () => {});
  events.endpoint("two").handle(event<Order>("orders.happened"), () => {});
  await assertRejects(() => events.start(), DuplicateContractError);
  assertThrows(() => createBus({ name: "app", contracts: [Plain, Other] }), DuplicateContractError);
  assertThrows(
    () => createBus({ name: "app", contracts: [Plain], routes: { "queue:a": [Other] } }),
    DuplicateContractError,
  );
});

trial("a second contract of one name is refused when it is sent", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("one").handle(Plain, () => {});
  await bus.start();
  await assertRejects(() => bus.send(command<Order>("orders.plain"), order), DuplicateContractError);
  await bus.send(Plain, order);
});

trial("observers see where each message went", async (trial) => {
  const bus = trial.bus();
  const sent: string[] = [];
  bus.observe({ sent: ({ to }) => void sent.push(to), published: ({ to }) => void sent.push(to) });
  const journal = new Journal();
  bus.observe(journal);
  bus.endpoint("orders").handle(Owned, () => {});
  await queues(trial, "by-contract");
  await bus.start();
  await bus.send(Owned, order);
  await bus.publish(Happened, order);
  await assertRejects(() => bus.send(Plain, order));
  assertEquals(sent, ["queue:by-contract", "topic:orders.happened", "topic:orders.plain"]);
  assertEquals(journal.of("send").concat(journal.of("publish")), [
    "send orders.owned",
    "send orders.plain UnroutableError",
    "publish orders.happened",
  ]);
});
