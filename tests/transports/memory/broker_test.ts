import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { ClosedError, DisconnectedError } from "../../../src/errors/transport.ts";
import { MessageTooLargeError } from "../../../src/errors/sending.ts";
import { memory, memoryBroker } from "../../../transports/memory/mod.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { Bench, outgoing, queues, receive } from "./support.ts";

test("nothing is delivered within a call: not in send, receive, credit or settle", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const receiving = receive(bench, transport, { queue: "q", credit: 1 });
  void transport.send([outgoing("queue:q"), outgoing("queue:q"), outgoing("queue:q")]);
  const inbox = await receiving;
  const before = inbox.received.length;
  inbox.receiver.credit(2);
  assertEquals(inbox.received.length, before);
  await bench.clock.pass(0);
  assertEquals(inbox.received.length, 2);
  void inbox.accept();
  assertEquals(inbox.received.length, 2);
  await bench.clock.pass(0);
  assertEquals(inbox.received.length, 3);
  void inbox.accept();
  void transport.send([outgoing("queue:q")]);
  assertEquals(inbox.received.length, 3);
  await transport.close(0);
});

test("a body beyond what is allowed is refused", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  // Its length alone is asked for: a gigabyte would prove no more.
  const body = { byteLength: transport.capabilities.maxFrameBytes + 1 } as Uint8Array;
  const large = outgoing("queue:q", { frame: { contentType: "a/b", headers: {}, body } });
  void transport.send([large]);
  assertInstanceOf(large.outcomes[0], MessageTooLargeError);
  await transport.close(0);
});

test("what an instance releases after it was stopped goes nowhere, as its queue is gone", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  const inbox = await receive(bench, transport, { queue: "i", lifetime: "instance" });
  void transport.send([outgoing(inbox.receiver.address), outgoing(inbox.receiver.address)]);
  await bench.clock.pass(0);
  const [released, again] = inbox.unsettled;
  await inbox.stop();
  await inbox.settle({ outcome: "release" }, [released!]);
  await inbox.settle({ outcome: "again", dueAt: bench.clock.now() + 5, headers: {} }, [again!]);
  await bench.clock.pass(100);
  assertEquals([inbox.received.length, inbox.violations], [2, []]);
  await transport.close(0);
});

test("counts tell of what reached no queue, and of settlements without effect", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  void transport.send([outgoing("topic:nobody"), outgoing("queue:q")]);
  const inbox = await receive(bench, transport, { queue: "q" });
  await bench.clock.pass(0);
  const { only: delivery } = inbox;
  await inbox.accept();
  await inbox.receiver.settle([{ delivery, outcome: "accept" }, { delivery, outcome: "release" }]);
  assertEquals(bench.broker.counts, { expired: 0, unrouted: 1, ineffective: 2 });
  await transport.close(0);
});

test("a killed transport says nothing, holds nothing, and does nothing any more", async () => {
  const bench = new Bench();
  const [victim, other] = [await bench.open(), await bench.open()];
  await queues(victim, "q");
  const inbox = await receive(bench, victim, { queue: "q", credit: 3 });
  const reply = await receive(bench, victim, { queue: "r", lifetime: "reply" });
  void victim.send(["a", "b", "c", "d"].map((text) => outgoing("queue:q", { text })));
  await bench.clock.pass(0);
  await inbox.accept(inbox.unsettled.slice(1, 2));
  const wait = victim.send([]);
  bench.broker.kill(victim);
  const late = outgoing("queue:q", { text: "late" });
  await victim.send([late]);
  assertInstanceOf(late.outcomes[0], DisconnectedError);
  await inbox.accept();
  await assertRejects(() => victim.deploy(topology(["x"]), "apply"), DisconnectedError);
  await assertRejects(() => receive(bench, victim, { queue: "q" }), DisconnectedError);
  await assertRejects(() => victim.cancel!("x"), DisconnectedError);
  await assertRejects(() => victim.admin!.purge("q"), DisconnectedError);
  await victim.close(0);
  await wait;
  const next = await receive(bench, other, { queue: "q" });
  await bench.clock.pass(0);
  assertEquals(next.texts, ["a", "c", "d"]);
  assertEquals(next.received.map(({ deliveryCount }) => deliveryCount), [2, 2, 2]);
  const answer = outgoing(reply.receiver.address, { mandatory: true });
  void other.send([answer]);
  assert(answer.outcomes[0] instanceof Error);
  assertEquals([inbox.lostDeliveries.length, inbox.violations], [0, []]);
  await other.close(0);
  assertEquals(bench.clock.pending, 0);
});

