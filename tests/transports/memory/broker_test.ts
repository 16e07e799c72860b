import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { ConfigurationError, UnsupportedError } from "../../../src/errors/configuration.ts";
import { ClosedError, DisconnectedError, TopologyError } from "../../../src/errors/transport.ts";
import { MessageTooLargeError } from "../../../src/errors/sending.ts";
import type { Delivery } from "../../../src/spi/transport.ts";
import { memory, memoryBroker } from "../../../transports/memory/mod.ts";
import { virtualTime } from "../../conformance/test_clock.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { Bench, outgoing, queues, queueWith, receive } from "./support.ts";

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

test("what is moved does not expire where it is parked; what is due again does", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q", "errors");
  const inbox = await receive(bench, transport, { queue: "q" });
  const expiresAt = bench.clock.now() + 1_000;
  void transport.send([outgoing("queue:q", { expiresAt }), outgoing("queue:q", { expiresAt })]);
  await bench.clock.pass(0);
  const [moved, again] = inbox.unsettled;
  await inbox.settle({ outcome: "move", to: "queue:errors", headers: {} }, [moved!]);
  await inbox.settle({ outcome: "again", dueAt: expiresAt + 1, headers: {} }, [again!]);
  await bench.clock.pass(5_000);
  assertEquals(inbox.received.length, 2);
  assertEquals((await transport.admin!.count("errors")).waiting, 1);
  assertEquals(bench.broker.counts.expired, 1);
  await transport.close(0);
});

test("what expires is counted, and goes to the queue that was named for it", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "plain", "late");
  await queueWith(transport, "strict", memory.queue({ deadLetterExpired: "queue:late" }));
  const expiresAt = bench.clock.now() + 1_000;
  for (const to of ["queue:plain", "queue:strict"]) {
    void transport.send([outgoing(to, { expiresAt, key: "k", text: to }), outgoing(to)]);
  }
  await bench.clock.pass(2_000);
  assertEquals((await transport.admin!.count("plain")).waiting, 1);
  assertEquals((await transport.admin!.count("strict")).waiting, 1);
  assertEquals(bench.broker.counts.expired, 2);
  const { items } = await transport.admin!.browse("late", undefined, 10);
  assertEquals(items.map(({ key, frame }) => [key, frame]), [["k", frame("queue:strict")]]);
  await transport.close(0);
});

test("expired messages are neither browsed, taken nor purged, wherever in the queue they are", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const expiresAt = bench.clock.now() + 1_000;
  const send = () =>
    void transport.send([outgoing("queue:q"), outgoing("queue:q", { expiresAt }), outgoing("queue:q")]);
  send();
  await bench.clock.pass(2_000);
  assertEquals((await transport.admin!.browse("q", undefined, 10)).items.length, 2);
  assertEquals(await transport.admin!.purge("q"), 2);
  assertEquals(bench.broker.counts.expired, 1);
  await transport.close(0);
});

test("what expires while an operator takes is dropped, and the taking ends all the same", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const expiresAt = bench.clock.now() + 1_000;
  void transport.send([outgoing("queue:q", { text: "a" }), outgoing("queue:q", { expiresAt }), outgoing("queue:q")]);
  const taken: Delivery[] = [];
  const taker = await transport.admin!.take("q", {
    deliver: (batch) => void taken.push(...batch),
    lost: () => {},
    readdressed: () => {},
  }, 1);
  await bench.clock.pass(2_000);
  assertEquals(taken.length, 1);
  await taker.settle(taken.map((delivery) => ({ delivery, outcome: "accept" })));
  await bench.clock.pass(0);
  assertEquals([taken.length, bench.broker.counts.expired], [2, 1]);
  await taker.settle(taken.map((delivery) => ({ delivery, outcome: "accept" })));
  await taker.done;
  assertEquals(await transport.admin!.count("q"), { waiting: 0, active: 0, delayed: 0 });
  await transport.close(0);
});

