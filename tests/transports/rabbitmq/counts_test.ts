/** What a transport says of itself, for metrics, is what there is. */
import { assertEquals, assertRejects } from "@std/assert";
import { UnroutableError } from "../../../src/errors/sending.ts";
import { rig } from "./rig.ts";

rig("connections, channels, consumers and what is in flight are counted, up and down again", async (rig) => {
  const { transport } = rig;
  const queue = await rig.queue();
  for (const each of ["a", "b", "c"]) await rig.send(`queue:${queue}`, each);
  /** Channels for one thing end a moment after it. */
  const counts = async (channels: number) => {
    await rig.until(`${channels} channels`, () => transport.counts.channels === channels);
    const { connections, reconnects, inFlight, receivers, consumersWanted, consumers } = transport.counts;
    return { connections, reconnects, inFlight, receivers, consumersWanted, consumers };
  };
  const idle = { connections: 2, reconnects: 0, inFlight: 0, receivers: 0, consumersWanted: 0, consumers: 0 };
  assertEquals(await counts(1), idle); // the one that publishes
  const inbox = await rig.receive(queue, { credit: 2 });
  await rig.came(inbox, 2);
  const busy = { ...idle, receivers: 1, consumersWanted: 1, consumers: 1 };
  assertEquals(await counts(2), { ...busy, inFlight: 2 });
  inbox.acceptAll();
  await inbox.accept();
  await rig.came(inbox, 3);
  await rig.until("all to be settled", () => transport.counts.inFlight === 0);
  assertEquals(await counts(2), busy);
  await assertRejects(() => rig.send("topic:hero-there-is-none", "x", { mandatory: true }), UnroutableError);
  await rig.send(`queue:${queue}`, "d"); // on another channel, in place of the one that this has ended
  await rig.came(inbox, 4);
  assertEquals(await counts(2), busy);
  await rig.bench.wire(transport).cut();
  await rig.until("both back", () => transport.counts.reconnects === 2);
  await rig.send(`queue:${queue}`, "e");
  await rig.until("it", () => inbox.texts.includes("e"));
  await rig.until("all to be settled", () => transport.counts.inFlight === 0);
  assertEquals(await counts(2), { ...busy, reconnects: 2 });
  inbox.receiver.credit(0);
  await rig.until("no consumer", () => transport.counts.consumers === 0);
  assertEquals(await counts(2), { ...busy, reconnects: 2, consumersWanted: 0, consumers: 0 });
  await inbox.stop();
  assertEquals(await counts(1), { ...idle, reconnects: 2 });
  await transport.close(rig.clock.now() + 1_000);
  await rig.until("their end", () => transport.counts.connections === 0 && transport.counts.channels === 0);
});

rig("what is neither confirmed nor published is counted until it is told of", async (rig) => {
  const { transport } = rig;
  const queue = await rig.queue();
  await rig.send(`queue:${queue}`, "a");
  assertEquals([transport.counts.unconfirmed, transport.counts.waiting], [0, 0]);
  rig.bench.wire(transport).stall();
  const sent = Array.from({ length: 5 }, (_, at) => rig.send(`queue:${queue}`, String(at)));
  await rig.until("the flight", () => transport.counts.unconfirmed === 3);
  assertEquals(transport.counts.waiting, 2);
  await rig.bench.wire(transport).cut();
  await Promise.all(sent);
  assertEquals([transport.counts.unconfirmed, transport.counts.waiting], [0, 0]);
}, { maxUnconfirmed: 3 });
