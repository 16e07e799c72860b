/** Bindings that are there and should not be, wherever the library keeps queues itself. */
import { assertEquals } from "@std/assert";
import type { Topology, Transport } from "../../src/spi/transport.ts";
import { topology } from "../conformance/transport/trial.ts";
import { test } from "../support/runner.ts";
import { Bench, receive } from "./memory/support.ts";
import { onQueues } from "./postgres/rig.ts";
import { withRig } from "./sqlite/rig.ts";

/** The same, but that each topic is a command's. */
const owned = ({ queues, topics, bindings }: Topology): Topology => ({
  queues,
  topics: topics.map((topic) => ({ ...topic, owned: true })),
  bindings,
});

/** @param instance makes a queue that lives as long as its receiver, bound to the topic */
async function tell(transport: Transport, instance: (topic: string) => Promise<unknown>): Promise<void> {
  const told = async (wanted: Topology): Promise<readonly string[]> =>
    (await transport.deploy(wanted, "check")).map(({ kind, entity }) => `${kind} ${entity}`);
  const [theirs, ours] = [["theirs"], ["ours"]].map((queues) => topology(queues, { submit: queues, changed: queues }));
  await transport.deploy(theirs ?? topology([]), "apply");
  await transport.deploy(topology(["ours"], { submit: ["ours"], changed: ["ours"], before: ["ours"] }), "apply");
  await instance("submit");
  const before = "extra topic:before -> queue:ours";
  // An event has subscribers.
  assertEquals(await told(ours ?? topology([])), [before]);
  // A command has one owner.
  const others = ["submit", "changed"].map((topic) => `extra topic:${topic} -> queue:theirs`);
  assertEquals((await told(owned(ours ?? topology([])))).toSorted(), [before, ...others].toSorted());
  // Who only sends there sees the owner, and nothing amiss; or two.
  assertEquals(await told(owned(topology([], { before: [] }))), []);
  assertEquals((await told(owned(topology([], { submit: [] })))).toSorted(), [
    "extra topic:submit -> queue:ours",
    "extra topic:submit -> queue:theirs",
  ]);
}

const name = "another queue at a command's topic, and what a queue is still bound to, are extra";

test(`memory: ${name}`, async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await tell(transport, (topic) => receive(bench, transport, { queue: "i", lifetime: "instance", topics: [topic] }));
  await transport.close(0);
});

test(`SQLite: ${name}`, () =>
  withRig({ deploy: [] }, async (rig) => {
    const transport = await rig.connect();
    await tell(transport, (topic) => rig.receive(transport, "i", { lifetime: "instance", topics: [topic] }));
  }));

onQueues(name, topology([]), async (rig) => {
  const transport = await rig.connect();
  await tell(transport, (topic) => rig.receive(transport, "i", { lifetime: "instance", topics: [topic] }));
});
