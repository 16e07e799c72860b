/** Queues in parts: the order of a key, over several processes that share the work. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { command, createBus } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { rabbitmq, type RabbitmqQueueOptions } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { privateNode } from "./private_node.ts";
import { rig } from "./rig.ts";

const onNode = privateNode(5740);
const clock = realTime();

interface Step {
  readonly key: string;
  readonly at: number;
}
const Step = command<Step>("steps.take", { key: ({ key }) => key });
const Direct = command<Step>("steps.direct", { key: ({ key }) => key, to: "queue:steps" });

/** What was handled, in order, and by whom; and what was amiss. */
class Record {
  readonly done: { readonly by: string; readonly key: string; readonly at: number }[] = [];
  readonly flying = new Set<string>();
  readonly violations: string[] = [];

  async handle(by: string, { key, at }: Step): Promise<void> {
    if (this.flying.has(key)) this.violations.push(`Two of ${key} in flight`);
    this.flying.add(key);
    await clock.pass(1);
    this.flying.delete(key);
    this.done.push({ by, key, at });
  }
}

function worker(url: string, by: string, record: Record): Bus {
  const bus = createBus({ name: by, transport: rabbitmq({ url }) });
  bus.endpoint("steps", { order: "key", extensions: [rabbitmq.queue({ partitions: 4 })] })
    .handle(Step, (step) => record.handle(by, step))
    .handle(Direct, (step) => record.handle(by, step));
  return bus;
}

onNode(
  "of a key one message is in flight in all processes, in order, and the processes share the parts",
  async (node) => {
    const record = new Record();
    const [first, second] = [worker(node.url, "first", record), worker(node.url, "second", record)];
    await first.start();
    await second.start();
    const sendAll = async (from: number, count: number) => {
      for (let at = from; at < from + count; at += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, more) => first.send(Step, { key: `k${(at + more) % 20}`, at: at + more })),
        );
      }
    };
    let sent = 0;
    const both = () => new Set(record.done.slice(-100).map(({ by }) => by)).size === 2;
    for (let turn = 0; turn < 100 && !both(); turn++) {
      await sendAll(sent, 100);
      sent += 100;
      await eventually(clock, "all so far", () => record.done.length === sent, 30_000);
      await clock.pass(200);
    }
    assert(both(), "One process did all");
    // One that ends leaves its parts to the other.
    await second.stop({ deadline: "2s" });
    await sendAll(sent, 100);
    sent += 100;
    await eventually(clock, "all", () => record.done.length === sent, 30_000);
    assertEquals(record.violations, []);
    for (const key of new Set(record.done.map((each) => each.key))) {
      const numbers = record.done.filter((each) => each.key === key).map(({ at }) => at);
      assertEquals(numbers, numbers.toSorted((a, b) => a - b), `The order of ${key}`);
    }
    await first.stop({ deadline: "2s" });
  },
);

onNode(
  "who sends to the queue by its name reaches the same part, also later; counts are of all parts",
  async (node) => {
    const record = new Record();
    const bus = worker(node.url, "only", record);
    await bus.start();
    await bus.pause("steps");
    for (let at = 0; at < 20; at++) {
      await bus.send(at % 2 === 0 ? Step : Direct, { key: `k${at % 4}`, at });
    }
    await bus.send(Direct, { key: "k0", at: 20 }, { delay: "200ms" });
    await bus.resume("steps");
    await eventually(clock, "all", () => record.done.length === 21, 20_000);
    assertEquals(record.violations, []);
    assertEquals((await bus.counts("steps")).waiting, 0);
    await bus.stop({ deadline: "2s" });
  },
);

