/** That the interface and its suite fit SQS's shape. */
import { assertEquals } from "@std/assert";
import { virtualTime } from "../conformance/test_clock.ts";
import { register, transportConformance, type TransportUnderTest } from "../conformance/transport.ts";
import { Inbox } from "../conformance/transport/inbox.ts";
import { frame, topology } from "../conformance/transport/trial.ts";
import { LeaseBroker } from "../support/fakes/lease_broker.ts";
import { LeaseTransport } from "../support/fakes/lease_transport.ts";
import { test } from "../support/runner.ts";

function create(): Promise<TransportUnderTest> {
  const broker = new LeaseBroker();
  return Promise.resolve({
    clock: virtualTime(),
    connect: () => new LeaseTransport(broker),
    breakClaims: (transport) => {
      if (transport instanceof LeaseTransport) transport.expire();
    },
    kill: (transport) => {
      if (transport instanceof LeaseTransport) transport.die();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

register(
  "lease fake",
  transportConformance(create, {
    "what becomes due while nobody receives comes in the order in which it was due":
      "what is visible comes in the order in which it was sent, whenever it was due",
  }),
);

test("the lease fake renews for as long as the source says, then loses", async () => {
  const clock = virtualTime();
  const broker = new LeaseBroker();
  const transport = new LeaseTransport(broker);
  await transport.open({ bus: "test", clock, signal: new AbortController().signal, status: () => {} });
  await transport.deploy(topology(["q"]), "apply");
  const violations: string[] = [];
  const inbox = new Inbox(1, violations, () => clock.now());
  inbox.receiver = await transport.receive({
    queue: "q",
    topics: [],
    lifetime: "durable",
    credit: 1,
    ordered: false,
    holdMs: 100_000,
    extensions: [],
  }, inbox);
  await transport.send([
    { frame: frame("held"), messageId: "1", to: "queue:q", alsoTo: [], mandatory: false, settled: () => {} },
  ]);
  await clock.pass(99_999);
  assertEquals([inbox.received.length, inbox.lostDeliveries.length], [1, 0]);
  await clock.pass(1);
  assertEquals([inbox.received.length, inbox.lostDeliveries.length], [2, 1]);
  assertEquals(inbox.only.deliveryCount, 2);
  await transport.close(0);
  assertEquals([violations, clock.pending], [[], 0]);
});
