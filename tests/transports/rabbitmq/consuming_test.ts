/** How messages are taken: what may have killed its process, who may take, and streams. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { TopologyError } from "../../../src/errors/transport.ts";
import { rabbitmq, type RabbitmqQueueOptions } from "../../../transports/rabbitmq/mod.ts";
import type { Inbox } from "../../conformance/transport/inbox.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { skipBefore } from "./broker.ts";
import { type Rig, rig } from "./rig.ts";

/** A queue with these settings, and they as extensions of its sources. */
async function made(rig: Rig, options: RabbitmqQueueOptions) {
  const queue = rig.name("queue");
  const extensions = [rabbitmq.queue(options)];
  await rig.transport.deploy({ ...topology([]), queues: [{ name: queue, extensions }] }, "apply");
  return { queue, extensions };
}

/** Has a consumer die with all that is in a queue, so often. */
async function die(rig: Rig, queue: string, count: number, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await rig.raw(async (channel) => {
      const all = Promise.withResolvers<void>();
      let came = 0;
      await channel.prefetch(count);
      await channel.consume(queue, () => void (++came === count && all.resolve()));
      await all.promise;
    });
  }
}

rig("what has come five times is handled alone: nothing else is taken until it is settled", async (rig) => {
  const queue = await rig.queue();
  for (const text of ["a", "b", "c"]) await rig.send(`queue:${queue}`, text);
  await die(rig, queue, 3, 4);
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  await rig.clock.pass(300);
  assertEquals(inbox.received.map(({ deliveryCount }) => deliveryCount), [5]);
  // Were the process to die now, the broker would count that for the one alone.
  assertEquals((await rig.transport.admin?.count(queue))?.waiting, 2);
  await inbox.accept();
  await rig.came(inbox, 2);
  await inbox.accept();
  await rig.came(inbox, 3);
  await inbox.accept();
  assertEquals(inbox.received.map(({ deliveryCount }) => deliveryCount), [5, 5, 5]);
  // What is above suspicion comes beside others again.
  for (const text of ["d", "e", "f"]) await rig.send(`queue:${queue}`, text);
  await rig.came(inbox, 6);
  assertEquals(inbox.texts.slice(3), ["d", "e", "f"]);
});

rig("a suspect that comes between others waits until they are settled, and is not counted meanwhile", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  for (const text of ["a", "b"]) await rig.send(`queue:${queue}`, text);
  await rig.came(inbox, 2);
  await rig.raw(async (channel) => {
    const { Buffer } = await import("node:buffer");
    channel.sendToQueue(queue, Buffer.from("suspect"), { headers: { "x-delivery-count": 6 }, messageId: "s" });
    await channel.waitForConfirms();
  });
  await rig.send(`queue:${queue}`, "behind");
  await rig.clock.pass(300);
  const before = [...inbox.texts];
  assert(!before.includes("suspect"), `${before}`);
  await inbox.accept();
  await rig.came(inbox, before.length + 1);
  if (!before.includes("behind") && !inbox.texts.includes("suspect")) await inbox.accept();
  await rig.until("the suspect", () => inbox.texts.includes("suspect"));
  assertEquals(inbox.unsettled.length, 1);
  await inbox.accept();
  await rig.until("all", () => inbox.received.length === 4);
});

rig("the queue of an instance goes with it; of one that dies, the broker takes it away after a minute", async (rig) => {
  for (const lifetime of ["instance", "reply"] as const) {
    const queue = rig.name(lifetime);
    const inbox = await rig.receive(queue, { lifetime });
    // Refused if anything differed.
    const args = { "x-queue-type": "classic", "x-expires": 60_000 };
    await rig.raw((channel) => channel.assertQueue(queue, { arguments: args }));
    await inbox.stop();
    await assertRejects(() => rig.transport.admin!.count(queue), TopologyError, "missing");
  }
});

rig("stopping gives back what was kept apart", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  await rig.send(`queue:${queue}`, "a");
  await rig.came(inbox, 1);
  await rig.raw(async (channel) => {
    const { Buffer } = await import("node:buffer");
    channel.sendToQueue(queue, Buffer.from("suspect"), { headers: { "x-delivery-count": 6 }, messageId: "s" });
    await channel.waitForConfirms();
  });
  await rig.clock.pass(200);
  await inbox.stop();
  await inbox.accept();
  const second = await rig.receive(queue);
  await rig.came(second, 1);
  assertEquals(second.texts, ["suspect"]);
});

rig(
  "a quorum queue has priorities: higher ones come first, up to 31, and what says none counts as 4",
  async (rig) => {
    const queue = await rig.queue();
    for (const priority of [undefined, 0, 5, 3, 31, 200, 4]) {
      await rig.send(`queue:${queue}`, `${priority}`, { priority });
    }
    const inbox = await rig.receive(queue, { credit: 1 });
    inbox.acceptAll();
    await rig.came(inbox, 7);
    assertEquals(inbox.texts, ["31", "200", "5", "undefined", "4", "3", "0"]);
  },
  {},
  skipBefore(4, 3),
);

rig("an exclusive consumer shuts others out, with an error that says why", async (rig) => {
  const { queue, extensions } = await made(rig, { type: "classic", exclusive: true });
  const inbox = await rig.receive(queue, { extensions });
  const error = await assertRejects(() => rig.receive(queue, { extensions }), TopologyError, queue);
  assert(error.message.includes("another consumer has it for itself"), error.message);
  await rig.send(`queue:${queue}`, "a");
  await rig.came(inbox, 1);
  await inbox.accept();
  await inbox.stop();
  await rig.receive(queue, { extensions });
});

