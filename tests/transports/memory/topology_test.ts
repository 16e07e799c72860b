import { assertEquals, assertRejects } from "@std/assert";
import { UnsupportedError } from "../../../src/errors/configuration.ts";
import { TopologyError } from "../../../src/errors/transport.ts";
import { memory } from "../../../transports/memory/mod.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { Bench, outgoing, queues, queueWith, receive } from "./support.ts";

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
