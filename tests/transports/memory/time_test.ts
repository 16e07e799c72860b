import { assertEquals } from "@std/assert";
import type { Delivery } from "../../../src/spi/transport.ts";
import { memory, memoryBroker } from "../../../transports/memory/mod.ts";
import { virtualTime } from "../../conformance/test_clock.ts";
import { frame } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { Bench, outgoing, queues, queueWith, receive } from "./support.ts";

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