rig("a consumer with a higher priority gets messages as long as it takes them", async (rig) => {
  const queue = await rig.queue();
  const low = await rig.receive(queue, { extensions: [rabbitmq.queue({ consumerPriority: 1 })] });
  const high = await rig.receive(queue, { extensions: [rabbitmq.queue({ consumerPriority: 5 })] });
  await rig.send(`queue:${queue}`, "first");
  await rig.came(high, 1); // from now on it takes several at once
  await rig.clock.pass(200);
  for (const text of ["a", "b", "c"]) await rig.send(`queue:${queue}`, text);
  await rig.came(high, 4);
  assertEquals(low.texts, []);
});

rig("the oldest goes where a queue is full, or the sender is told, as its settings say", async (rig) => {
  const dropping = await made(rig, { maxLength: 2 });
  for (const text of ["a", "b", "c"]) await rig.send(`queue:${dropping.queue}`, text);
  const inbox = await rig.receive(dropping.queue);
  await rig.came(inbox, 2);
  assertEquals(inbox.texts, ["b", "c"]);
});

rig("a stream is read from where its settings say, by each who reads it", async (rig) => {
  const { queue } = await made(rig, { type: "stream", maxLengthBytes: 10_000_000, maxAge: "1h" });
  for (let at = 0; at < 5; at++) await rig.send(`queue:${queue}`, String(at));
  const from = (offset: NonNullable<RabbitmqQueueOptions["offset"]>) =>
    rig.receive(queue, { extensions: [rabbitmq.queue({ type: "stream", offset })] });
  const [first, third, next, dated] = [
    await from("first"),
    await from(3),
    await from("next"),
    await from(new Date(rig.clock.now() - 3_600_000)),
  ];
  await rig.came(first, 5);
  await rig.came(third, 2);
  await rig.came(dated, 5);
  await rig.send(`queue:${queue}`, "5");
  await rig.came(next, 1);
  await rig.came(first, 6);
  assertEquals([first.texts, third.texts, next.texts], [["0", "1", "2", "3", "4", "5"], ["3", "4", "5"], ["5"]]);
});

rig("after a lost connection a stream is read on from the first message that was not settled", async (rig) => {
  const { queue, extensions } = await made(rig, { type: "stream", offset: "first" } as const);
  for (let at = 0; at < 5; at++) await rig.send(`queue:${queue}`, String(at));
  const inbox = await rig.receive(queue, { extensions });
  await rig.came(inbox, 5);
  await inbox.accept(inbox.received.slice(0, 3));
  await rig.bench.wire(rig.transport).cut();
  await rig.came(inbox, 7);
  await rig.clock.pass(200);
  assertEquals(inbox.texts, ["0", "1", "2", "3", "4", "3", "4"]);
});

rig("what an endpoint gives back comes to it again, on a stream too", async (rig) => {
  const { queue, extensions } = await made(rig, { type: "stream", offset: "first" } as const);
  for (const text of ["a", "b"]) await rig.send(`queue:${queue}`, text);
  const inbox = await rig.receive(queue, { extensions });
  await rig.came(inbox, 2);
  await inbox.settle({ outcome: "release" }, [inbox.received[0]!]);
  await rig.came(inbox, 3);
  assertEquals(inbox.texts, ["a", "b", "a"]);
});

rig("consumers that are there are left alone by who looks for those that are not", async (rig) => {
  const kinds: readonly RabbitmqQueueOptions[] = [
    { type: "quorum" },
    { type: "quorum", singleActiveConsumer: true },
    { type: "classic", exclusive: true },
    { type: "stream", offset: "first" },
  ];
  const inboxes: Inbox[] = [];
  for (const options of kinds) {
    const { queue, extensions } = await made(rig, options);
    const inbox = await rig.receive(queue, { extensions });
    inboxes.push(inbox);
    await rig.send(`queue:${queue}`, "held");
    await rig.came(inbox, 1);
  }
  inboxes.push(await rig.receive(rig.name("reply"), { lifetime: "reply" }));
  await rig.clock.pass(1_000); // ten looks
  assertEquals(inboxes.map(({ received, lostDeliveries }) => [received.length, lostDeliveries.length]), [
    [1, 0],
    [1, 0],
    [1, 0],
    [1, 0],
    [0, 0],
  ]);
  const { consumersWanted, consumers, receivers } = rig.transport.counts;
  assertEquals([receivers, consumersWanted, consumers], [5, 5, 5]);
}, { checkConsumersEvery: 100 });

rig(
  "who may hold a message for longer than the broker lets it is refused, unless the broker is said to",
  async (rig) => {
    const queue = await rig.queue();
    const held = 30 * 60_000;
    const inbox = await rig.receive(queue, { holdMs: held });
    await inbox.stop();
    const error = await assertRejects(() => rig.receive(queue, { holdMs: held + 1 }), ConfigurationError, queue);
    assert(error.message.includes("consumerTimeout"), error.message);
    const bench = rig.bench;
    await bench.prepare(1);
    const patient = bench.connect({ consumerTimeout: "2h" });
    const { signal } = new AbortController();
    await patient.open({ bus: "patient", clock: rig.clock, signal, status: () => {} });
    try {
      const source = { queue, topics: [], lifetime: "durable", credit: 1, ordered: false, extensions: [] } as const;
      const sink = { deliver: () => {}, lost: () => {}, readdressed: () => {} };
      const receiver = await patient.receive({ ...source, holdMs: 2 * held }, sink);
      await receiver.stop();
      const extensions = [rabbitmq.queue({ type: "classic", arguments: { "x-consumer-timeout": 1_000 } })];
      await assertRejects(() => patient.receive({ ...source, holdMs: 2_000, extensions }, sink), ConfigurationError);
    } finally {
      await patient.close(rig.clock.now() + 1_000);
    }
  },
);
