/** What the broker does to channels and consumers: all comes back, and is told of. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { BackpressureError } from "../../../src/errors/sending.ts";
import { AcknowledgementTimeoutError, ClosedError } from "../../../src/errors/transport.ts";
import type { Outgoing, Transport } from "../../../src/spi/transport.ts";
import { rabbitmq, type RabbitmqTransport } from "../../../transports/rabbitmq/mod.ts";
import { Inbox } from "../../conformance/transport/inbox.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { cancel, confirm, deliver, frameWith, sizeOf, unknownTag } from "./broker_frames.ts";
import { type PrivateNode, privateNode } from "./private_node.ts";
import { rig } from "./rig.ts";

const onNode = privateNode(5720);

async function receive(transport: Transport, queue: string, credit = 10, holdMs = 60_000): Promise<Inbox> {
  const inbox = new Inbox(credit, [], () => Date.now());
  inbox.receiver = await transport.receive({
    queue,
    topics: [],
    lifetime: "durable",
    credit,
    ordered: false,
    holdMs,
    extensions: [],
  }, inbox);
  return inbox;
}

function message(body: string, settled: Outgoing["settled"]): Outgoing {
  return { frame: frame(body), messageId: body, to: "queue:q", alsoTo: [], mandatory: true, settled };
}

/**
 * Sets off the memory alarm, and ends it after `run` whatever comes of that. The broker blocks who publishes once the
 * connection's process has heard of it, a moment after it was set: so `send` is called until it is told.
 */
async function duringAlarm(
  node: PrivateNode,
  transport: RabbitmqTransport,
  send: () => void,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await node.limitMemory(1_000);
    const isTold = (): boolean => {
      if (transport.counts.blocked === undefined) send();
      return transport.counts.blocked !== undefined;
    };
    await node.until("the alarm", isTold, 30_000);
    await run();
  } finally {
    await node.limitMemory(2_000_000_000);
  }
}

onNode("what is not settled within the broker's limit comes again, and the reason is typed", async (node) => {
  const set = (name: string, value: number) => `application:set_env(rabbit, ${name}, ${value})`;
  await node.evaluate(`${set("channel_tick_interval", 500)}, ${set("consumer_timeout", 1_000)}.`);
  try {
    // From RabbitMQ 4.3 on the broker does not say why, so it takes the option to know.
    const { transport, states } = await node.open({ consumerTimeout: 1_000 });
    await transport.deploy(topology(["q"]), "apply");
    const inbox = await receive(transport, "q", 10, 1_000);
    void transport.send([message("slow", () => {})]);
    await node.until("the loss", () => inbox.lostDeliveries.length === 1, 30_000);
    const [reason] = inbox.lostReasons;
    assertInstanceOf(reason, AcknowledgementTimeoutError);
    assertEquals(reason.details, { entity: "queue:q", limitInMs: 1_000 });
    await node.until("it again", () => inbox.received.length === 2);
    await inbox.accept();
    // There, it may have been given to another consumer of the channel before that was closed.
    const { deliveryCount } = inbox.received[1]!;
    assert(deliveryCount === 2 || deliveryCount === 3, `The count is ${deliveryCount}`);
    assertEquals([states.at(-1), transport.counts.consumers], ["up", 1]);
    await transport.close(node.clock.now() + 1_000);
  } finally {
    await node.evaluate(`${set("consumer_timeout", 1_800_000)}.`);
  }
});

// Case 13.
onNode(
  "what is sent while the broker takes nothing waits, to a bound; the rest is refused, and acks go on",
  async (node) => {
    const { transport, states } = await node.open({ maxUnconfirmed: 500 });
    await transport.deploy(topology(["q"]), "apply");
    const inbox = await receive(transport, "q", 1_000);
    void transport.send([message("before", () => {})]);
    await node.until("it", () => inbox.received.length === 1);
    const counts = { confirmed: 0, refused: 0, other: 0 };
    const settled = (error?: Error): void => {
      if (error === undefined) counts.confirmed++;
      else if (error instanceof BackpressureError) counts.refused++;
      else counts.other++;
    };
    const body = "x".repeat(1_000);
    const total = 100_000;
    let sent = 0;
    const send = (count: number): void => {
      const batch = Array.from(
        { length: count },
        (_, at) => ({ ...message(`${sent + at}`, settled), frame: frame(body) }),
      );
      sent += count;
      void transport.send(batch);
    };
    await duringAlarm(node, transport, () => send(1), async () => {
      assertEquals(states.at(-1), "degraded");
      const { unconfirmed: before } = transport.counts;
      while (sent < total) send(Math.min(100, total - sent));
      const { unconfirmed, waiting } = transport.counts;
      assert(unconfirmed <= before, `${unconfirmed} are published, and were ${before} when the broker blocked`);
      assert(unconfirmed + waiting <= 1_100, `${unconfirmed + waiting} are buffered`);
      assert(counts.refused >= total - 1_500, `${counts.refused} were refused`);
      await inbox.accept();
    });
    await node.until("all that was taken", () => counts.confirmed + counts.refused === total, 60_000);
    assertEquals([counts.other, transport.counts.blocked], [0, undefined]);
    inbox.acceptAll();
    await inbox.accept();
    await node.until("all", () => inbox.received.length >= counts.confirmed + 1, 60_000);
    assertEquals(inbox.received.length, counts.confirmed + 1);

    await duringAlarm(node, transport, () => void transport.send([message("some", () => {})]), async () => {
      let stopped: Error | undefined;
      void transport.send([message("lost", (error) => stopped = error)]);
      const deadline = node.clock.now() + 500;
      await transport.close(deadline);
      assert(node.clock.now() < deadline + 5_000);
      assertInstanceOf(stopped, ClosedError);
    });
  },
);