test("alsoTo reaches further queues, and each once", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await transport.deploy(topology(["one", "both"], { derived: ["both"], base: ["one", "both"] }), "apply");
  void transport.send([outgoing("topic:derived", { alsoTo: ["topic:base"] })]);
  assertEquals((await transport.admin!.count("one")).waiting, 1);
  assertEquals((await transport.admin!.count("both")).waiting, 1);
  const { items } = await transport.admin!.browse("both", undefined, 1);
  assertEquals(items[0]?.via, "topic:derived");
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

test("a queue cannot be deployed where a receiver has its own", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  const inbox = await receive(bench, transport, { queue: "i", lifetime: "instance" });
  const [conflict] = await transport.deploy(topology(["i"]), "apply");
  assertEquals(conflict?.kind, "conflict");
  await inbox.stop();
  assertEquals((await transport.deploy(topology(["i"]), "apply")).map(({ kind }) => kind), ["create"]);
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

test("what is due later moves to the clock of a bus that is still open, and waits for one that opens", async () => {
  const broker = memoryBroker();
  const [first, second, third] = [virtualTime(), virtualTime(), virtualTime()];
  const open = async (clock: typeof first) => {
    const transport = memory({ broker });
    await transport.open({ bus: "b", clock, signal: new AbortController().signal, status: () => {} });
    return transport;
  };
  const one = await open(first);
  await queues(one, "q");
  void one.send([outgoing("queue:q", { dueAt: first.now() + 1_000 })]);
  assertEquals(first.pending, 1);
  const two = await open(second);
  await one.close(0);
  assertEquals([first.pending, second.pending], [0, 1]);
  await two.close(0);
  assertEquals(second.pending, 0);
  const three = await open(third);
  assertEquals(await three.admin!.count("q"), { waiting: 0, active: 0, delayed: 1 });
  await third.pass(1_000);
  assertEquals(await three.admin!.count("q"), { waiting: 1, active: 0, delayed: 0 });
  await three.close(0);
});

test("what is due later to a queue that is gone by then is dropped and counted", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  const inbox = await receive(bench, transport, { queue: "i", lifetime: "instance" });
  void transport.send([outgoing(inbox.receiver.address, { dueAt: bench.clock.now() + 10, mandatory: true })]);
  await inbox.stop();
  await bench.clock.pass(20);
  assertEquals(bench.broker.counts.unrouted, 1);
  await transport.close(0);
});

test("a queue with other settings is a conflict, which deploying does not change", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queueWith(transport, "q", memory.queue({ maxQueueLength: 5 }));
  const wanted = { queues: [{ name: "q", extensions: [] }], topics: [], bindings: [] };
  const changes = await transport.deploy(wanted, "apply");
  const [conflict] = changes;
  assertEquals([conflict?.kind, conflict?.entity], ["conflict", "queue:q"]);
  assertEquals(conflict?.detail, "it has a bound of 5 messages, and no bound is wanted");
  assertEquals(changes.length, 1);
  assertEquals(await transport.deploy(wanted, "plan"), changes);
});

test("a second queue bound to a topic is told of as extra, an instance's is not", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await transport.deploy(topology(["theirs"], { topic: ["theirs"] }), "apply");
  await receive(bench, transport, { queue: "i", lifetime: "instance", topics: ["topic"] });
  const changes = await transport.deploy(topology(["ours"], { topic: ["ours"] }), "plan");
  assertEquals(changes.map(({ kind, entity }) => [kind, entity]), [
    ["create", "queue:ours"],
    ["create", "topic:topic -> queue:ours"],
    ["extra", "topic:topic -> queue:theirs"],
  ]);
  await transport.close(0);
});

test("two instances of one name do not share a queue", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  const source = { queue: "i", lifetime: "instance", topics: ["topic"] } as const;
  const inboxes = [await receive(bench, transport, source), await receive(bench, transport, source)];
  void transport.send([outgoing("topic:topic")]);
  await bench.clock.pass(0);
  assertEquals(inboxes.map(({ received }) => received.length), [1, 1]);
  await transport.close(0);
});

test("a setting of another transport is refused", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  const foreign = { transport: "rabbitmq", value: {} };
  await assertRejects(() => queueWith(transport, "q", foreign), UnsupportedError, '"rabbitmq"');
  await queues(transport, "q");
  await assertRejects(() => receive(bench, transport, { queue: "q", extensions: [foreign] }), UnsupportedError);
});

test("a queue that is missing is a topology error", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await assertRejects(() => receive(bench, transport, { queue: "missing" }), TopologyError, "queue:missing");
  await assertRejects(() => transport.admin!.count("missing"), TopologyError, "queue:missing");
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