onNode("what is returned too often from a part is in the error queue, whichever way it came", async (node) => {
  const { transport } = await node.open({});
  const queues = [
    { name: "weak", extensions: [rabbitmq.queue({ partitions: 2, deliveryLimit: 1 })], ordered: true },
    { name: "weak_error", extensions: [] },
  ];
  await transport.deploy({ ...topology([]), queues }, "apply");
  assertEquals(await transport.deploy({ ...topology([]), queues }, "plan"), []);
  const { connect } = await import("amqplib");
  const { Buffer } = await import("node:buffer");
  const connection = await connect(node.url);
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue("weak", Buffer.from("direct"), { headers: { "hero-amqp-key": "k" } });
  channel.publish("weak", "", Buffer.from("published"), { headers: { "hero-amqp-key": "k" } });
  await channel.waitForConfirms();
  for (const part of ["weak_0", "weak_1"]) {
    await channel.consume(part, (message) => message !== null && channel.reject(message, true));
  }
  let kept = 0;
  for (let tries = 0; tries < 200 && kept < 2; tries++) {
    await clock.pass(50);
    kept = (await channel.checkQueue("weak_error")).messageCount;
  }
  assertEquals(kept, 2);
  await connection.close();

  // Fewer parts than there are would leave some that nobody reads.
  await transport.deploy({
    ...topology([]),
    queues: [{ name: "many", extensions: [rabbitmq.queue({ partitions: 4 })] }],
  }, "apply");
  const [change] = await transport.deploy({
    ...topology([]),
    queues: [{ name: "many", extensions: [rabbitmq.queue({ partitions: 2 })] }],
  }, "plan");
  assertEquals([change?.kind, change?.entity], ["conflict", "queue:many"]);
  await transport.close(clock.now() + 1_000);
});

onNode(
  "of a queue in parts, what was returned too often is told from what expired, whichever way it came",
  async (node) => {
    const { transport } = await node.open({});
    const made = (name: string, options: RabbitmqQueueOptions) => {
      const extensions = [rabbitmq.queue({ partitions: 2, ...options })];
      return [{ name, extensions, ordered: true }, { name: `${name}_error`, extensions: [] }];
    };
    const extensions = [rabbitmq.queue({ maxLength: 10 })];
    const queues = [
      ...made("short", { messageTtl: "100ms" }),
      ...made("limited", { deliveryLimit: 1, messageTtl: "1h" }),
      { name: "beside", extensions },
      { name: "beside_error", extensions: [] },
    ];
    await transport.deploy({ ...topology([]), queues }, "apply");
    // Whoever takes from a queue with limits looks why messages died, whichever queue they were in.
    const receiver = await transport.receive({
      queue: "beside",
      topics: [],
      lifetime: "durable",
      credit: 0,
      ordered: false,
      holdMs: 1_000,
      extensions,
    }, { deliver: () => {}, lost: () => {}, readdressed: () => {} });
    const { connect } = await import("amqplib");
    const { Buffer } = await import("node:buffer");
    const connection = await connect(node.url);
    const channel = await connection.createConfirmChannel();
    const count = async (...queues: readonly string[]) => {
      let sum = 0;
      for (const each of queues) sum += (await channel.checkQueue(each)).messageCount;
      return sum;
    };
    const headers = { "hero-amqp-key": "k" };
    for (const each of ["short", "limited"]) channel.sendToQueue(each, Buffer.from(each), { headers });
    await channel.waitForConfirms();
    await clock.pass(200);
    await eventually(clock, "its end", async () => await count("short", "short_0", "short_1") === 0);
    for (const part of ["limited_0", "limited_1"]) {
      await channel.consume(part, (message) => message !== null && channel.reject(message, true));
    }
    await eventually(clock, "what was returned", async () => await count("limited_error") === 1);
    assertEquals(await count("short_error"), 0);
    await connection.close();
    await receiver.stop();
    await transport.close(clock.now() + 1_000);
  },
);

rig("without the broker's plugin a queue in parts is refused, and the connections stay", async (rig) => {
  const queues = [{ name: rig.name("queue"), extensions: [rabbitmq.queue({ partitions: 2 })] }];
  await assertRejects(
    () => rig.transport.deploy({ ...topology([]), queues }, "apply"),
    ConfigurationError,
    "rabbitmq_consistent_hash_exchange",
  );
  assertEquals([rig.transport.counts.connections, rig.transport.counts.reconnects], [2, 0]);
});
