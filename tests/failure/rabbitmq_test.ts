/** What a broker that is killed, alarmed or away does to the transport: nothing is lost, and it is well again by itself. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outgoing } from "../../src/spi/transport.ts";
import { rabbitmq, type RabbitmqTransport } from "../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { Inbox, text } from "../conformance/transport/inbox.ts";
import { frame, topology } from "../conformance/transport/trial.ts";
import { test } from "../support/runner.ts";
import { canStartRabbitmq, type RabbitmqNode, startRabbitmqNode } from "../support/servers/rabbitmq.ts";
import { share } from "../support/share.ts";
import { skipUnlessRequired } from "../support/required.ts";

const skip = skipUnlessRequired(
  canStartRabbitmq() ? undefined : "no RabbitMQ of Debian here: apt-get install rabbitmq-server",
);
const clock = realTime();
/** Beside the one at the usual port. */
const port = 5690;

/** What one test made: no other may find it at work on the next node of the port. */
const transports = new Set<RabbitmqTransport>();

/** Registers a test with a node of its own; what it fails with tells how the node and the transports were then. */
function onNode(name: string, run: (node: RabbitmqNode) => Promise<void>): void {
  test(`rabbitmq: ${name}`, async () => {
    const node = await startRabbitmqNode({ port, directory: mkdtempSync(join(tmpdir(), "hero-rabbitmq-")) });
    try {
      await run(node);
    } catch (error) {
      console.log(JSON.stringify([...transports].map(({ counts }) => counts)));
      const columns = ["name", "messages_ready", "messages_unacknowledged", "consumers", "state"];
      console.log(await node.control("list_queues", ...columns).catch(String));
      console.log(await node.control("list_consumers").catch(String));
      throw error;
    } finally {
      for (const transport of transports) await transport.close(clock.now());
      transports.clear();
      await node[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs: 240_000 });
}

/** A transport that notes how it is. */
function made(
  { url }: RabbitmqNode,
): { readonly transport: RabbitmqTransport; readonly states: string[]; open(): Promise<void> } {
  const transport = rabbitmq({ url, heartbeat: "5s" });
  transports.add(transport);
  const states: string[] = [];
  const signal = new AbortController().signal;
  return {
    transport,
    states,
    open: () => transport.open({ bus: "test", clock, signal, status: ({ state }) => states.push(state) }),
  };
}

function message(to: string, body: string, settled: Outgoing["settled"], dueAt?: number): Outgoing {
  return { frame: frame(body), messageId: body, to, alsoTo: [], mandatory: true, dueAt, settled };
}

async function receive(transport: RabbitmqTransport, queue: string, credit: number): Promise<Inbox> {
  const inbox = new Inbox(credit, [], () => clock.now());
  inbox.receiver = await transport.receive({
    queue,
    topics: [],
    lifetime: "durable",
    credit,
    ordered: false,
    holdMs: 60_000,
    extensions: [],
  }, inbox);
  return inbox;
}

onNode("a broker that is killed and comes back has lost nothing that was sent, delayed or unsettled", async (node) => {
  const { transport, states, open } = made(node);
  await open();
  await transport.deploy(topology(["work"]), "apply");
  const done = new Map<string, number>();
  const inbox = await receive(transport, "work", 200);
  inbox.handle((delivery) => {
    done.set(text(delivery), (done.get(text(delivery)) ?? 0) + 1);
    void inbox.accept([delivery]);
  });
  const count = share(20_000);
  const delayed = share(1_000);
  let settled = 0;
  const failures: Error[] = [];
  const note = (error?: Error) => {
    settled++;
    if (error !== undefined) failures.push(error);
  };
  const due = clock.now() + 10_000;
  const later = Array.from({ length: delayed }, (_, at) => message("queue:work", `later ${at}`, note, due + at * 10));
  await transport.send(later);
  await eventually(clock, "the delayed to be taken", () => settled === delayed, 60_000);
  let killed: Promise<void> | undefined;
  for (let at = 0; at < count; at += 200) {
    if (at >= count / 2) killed ??= node.kill().then(() => node.start());
    await transport.send(
      Array.from({ length: Math.min(200, count - at) }, (_, index) => message("queue:work", String(at + index), note)),
    );
  }
  await killed;
  await eventually(clock, "all to be confirmed", () => settled === count + delayed, 120_000);
  assertEquals(failures, []);
  const missing = () => later.map(({ messageId }) => messageId).filter((each) => !done.has(each));
  await eventually(clock, "all to come", () => done.size === count + delayed, 120_000).catch((error: Error) => {
    throw new Error(`${done.size} of ${count + delayed} came; delayed and missing: ${missing()}`, { cause: error });
  });
  const twice = [...done.values()].filter((times) => times > 1).length;
  console.log(`${twice} of ${count + delayed} came more than once`);
  assert(states.includes("down"), "It did not notice");
  assertEquals([states.at(-1), transport.counts.connections, transport.counts.consumers], ["up", 2, 1]);
  await transport.close(clock.now() + 5_000);
});

onNode("connections that the broker's admin closes come back, at once", async (node) => {
  const { transport, states, open } = made(node);
  await open();
  await transport.deploy(topology(["work"]), "apply");
  const inbox = await receive(transport, "work", 10);
  const sent = (body: string) =>
    new Promise<void>((resolve, reject) => {
      const settled = (error?: Error) => error === undefined ? resolve() : reject(error);
      void transport.send([message("queue:work", body, settled)]);
    });
  await sent("held");
  await eventually(clock, "it to come", () => inbox.received.length === 1);
  await node.control("close_all_connections", "maintenance");
  await eventually(clock, "the loss", () => inbox.lostDeliveries.length === 1, 30_000);
  await eventually(clock, "it to come again", () => inbox.received.length === 2, 30_000);
  await sent("after");
  await eventually(clock, "the other", () => inbox.received.length === 3, 30_000);
  assertEquals(inbox.texts, ["held", "held", "after"]);
  assertEquals([states.at(-1), transport.counts.connections], ["up", 2]);
  await transport.close(clock.now() + 5_000);
});

onNode("a memory alarm holds messages back, is told, and loses none when it ends", async (node) => {
  const { transport, states, open } = made(node);
  await open();
  await transport.deploy(topology(["work"]), "apply");
  const inbox = await receive(transport, "work", 10_000);
  let sent = 0;
  let settled = 0;
  const failures: Error[] = [];
  const send = () =>
    transport.send([message("queue:work", String(sent++), (error) => {
      settled++;
      if (error !== undefined) failures.push(error);
    })]);
  /** The broker blocks who publishes once the connection's process has heard of the alarm, a moment after it was set. */
  const alarm = async (): Promise<void> => {
    await node.limitMemory(1_000);
    const isTold = (): boolean => {
      if (transport.counts.blocked === undefined) void send();
      return transport.counts.blocked !== undefined;
    };
    await eventually(clock, "the alarm to be told", isTold, 30_000);
  };
  await alarm();
  assertEquals(states.at(-1), "degraded");
  const before = sent;
  let asked = 0;
  while (sent < before + 3_000) if (send() !== undefined) asked++;
  assert(asked > 0, "Nobody was asked to wait");
  await clock.pass(500);
  assert(settled <= before, "What was sent behind the alarm went out");
  await node.limitMemory(2_000_000_000);
  await eventually(clock, "all to be confirmed", () => settled === sent, 60_000);
  await eventually(clock, "all to come", () => new Set(inbox.texts).size === sent, 60_000);
  console.log(`${inbox.received.length - sent} of ${sent} came more than once`);
  assertEquals([failures, states.at(-1), transport.counts.blocked], [[], "up", undefined]);
  await alarm();
  const start = performance.now();
  await transport.close(clock.now() + 1_000);
  assert(performance.now() - start < 10_000, "Closing did not end at its deadline");
  assertEquals(settled, sent);
});

onNode("a bus may start before its broker, and stop while it is away", async (node) => {
  await node.kill();
  const { transport, open } = made(node);
  const opened = open();
  const abort = new AbortController();
  const given = rabbitmq(node.url).open({ bus: "up", clock, signal: abort.signal, status: () => {} });
  abort.abort(new Error("given up"));
  await assertRejects(() => given, Error, "given up");
  await node.start();
  await opened;
  await transport.deploy(topology(["work"]), "apply");
  await node.kill();
  const settled = new Promise<Error | undefined>((resolve) => {
    void transport.send([message("queue:work", "never", resolve)]);
  });
  await transport.close(clock.now() + 1_000);
  assertEquals((await settled as { readonly code?: string } | undefined)?.code, "HERO_CLOSED");
});
