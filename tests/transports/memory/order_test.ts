import { assertEquals } from "@std/assert";
import type { Delivery } from "../../../src/spi/transport.ts";
import { text } from "../../conformance/transport/inbox.ts";
import { test } from "../../support/runner.ts";
import { Bench, outgoing, queues, receive } from "./support.ts";

test("a parked message whose predecessor expires, is purged or is browsed still comes", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const inbox = await receive(bench, transport, { queue: "q", ordered: true });
  const now = bench.clock.now();
  void transport.send([
    outgoing("queue:q", { text: "0", key: "k" }),
    outgoing("queue:q", { text: "1", key: "k", expiresAt: now + 1_000 }),
    outgoing("queue:q", { text: "2", key: "k" }),
    outgoing("queue:q", { text: "3", key: "k" }),
  ]);
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["0"]);
  assertEquals((await transport.admin!.count("q")).waiting, 3);
  assertEquals((await transport.admin!.browse("q", undefined, 10)).items.map(text), ["1", "2", "3"]);
  await bench.clock.pass(2_000);
  await inbox.accept();
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["0", "2"]);
  assertEquals(await transport.admin!.purge("q"), 1);
  void transport.send([outgoing("queue:q", { text: "4", key: "k" })]);
  await inbox.accept();
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["0", "2", "4"]);
  await transport.close(0);
});

test("when the next of a key expires while it is parked, the one after it comes", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const inbox = await receive(bench, transport, { queue: "q", ordered: true });
  const expiresAt = bench.clock.now() + 1_000;
  void transport.send(
    ["0", "1", "2", "3"].map((text) =>
      outgoing("queue:q", { text, key: "k", expiresAt: text === "1" || text === "2" ? expiresAt : undefined })
    ),
  );
  await bench.clock.pass(2_000);
  assertEquals(inbox.texts, ["0"]);
  await inbox.accept();
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["0", "3"]);
  assertEquals(bench.broker.counts.expired, 2);
  await transport.close(0);
});

test("what an operator takes past the locks counts as in flight", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const inbox = await receive(bench, transport, { queue: "q", ordered: true, credit: 1 });
  void transport.send(["0", "1"].map((text) => outgoing("queue:q", { text, key: "k" })));
  await bench.clock.pass(0);
  const taken: Delivery[] = [];
  const taker = await transport.admin!.take("q", {
    deliver: (batch) => void taken.push(...batch),
    lost: () => {},
    readdressed: () => {},
  }, 10);
  await bench.clock.pass(0);
  assertEquals(taken.map(text), ["1"]);
  await inbox.accept();
  void transport.send([outgoing("queue:q", { text: "2", key: "k" })]);
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["0"]);
  await taker.settle(taken.map((delivery) => ({ delivery, outcome: "accept" })));
  await taker.done;
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["0", "2"]);
  await transport.close(0);
});

test("by seeds, an ordered queue keeps each key's order and one in flight, whatever the outcomes", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    let state = seed;
    const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const bench = new Bench();
    const transport = await bench.open();
    const other = await bench.open();
    await queues(transport, "q");
    const inboxes = [
      await receive(bench, transport, { queue: "q", ordered: true, credit: 5 }),
      await receive(bench, other, { queue: "q", ordered: next() < 0.5, credit: 9 }),
    ];
    const done = new Map<string, number[]>();
    let count = 0;
    const flying = new Set<string>();
    for (const inbox of inboxes) {
      inbox.handle((delivery) => {
        const key = delivery.key!;
        assertEquals(flying.has(key), false, `Two of ${key} in flight, seed ${seed}`);
        flying.add(key);
        const steps = Math.floor(next() * 4);
        const settle = (left: number): void => {
          if (left > 0) return queueMicrotask(() => settle(left - 1));
          flying.delete(key);
          if (next() < 0.2) return void inbox.settle({ outcome: "release" }, [delivery]);
          done.set(key, [...done.get(key) ?? [], Number(text(delivery))]);
          count++;
          void inbox.accept([delivery]);
        };
        settle(steps);
      });
    }
    for (let at = 0; at < 200; at++) {
      void transport.send([outgoing("queue:q", { text: String(at), key: `k${Math.floor(next() * 6)}` })]);
      if (at % 50 === 0) await transport.admin!.browse("q", undefined, 5);
    }
    while (count < 200) await bench.clock.pass(1);
    for (const numbers of done.values()) assertEquals(numbers, numbers.toSorted((a, b) => a - b), `seed ${seed}`);
    assertEquals(inboxes.flatMap(({ violations }) => violations), []);
    await transport.close(0);
    await other.close(0);
  }
});

test("messages of an ordered queue that cannot go now cost those that can nothing", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  const inbox = await receive(bench, transport, { queue: "q", ordered: true, credit: 2 });
  void transport.send(Array.from({ length: 10_000 }, (_, at) => outgoing("queue:q", { text: String(at), key: "k" })));
  void transport.send([outgoing("queue:q", { text: "free", key: "j" })]);
  await bench.clock.pass(0);
  assertEquals(inbox.texts, ["0", "free"]);
  inbox.acceptAll();
  await bench.clock.pass(0);
  assertEquals(inbox.received.length, 10_001);
  await transport.close(0);
});