onNode("an alarm is told with the broker's reason, and over with the connection that told of it", async (node) => {
  const proxy = await TcpProxy.to(node.port);
  const { transport, states, causes } = await node.open({ url: `amqp://127.0.0.1:${proxy.port}` });
  await transport.deploy(topology(["q"]), "apply");
  const failures: Error[] = [];
  let [sent, settled] = [0, 0];
  const send = (): void => {
    const told = (error?: Error): void => {
      settled++;
      if (error !== undefined) failures.push(error);
    };
    void transport.send([message(`${sent++}`, told)]);
  };
  await duringAlarm(node, transport, send, () => {
    assertEquals(states.at(-1), "degraded");
    assert(/^The broker takes no messages: .*memory/.test(causes.at(-1) ?? ""), causes.at(-1));
    // Its end is told to a connection that is not there any more.
    proxy.stall();
    return Promise.resolve();
  });
  await proxy.cut();
  await node.until("both back", () => transport.counts.reconnects === 2, 30_000);
  send();
  await node.until("all confirms", () => settled === sent);
  assertEquals([failures, states.at(-1), transport.counts.blocked], [[], "up", undefined]);
  await transport.close(node.clock.now() + 1_000);
  await proxy[Symbol.asyncDispose]();
});

onNode("a consumer whose end nobody told is found, and made again", async (node) => {
  const proxy = await TcpProxy.to(node.port);
  const url = `amqp://127.0.0.1:${proxy.port}`;
  const { transport } = await node.open({ url, checkConsumersEvery: 300 });
  await transport.deploy(topology(["missed"]), "apply");
  const inbox = await receive(transport, "missed");
  // basic.cancel of the broker never arrives. It sends none where the consumer is found to be gone even before.
  proxy.drop((chunk) => {
    const frame = frameWith(cancel, chunk);
    if (frame === undefined) return false;
    const at = frame.byteOffset - chunk.byteOffset;
    return Uint8Array.from([...chunk.subarray(0, at), ...frame.subarray(sizeOf(frame))]);
  });
  await node.operator.deleteQueue("missed");
  for (let tries = 0; tries < 100; tries++) {
    const settled = Promise.withResolvers<Error | undefined>();
    void transport.send([{ ...message("after", settled.resolve), to: "queue:missed" }]);
    if (await settled.promise === undefined) break;
    await node.clock.pass(100);
  }
  await node.until("it", () => inbox.received.length === 1);
  await transport.close(node.clock.now() + 1_000);
  await proxy[Symbol.asyncDispose]();
});

// Case 11.
rig("a channel that the broker ends for an unknown tag is made again, with all that was on it", async (rig) => {
  const queue = await rig.queue();
  const proxy = rig.bench.wire(rig.transport);
  let harm: typeof deliver | typeof confirm | undefined = deliver;
  let doHarm = (): void => {};
  proxy.drop((chunk, toServer) => {
    const frame = harm === undefined ? undefined : frameWith(harm, chunk);
    if (frame === undefined) return false;
    harm = undefined;
    const tag = unknownTag(frame);
    doHarm = () => toServer(tag);
    return false;
  });
  const inbox = await rig.receive(queue, { credit: 3 });
  await rig.send(`queue:${queue}`, "a");
  await rig.came(inbox, 1);
  doHarm();
  await rig.came(inbox, 2);
  assertEquals([inbox.texts, inbox.lostDeliveries.length], [["a", "a"], 1]);
  assertEquals(inbox.received.map(({ deliveryCount }) => deliveryCount), [1, 2]);
  // The credit is as it was: of four more, no more than three are unsettled.
  for (const text of ["b", "c", "d", "e"]) await rig.send(`queue:${queue}`, text);
  await rig.came(inbox, 4);
  await rig.clock.pass(200);
  assertEquals(inbox.unsettled.length, 3);
  inbox.acceptAll();
  await inbox.accept();
  await rig.came(inbox, 6);

  harm = confirm;
  await rig.send(`queue:${queue}`, "f");
  await rig.until("the confirmation", () => harm === undefined);
  doHarm();
  await rig.send(`queue:${queue}`, "g");
  await rig.until("both", () => ["f", "g"].every((text) => inbox.texts.includes(text)));
  const { reconnects, consumers, connections } = rig.transport.counts;
  assertEquals([reconnects, consumers, connections], [0, 1, 2]);
});

