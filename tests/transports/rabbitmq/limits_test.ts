/** What a queue gives up, and what is later than the broker can wait. */
import { assert, assertEquals } from "@std/assert";
import { rabbitmq, type RabbitmqQueueOptions } from "../../../transports/rabbitmq/mod.ts";
import { eventually } from "../../conformance/test_clock.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import { type Rig, rig } from "./rig.ts";

/** A queue that gives up after two returns, and its error queue. */
async function fragile(rig: Rig, options: RabbitmqQueueOptions = {}): Promise<string> {
  const queue = rig.name("queue");
  await rig.transport.deploy({
    ...topology([]),
    queues: [
      { name: queue, extensions: [rabbitmq.queue({ deliveryLimit: 2, ...options })] },
      { name: `${queue}_error`, extensions: [] },
    ],
  }, "apply");
  return queue;
}

/** Returns what comes until nothing comes any more. */
async function returnAll(rig: Rig, queue: string): Promise<void> {
  const inbox = await rig.receive(queue);
  inbox.handle((delivery) => void inbox.settle({ outcome: "release" }, [delivery]));
  await rig.until("three deliveries", () => inbox.received.length === 3);
  assertEquals(inbox.received.map(({ deliveryCount }) => deliveryCount), [1, 2, 3]);
  await inbox.stop();
}

rig(
  "what a queue gives up after too many returns is in the error queue, body and headers as they were",
  async (rig) => {
    const queue = await fragile(rig);
    await rig.send(`queue:${queue}`, "again and again", { key: "k", frame: frame("again and again", { mine: 1n }) });
    await returnAll(rig, queue);
    const errors = await rig.receive(`${queue}_error`);
    await rig.came(errors, 1);
    const { key, frame: { headers } } = errors.only;
    assertEquals([errors.texts, key, headers["mine"]], [["again and again"], "k", 1n]);
  },
);

rig("so is what was delayed before", async (rig) => {
  const queue = await fragile(rig);
  await rig.send(`queue:${queue}`, "later", { dueAt: rig.clock.now() + 100 });
  await returnAll(rig, queue);
  const errors = await rig.receive(`${queue}_error`);
  await rig.came(errors, 1);
  assertEquals(errors.texts, ["later"]);
});

rig("where another queue gets what a queue gives up, it is counted anew", async (rig) => {
  const grave = await rig.queue();
  const queue = await fragile(rig, { deadLetter: { exchange: grave } });
  await rig.send(`queue:${queue}`, "again and again");
  await returnAll(rig, queue);
  const inbox = await rig.receive(grave);
  for (let count = 1; count <= 3; count++) {
    await rig.came(inbox, count);
    assertEquals(inbox.only.deliveryCount, count);
    await inbox.settle({ outcome: "release" });
  }
});

rig("what has expired is not", async (rig) => {
  const queue = await fragile(rig);
  await rig.send(`queue:${queue}`, "short", { expiresAt: rig.clock.now() + 100 });
  await rig.clock.pass(500);
  await rig.send(`queue:${queue}`, "mark");
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  assertEquals(inbox.texts, ["mark"]);
  assertEquals((await rig.transport.admin?.count(`${queue}_error`))?.waiting, 0);
});

rig("what was delayed and has expired comes once more where its envelope says so, and else does not", async (rig) => {
  const queue = await rig.queue();
  const before = rig.clock.now() - 1;
  await rig.raw(async (channel) => {
    const { Buffer } = await import("node:buffer");
    // As the last level hands it on.
    const headers = { "hero-amqp-expires": before };
    channel.sendToQueue(queue, Buffer.from("unsaid"), { headers });
    channel.sendToQueue(queue, Buffer.from("said"), { headers: { ...headers, "hero-meta": `{"x":${before}}` } });
    await channel.waitForConfirms();
  });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  await inbox.accept();
  await inbox.stop();
  assertEquals([inbox.texts, await waiting(rig, queue)], [["said"], 0]);
});

rig("what is kept elsewhere does not expire there, also what was delayed", async (rig) => {
  const [queue, errors] = [await rig.queue(), await rig.queue()];
  const dueAt = rig.clock.now() + 64;
  const expiresAt = dueAt + 2_000;
  await rig.send(`queue:${queue}`, "kept", { dueAt, expiresAt });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  await inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: {} });
  await eventually(rig.clock, "the end of its time", () => rig.clock.now() > expiresAt);
  const kept = await rig.receive(errors);
  await rig.came(kept, 1);
  assertEquals(kept.texts, ["kept"]);
});

rig("what is put off again and again comes out each time, also from level to level", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  const later = () => rig.clock.now() + 180; // two levels: the broker takes a second way through both for a circle
  await rig.send(`queue:${queue}`, "again", { dueAt: later() });
  for (let count = 1; count <= 4; count++) {
    await rig.came(inbox, count);
    await inbox.settle({ outcome: "again", dueAt: later(), headers: {} });
  }
  await rig.came(inbox, 5);
});