test("a broken connection is told of, and what was in flight comes again first", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const inbox = await receive(bench, transport, { queue: "q", credit: 2 });
  void transport.send(["a", "b", "c"].map((text) => outgoing("queue:q", { text })));
  await bench.clock.pass(0);
  bench.broker.disconnect(transport);
  assertEquals(bench.states, ["up", "down", "up"]);
  assertEquals(inbox.lostDeliveries.length, 2);
  await bench.clock.pass(0);
  inbox.acceptAll();
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["a", "b", "a", "b", "c"]);
  await transport.close(0);
  bench.broker.disconnect(transport);
  assertEquals(bench.states, ["up", "down", "up"]);
});

test("a transport is opened once, by one bus, and before anything else", async () => {
  const bench = new Bench();
  const transport = memory({ broker: bench.broker });
  const early = outgoing("queue:q");
  void transport.send([early]);
  assertInstanceOf(early.outcomes[0], ConfigurationError);
  await assertRejects(() => receive(bench, transport, { queue: "q" }), ConfigurationError, "Start its bus first");
  await transport.open(bench.host);
  await assertRejects(() => transport.open(bench.host), ConfigurationError, "memory({ broker })");
  await transport.close(0);
  await assertRejects(() => transport.open(bench.host), ClosedError);
});

test("by reference, the message itself comes, and all buses of a broker agree on it", async () => {
  const bench = new Bench({ byReference: true });
  const transport = await bench.open();
  assertEquals(transport.capabilities.references, true);
  await queues(transport, "q");
  const reference = { a: 1 };
  void transport.send([outgoing("queue:q", { frame: { ...frame(""), reference } })]);
  const inbox = await receive(bench, transport, { queue: "q" });
  await bench.clock.pass(0);
  assert(inbox.only.frame.reference === reference);
  await inbox.settle({ outcome: "again", dueAt: 0, headers: { x: 1 } });
  await bench.clock.pass(0);
  assert(inbox.only.frame.reference === reference);
  assertThrows(() => memory({ broker: bench.broker, byReference: false }), ConfigurationError, "byReference");
  assertEquals(memory().capabilities.references, false);
  assertEquals(memory({ byReference: true }).capabilities.references, true);
  await transport.close(0);
});

test("only a broker of memoryBroker() is one, and knows only its own transports", () => {
  const broker = memoryBroker();
  assertThrows(() => memory({ broker: { ...broker } as typeof broker }), ConfigurationError, "memoryBroker()");
  assertThrows(() => broker.kill(memory()), ConfigurationError, "memory({ broker })");
});

test("a bus that gives up no longer leaves a listener on its signal after close", async () => {
  const bench = new Bench();
  const added: unknown[] = [];
  const removed: unknown[] = [];
  const signal = Object.assign(new AbortController().signal, {
    addEventListener: (_: string, listener: unknown) => void added.push(listener),
    removeEventListener: (_: string, listener: unknown) => void removed.push(listener),
  });
  const transport = memory({ broker: bench.broker });
  await transport.open({ ...bench.host, signal });
  await transport.close(0);
  assertEquals(added.length, 1);
  assertEquals(removed, added);
});

test("receivers that come and go are not kept", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  for (let round = 0; round < 100; round++) {
    const inbox = await receive(bench, transport, { queue: "q" });
    await inbox.stop();
  }
  const last = await receive(bench, transport, { queue: "q" });
  void transport.send([outgoing("queue:q", { text: "a" })]);
  await bench.clock.pass(0);
  assertEquals(last.texts, ["a"]);
  await transport.close(0);
  assertEquals(last.lostDeliveries.length, 1);
});