// Case 15.
rig("what was settled after its connection was lost acknowledges nothing on the next one", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  await rig.send(`queue:${queue}`, "a");
  await rig.came(inbox, 1);
  const [first] = inbox.received;
  await rig.bench.wire(rig.transport).cut();
  await rig.came(inbox, 2);
  await inbox.accept([first!]); // its tag, 1, is that of the second delivery, too
  await rig.clock.pass(300);
  assertEquals((await rig.transport.admin?.count(queue))?.waiting, 0);
  await rig.bench.wire(rig.transport).cut();
  await rig.came(inbox, 3); // so the first settlement was none
  await inbox.accept([inbox.received[2]!]);
  await rig.clock.pass(200);
  await inbox.stop();
  const left = await rig.receive(queue);
  await rig.clock.pass(300);
  assertEquals([left.received.length, rig.transport.counts.consumers], [0, 1]);
});

onNode(
  "a dead letter that its error queue does not take degrades health, and gets there once it does",
  async (node) => {
    const { transport, states, causes } = await node.open({});
    const queue = "limited";
    const errors = `${queue}_error`;
    await transport.deploy({
      ...topology([]),
      queues: [
        { name: queue, extensions: [rabbitmq.queue({ deliveryLimit: 2, messageTtl: "1h" })] },
        { name: errors, extensions: [rabbitmq.queue({ type: "classic", maxLength: 1, overflow: "reject-publish" })] },
      ],
    }, "apply");
    const send = (body: string, to: string, dueAt?: number) =>
      new Promise<void>((resolve, reject) => {
        const settled = (error?: Error) => error === undefined ? resolve() : reject(error);
        void transport.send([{ ...message(body, settled), to: `queue:${to}`, dueAt }]);
      });
    await send("fills it", errors);
    // What was delayed before, no exchange can sort.
    await send("dead", queue, node.clock.now() + 64);
    const inbox = await receive(transport, queue);
    inbox.handle((delivery) => void inbox.settle({ outcome: "release" }, [delivery]));
    await node.until("trouble", () => states.at(-1) === "degraded", 30_000);
    assert(causes.at(-1)?.includes(`Cannot move to "${errors}"`), causes.at(-1));
    await transport.admin?.purge(errors);
    await node.until("the end of it", () => states.at(-1) === "up", 30_000);
    assertEquals((await transport.admin?.count(errors))?.waiting, 1);
    await transport.close(node.clock.now() + 1_000);
  },
);

onNode("a level of the delays that an operator deletes is made again for what is due later next", async (node) => {
  const { transport } = await node.open({ delays: "queues" });
  await transport.deploy(topology(["levels"], { levelled: [] }), "apply");
  const inbox = await receive(transport, "levels", 100);
  const failures: unknown[] = [];
  const send = (body: string, ms: number, mandatory: boolean): void => {
    const settled = (error: Error | undefined): void => void (error && failures.push(error));
    const dueAt = node.clock.now() + ms;
    void transport.send([{ ...message(body, settled), to: "queue:levels", mandatory, dueAt }]);
  };
  const bodies = (): string =>
    inbox.received.map(({ frame: { body } }) => new TextDecoder().decode(body)).sort().join();
  send("before", 60, true);
  await node.until("the first", () => inbox.received.length === 1);
  for (const level of ["hero.delay.00", "hero.delay.01", "hero.delay.02"]) await node.operator.deleteQueue(level);
  // One that meets the gap where it enters, and one behind it.
  send("command", 60, true);
  send("event", 60, false);
  await node.until("both", () => inbox.received.length === 3);
  send("through all", 420, true);
  await node.until("the last", () => inbox.received.length === 4);
  assertEquals([bodies(), failures], ["before,command,event,through all", []]);
  // Another process looks at all of them when it first delays something.
  for (const level of ["hero.delay.00", "hero.delay.01"]) await node.operator.deleteQueue(level);
  const other = await node.open({ delays: "queues" });
  const dueAt = node.clock.now() + 690; // enters above the gap, and needs one of those
  void other.transport.send([{
    ...message("other", (error) => void (error && failures.push(error))),
    to: "queue:levels",
    dueAt,
  }]);
  await node.until("the other's", () => inbox.received.length === 5);
  assertEquals(failures, []);
  await other.transport.close(node.clock.now() + 1_000);
  await transport.close(node.clock.now() + 1_000);
});