rig("what was delayed and then expires in its queue, or has no room there, is not", async (rig) => {
  for (const options of [{ messageTtl: "100ms" }, { maxLength: 1 }, { maxLengthBytes: 1 }] as const) {
    const queue = await fragile(rig, options);
    const mark = await fragile(rig, { messageTtl: "1h" });
    // Somebody must look why they died.
    const open = await rig.receive(queue, { credit: 0 });
    const dueAt = rig.clock.now() + 64;
    for (const text of ["first", "second"]) await rig.send(`queue:${queue}`, text, { dueAt });
    const gone = "maxLength" in options ? 1 : 0;
    await eventually(rig.clock, "what was delayed to come and go", async () => {
      return rig.clock.now() > dueAt + 500 && await waiting(rig, queue) === gone;
    });
    // What dies later is sorted later.
    await rig.send(`queue:${mark}`, "mark", { dueAt: rig.clock.now() + 64 });
    await returnAll(rig, mark);
    await eventually(rig.clock, "the mark", async () => await waiting(rig, `${mark}_error`) === 1);
    assertEquals([options, await waiting(rig, `${queue}_error`)], [options, 0]);
    await open.stop();
  }
});

rig("what a queue with limits gives up after too many returns is in the error queue as it was", async (rig) => {
  const queue = await fragile(rig, { messageTtl: "1h", maxLength: 10 });
  const sent = frame("again and again", { mine: 1n });
  for (const dueAt of [undefined, rig.clock.now() + 64]) {
    await rig.send(`queue:${queue}`, "again and again", { key: "k", frame: sent, dueAt });
    const inbox = await rig.receive(queue);
    inbox.handle((delivery) => void inbox.settle({ outcome: "release" }, [delivery]));
    await eventually(rig.clock, "it in the error queue", async () => await waiting(rig, `${queue}_error`) === 1);
    await inbox.stop();
    const errors = await rig.receive(`${queue}_error`);
    await rig.came(errors, 1);
    const { key, frame: { headers } } = errors.only;
    assertEquals([errors.texts, key, headers["mine"]], [["again and again"], "k", 1n]);
    await errors.settle({ outcome: "accept" });
    await errors.stop();
  }
});

async function waiting(rig: Rig, queue: string): Promise<number | undefined> {
  return (await rig.transport.admin?.count(queue))?.waiting;
}

rig("what comes before it is due, as its delay is longer than the broker's, waits on", async (rig) => {
  const queue = await rig.queue();
  const dueAt = rig.clock.now() + 1_500;
  await rig.raw(async (channel) => {
    const { Buffer } = await import("node:buffer");
    const headers = { "hero-amqp-due": dueAt, "hero-amqp-key": "k", own: "kept" };
    channel.sendToQueue(queue, Buffer.from("early"), { headers, messageId: "1" });
    await channel.waitForConfirms();
  });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  assert(inbox.times[0]! >= dueAt, `It came ${dueAt - inbox.times[0]!} ms early`);
  const { key, via, frame: { headers } } = inbox.only;
  assertEquals([key, via, headers["own"], headers["hero-amqp-due"]], ["k", `queue:${queue}`, "kept", undefined]);
});

rig("a delayed message tells where it was sent, whatever levels it passed", async (rig) => {
  const topic = rig.name("topic.with.dots");
  const queue = await rig.queue(topic);
  const inbox = await rig.receive(queue, { topics: [topic] });
  const now = rig.clock.now();
  for (const ms of [64, 128, 300, 512]) await rig.send(`topic:${topic}`, `${ms}`, { dueAt: now + ms });
  for (const ms of [100, 256]) await rig.send(`queue:${queue}`, `${ms}`, { dueAt: now + ms });
  await rig.came(inbox, 6);
  for (const { via, frame } of inbox.received) {
    const ms = new TextDecoder().decode(frame.body);
    assertEquals(via, ["100", "256"].includes(ms) ? `queue:${queue}` : `topic:${topic}`);
  }
});

rig("when a message expires is said once, and its copies say it still", async (rig) => {
  const expiresAt = rig.clock.now() + 60_000;
  const meta = { "hero-meta": `{"x":${expiresAt},"s":"queue:a"}` };
  const header = (queue: string) =>
    rig.raw(async (channel) => {
      const message = await channel.get(queue);
      if (message === false) throw new Error("There is no message");
      channel.nack(message);
      return message.properties.headers?.["hero-amqp-expires"];
    });
  // With a type, both are properties.
  for (const headers of [meta, { ...meta, "hero-type": "a" }]) {
    const queue = await rig.queue();
    await rig.send(`queue:${queue}`, "said", { frame: frame("twice", headers), expiresAt });
    assertEquals(await header(queue), undefined);
    const inbox = await rig.receive(queue);
    await rig.came(inbox, 1);
    await inbox.settle({ outcome: "again", dueAt: rig.clock.now(), headers: {} });
    await rig.came(inbox, 2);
    const stopped = inbox.stop();
    await inbox.settle({ outcome: "release" });
    await stopped;
    assertEquals(await header(queue), expiresAt);
  }
  const queue = await rig.queue();
  await rig.send(`queue:${queue}`, "unsaid", { expiresAt });
  assertEquals(await header(queue), expiresAt);
});
