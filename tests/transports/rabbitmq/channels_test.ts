/** What becomes of channels that the broker ends: the rest goes on, on the same connections. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { UnroutableError } from "../../../src/errors/sending.ts";
import { AccessRefusedError, TopologyError } from "../../../src/errors/transport.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { isSince } from "./broker.ts";
import { rig } from "./rig.ts";

// Case 9.
rig("a message for a missing topic fails by itself, and those beside it are confirmed", async (rig) => {
  const queue = await rig.queue();
  const { transport } = rig;
  const [poison, ...others] = [
    rig.send("topic:hero-there-is-none", "poison"),
    rig.send(`queue:${queue}`, "b"),
    rig.send(`queue:${queue}`, "c"),
  ];
  await assertRejects(() => poison!, TopologyError, "hero-there-is-none");
  await Promise.all(others);
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 2);
  assertEquals(inbox.texts, ["b", "c"]);
  assertEquals([transport.counts.connections, transport.counts.reconnects], [2, 0]);
});

rig("a command for a missing topic is unroutable", async (rig) => {
  await assertRejects(() => rig.send("topic:hero-there-is-none", "x", { mandatory: true }), UnroutableError);
});

// Case 17.
rig("of three concurrent commands, the one without a queue fails, and no other", async (rig) => {
  const queue = await rig.queue();
  const results = await Promise.allSettled([
    rig.send(`queue:${queue}`, "1", { mandatory: true, messageId: "same" }),
    rig.send("queue:hero-there-is-none", "2", { mandatory: true, messageId: "same" }),
    rig.send(`queue:${queue}`, "3", { mandatory: true, messageId: "same" }),
  ]);
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assertInstanceOf((results[1] as PromiseRejectedResult).reason, UnroutableError);
});

rig("a queue that is deleted under its consumer is made again, and consumed from", async (rig) => {
  const topic = rig.name("topic");
  const queue = await rig.queue(topic);
  const inbox = await rig.receive(queue, { topics: [topic] });
  await rig.send(`queue:${queue}`, "held");
  await rig.came(inbox, 1);
  await rig.raw((channel) => channel.deleteQueue(queue));
  await rig.until("the loss", () => inbox.lostDeliveries.length === 1);
  await rig.until("a consumer", () => rig.transport.counts.consumers === 1);
  await rig.send(`topic:${topic}`, "after", { mandatory: true });
  await rig.came(inbox, 2);
  assertEquals(inbox.texts, ["held", "after"]);
});

rig("a delay to a queue that was made again comes out", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  await rig.send(`queue:${queue}`, "first", { dueAt: rig.clock.now() + 100 });
  await rig.came(inbox, 1);
  await rig.raw((channel) => channel.deleteQueue(queue));
  await rig.until("the loss", () => inbox.lostDeliveries.length === 1);
  await rig.until("a consumer", () => rig.transport.counts.consumers === 1);
  await rig.send(`queue:${queue}`, "second", { dueAt: rig.clock.now() + 100 });
  await rig.came(inbox, 2);
});

for (const by of ["its consumer", "somebody else", "who reconnects", "who deploys"] as const) {
  rig(`what others delay comes out to a queue that ${by} made again, also what was under way`, async (rig) => {
    // RabbitMQ 3.10 does not tell who takes from a quorum queue that it is another one now.
    const type = by === "somebody else" ? "classic" : "quorum";
    const queue = rig.name("queue");
    const entity = { name: queue, extensions: [rabbitmq.queue({ type })] };
    await rig.transport.deploy({ queues: [entity], topics: [], bindings: [] }, "apply");
    const other = await rig.other();
    const later = (text: string, ms: number) =>
      rig.send(`queue:${queue}`, text, { dueAt: rig.clock.now() + ms, mandatory: true }, other);
    try {
      const inbox = await rig.receive(queue);
      await later("first", 100);
      await rig.came(inbox, 1);
      if (by !== "its consumer") await inbox.accept();
      const takes = by === "its consumer" || by === "somebody else";
      if (!takes) await inbox.stop();
      await later("under way", 3_000);
      await rig.raw(async (channel) => {
        await channel.deleteQueue(queue);
        if (by !== "somebody else") return;
        // Before its consumer looks whether it is there.
        await channel.assertQueue(queue, { arguments: { "x-queue-type": type } });
        const consumers = async () => (await channel.checkQueue(queue)).consumerCount;
        while (await consumers() === 0) await rig.clock.pass(50);
      });
      if (by === "its consumer") {
        await rig.until("the loss", () => inbox.lostDeliveries.length === 1);
        await rig.until("a consumer", () => rig.transport.counts.consumers === 1);
      } else if (by === "who reconnects") {
        await rig.bench.wire(rig.transport).cut();
        await rig.until("both back", () => rig.transport.counts.reconnects === 2);
      } else if (by === "who deploys") await rig.transport.deploy(topology([queue]), "apply");
      await later("second", 100);
      const after = takes ? inbox : await rig.receive(queue);
      await rig.until("both", () => ["second", "under way"].every((text) => after.texts.includes(text)));
    } finally {
      await other.close(rig.clock.now() + 1_000);
    }
  });
}

rig("a queue with other arguments is a conflict that names the argument and both values", async (rig) => {
  const name = rig.name("queue");
  await rig.raw((channel) => channel.assertQueue(name));
  const topology = { queues: [{ name, extensions: [] }], topics: [], bindings: [] };
  rig.owns(topology);
  for (const mode of ["plan", "check", "apply"] as const) {
    const [change, ...others] = await rig.transport.deploy(topology, mode);
    assertEquals([change?.kind, change?.entity, others], ["conflict", `queue:${name}`, []]);
    // From RabbitMQ 4 on, a queue of which nothing is said says what it is.
    const current = isSince(4, 0) ? `"classic"` : "not set";
    assert(change?.detail.includes(`"x-queue-type" is ${current} there, and should be "quorum"`), change?.detail);
  }
});

rig("plan and check make nothing beside a queue that somebody made by hand", async (rig) => {
  const [name, topic] = [rig.name("queue"), rig.name("topic")];
  const args = { "x-queue-type": "quorum", "x-delivery-limit": 100 };
  await rig.raw((channel) => channel.assertQueue(name, { arguments: args }));
  const wanted = topology([name], { [topic]: [name] });
  const found = async (exchange: string) => {
    try {
      return await rig.raw(async (channel) => {
        channel.on("error", () => {}); // it is told by what is rejected
        return await channel.checkExchange(exchange).then(() => true, () => false);
      });
    } catch {
      return false; // the channel has ended
    }
  };
  for (const mode of ["plan", "check"] as const) {
    const changes = (await rig.transport.deploy(wanted, mode)).map(({ kind, entity }) => `${kind} ${entity}`);
    assertEquals(changes.toSorted(), [
      `create queue:${name}`,
      `create topic:${topic}`,
      `create topic:${topic} -> queue:${name}`,
    ]);
    assertEquals([await found(name), await found(topic)], [false, false]);
  }
  const [, queue] = await rig.transport.deploy(wanted, "apply");
  assert(queue?.detail.startsWith("what is missing of"), queue?.detail);
  assertEquals([await found(name), await found(topic)], [true, true]);
  assertEquals(await rig.transport.deploy(wanted, "check"), []);
  await rig.send(`topic:${topic}`, "bound", { mandatory: true });
});

// 403: the user has no right; here none has.
rig("what the broker lets nobody declare or publish to is named, with the reason", async (rig) => {
  const reserved = `amq.${rig.name("queue")}`;
  for (const wanted of [topology([reserved]), topology([], { [reserved]: [] })]) {
    const error = await assertRejects(() => rig.transport.deploy(wanted, "apply"), AccessRefusedError, reserved);
    assert(error.message.includes("reserved prefix"), error.message);
    assertEquals(error.details["doing"], "deploy");
  }
  const internal = rig.name("internal");
  rig.owns(topology([], { [internal]: [] }));
  await rig.raw((channel) => channel.assertExchange(internal, "fanout", { internal: true }));
  const error = await assertRejects(() => rig.send(`topic:${internal}`, "x"), AccessRefusedError, `topic:${internal}`);
  assert(error.message.includes("cannot publish to internal exchange"), error.message);
});

// 405: RabbitMQ has one for what is another connection's.
rig("a queue that another connection has for itself is named wherever it is needed", async (rig) => {
  const name = rig.name("queue");
  await rig.raw(async (channel) => {
    await channel.assertQueue(name, { exclusive: true });
    for (
      const needed of [
        () => rig.transport.deploy(topology([name]), "apply"),
        () => rig.transport.deploy(topology([name]), "plan"),
        () => rig.receive(name),
        () => rig.send(`queue:${name}`, "later", { dueAt: rig.clock.now() + 10_000 }),
      ]
    ) {
      const error = await assertRejects(async () => void await needed(), TopologyError, `queue:${name}`);
      assert(error.message.includes("another connection has it for itself"), error.message);
    }
  });
});

rig("a binding to an exchange that is missing says which", async (rig) => {
  const [name, exchange] = [rig.name("queue"), rig.name("exchange")];
  const queues = [{ name, extensions: [rabbitmq.queue({ bind: [{ exchange }] })] }];
  const error = await assertRejects(
    () => rig.transport.deploy({ ...topology([]), queues }, "apply"),
    TopologyError,
    `topic:${exchange} -> queue:${name}`,
  );
  assert(error.message.includes(`the exchange "${exchange}" is missing`), error.message);
});

rig("a queue as its settings say is the same the next time", async (rig) => {
  const extensions = [rabbitmq.queue({
    maxPriority: 5,
    maxLength: 1_000,
    maxLengthBytes: 1_000_000,
    overflow: "reject-publish",
    messageTtl: "1h",
  })];
  const topology = { queues: [{ name: rig.name("queue"), extensions }], topics: [], bindings: [] };
  await rig.transport.deploy(topology, "apply");
  assertEquals(await rig.transport.deploy(topology, "plan"), []);
});

rig("a full queue that refuses tells the sender", async (rig) => {
  const name = rig.name("queue");
  const extensions = [rabbitmq.queue({ type: "classic", maxLength: 2, overflow: "reject-publish" })];
  await rig.transport.deploy({ queues: [{ name, extensions }], topics: [], bindings: [] }, "apply");
  const results = await Promise.allSettled([1, 2, 3].map((text) => rig.send(`queue:${name}`, String(text))));
  assertEquals(results.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
  assertEquals((results[2] as PromiseRejectedResult).reason.code, "HERO_NOT_CONFIRMED");
});

rig("receiving from a queue that is missing says so, and leaves nothing open", async (rig) => {
  await assertRejects(() => rig.receive("hero-there-is-none"), TopologyError, "hero-there-is-none");
  assertEquals(rig.transport.counts.receivers, 0);
});

rig("an ordered source needs a queue with one consumer, and says how to get it", async (rig) => {
  const queue = await rig.queue();
  await assertRejects(() => rig.receive(queue, { ordered: true }), ConfigurationError, "singleActiveConsumer: true");
});

rig("a queue cannot be both ordered and for several consumers", async (rig) => {
  const name = rig.name("queue");
  const extensions = [rabbitmq.queue({ singleActiveConsumer: false })];
  await assertRejects(
    () => rig.transport.deploy({ queues: [{ name, extensions, ordered: true }], topics: [], bindings: [] }, "apply"),
    ConfigurationError,
    "singleActiveConsumer",
  );
});

rig("a queue that is gone, and is another's to make, is waited for, and taken from when it is there", async (rig) => {
  const queue = rig.name("queue");
  const declare = () => rig.raw((channel) => channel.assertQueue(queue));
  rig.owns({ queues: [{ name: queue, extensions: [] }], topics: [], bindings: [] });
  await declare();
  const inbox = await rig.receive(queue);
  await rig.raw((channel) => channel.deleteQueue(queue));
  await rig.until("it to be told", () => rig.states.at(-1) === "degraded");
  assertEquals(rig.transport.counts.consumers, 0);
  await declare();
  await rig.until("a consumer", () => rig.transport.counts.consumers === 1);
  await rig.send(`queue:${queue}`, "a", { mandatory: true });
  await rig.came(inbox, 1);
  assertEquals(rig.states.at(-1), "up");
});

rig("receiving while the connection is away waits for it", async (rig) => {
  const queue = await rig.queue();
  await rig.send(`queue:${queue}`, "a");
  const cut = rig.bench.wire(rig.transport).cut();
  const inbox = await rig.receive(queue);
  await cut;
  await rig.until("it", () => inbox.texts.includes("a"));
});
