import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { BackpressureError } from "../../../src/errors/sending.ts";
import { memory } from "../../../transports/memory/mod.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { Bench, outgoing, queues, queueWith, receive } from "./support.ts";

/** Whether a promise has resolved by now. */
function watch(promise: void | Promise<void>): { readonly done: boolean } {
  const state = { done: promise === undefined };
  if (promise !== undefined) void promise.then(() => state.done = true);
  return state;
}

test("a sender is asked to wait while a queue is over its bound, and no longer", async () => {
  const bench = new Bench();
  const transport = await bench.open({ maxQueueLength: 10 });
  await queues(transport, "q");
  const batch = Array.from({ length: 10 }, () => outgoing("queue:q"));
  assertEquals(transport.send(batch), undefined);
  const wait = watch(transport.send([outgoing("queue:q")]));
  await bench.clock.pass(1_000);
  assertEquals(wait.done, false);
  const inbox = await receive(bench, transport, { queue: "q", credit: 1 });
  await bench.clock.pass(0);
  assertEquals(wait.done, true);
  await inbox.accept();
  await transport.close(0);
});

test("beyond twice its bound a queue refuses, and takes what is released, moved or due again all the same", async () => {
  const bench = new Bench();
  const transport = await bench.open({ maxQueueLength: 2 });
  await queues(transport, "q", "other");
  const inbox = await receive(bench, transport, { queue: "q", credit: 3 });
  void transport.send([1, 2, 3].map(() => outgoing("queue:q")));
  await bench.clock.pass(0);
  const messages = Array.from({ length: 6 }, () => outgoing("queue:q"));
  void transport.send(messages);
  assertEquals(messages.map(({ outcomes: [outcome] }) => outcome === "sent"), [true, true, true, true, false, false]);
  assertInstanceOf(messages[4]?.outcomes[0], BackpressureError);
  const [released, again, moved] = inbox.unsettled;
  inbox.receiver.credit(0);
  await inbox.settle({ outcome: "release" }, [released!]);
  await inbox.settle({ outcome: "again", dueAt: 0, headers: {} }, [again!]);
  await inbox.settle({ outcome: "move", to: "queue:q", headers: {} }, [moved!]);
  assertEquals((await transport.admin!.count("q")).waiting, 7);
  await transport.close(0);
});

test("a publication goes to all its queues or, if one refuses, to none", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queueWith(transport, "small", memory.queue({ maxQueueLength: 1 }));
  await transport.deploy(topology(["large"], { topic: ["small", "large"] }), "apply");
  const sent = [1, 2, 3].map(() => outgoing("topic:topic"));
  void transport.send(sent);
  assertEquals(sent.map(({ outcomes: [outcome] }) => outcome === "sent"), [true, true, false]);
  assertEquals((await transport.admin!.count("large")).waiting, 2);
  await transport.close(0);
});

test("a wait ends when the queue is purged, when it is gone, when the transport closes or when its bus gives up", async () => {
  const bench = new Bench();
  const transport = await bench.open({ maxQueueLength: 1 });
  await queues(transport, "q");
  const fill = (to: string) => watch(transport.send([outgoing(to), outgoing(to)]));
  const purged = fill("queue:q");
  await transport.admin!.purge("q");
  const instance = await receive(bench, transport, { queue: "i", lifetime: "instance", credit: 0 });
  const gone = fill(instance.receiver.address);
  await instance.stop();
  const aborted = fill("queue:q");
  bench.abort.abort();
  await bench.clock.pass(0);
  assertEquals([purged.done, gone.done, aborted.done], [true, true, true]);
  const other = new Bench();
  const closing = await other.open({ maxQueueLength: 1 });
  await queues(closing, "q");
  const closed = watch(closing.send([outgoing("queue:q"), outgoing("queue:q")]));
  await closing.close(0);
  await other.clock.pass(0);
  assert(closed.done);
  await transport.close(0);
});

test("without a bound nobody waits", async () => {
  const bench = new Bench();
  const transport = await bench.open();
  await queues(transport, "q");
  assertEquals(transport.send(Array.from({ length: 50_000 }, () => outgoing("queue:q"))), undefined);
  await transport.close(0);
});

test("a bound is a number of at least 1", () => {
  for (const maxQueueLength of [0, -1, NaN]) {
    assertThrows(() => memory({ maxQueueLength }), ConfigurationError, "Give a number ≥ 1");
    assertThrows(() => memory.queue({ maxQueueLength }), ConfigurationError, "Give a number ≥ 1");
  }
});
