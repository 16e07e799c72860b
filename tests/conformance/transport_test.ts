/** That the suite finds what is wrong: a transport that keeps its promises, with one bug planted at a time. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type {
  Capabilities,
  Delivery,
  Outgoing,
  Receiver,
  Settlement,
  Sink,
  Transport,
} from "../../src/spi/transport.ts";
import { memory, memoryBroker } from "../../transports/memory/mod.ts";
import { test } from "../support/runner.ts";
import { withDeviations } from "./test_case.ts";
import { virtualTime } from "./test_clock.ts";
import { type TestCase, transportConformance } from "./transport.ts";

/** What a bug changes. */
interface Bug {
  readonly capabilities?: Partial<Capabilities>;
  readonly send?: (outgoing: Outgoing) => readonly Outgoing[];
  readonly sink?: (sink: Sink) => Sink;
  readonly settle?: (settlement: Settlement) => readonly Settlement[];
  readonly receiver?: (receiver: Receiver) => Partial<Receiver>;
  readonly transport?: (transport: Transport) => Partial<Transport>;
}

/** A case's run against a memory transport with the bug. */
function withBug(bug: Bug): readonly TestCase[] {
  return transportConformance(() => {
    const broker = memoryBroker();
    const inner = new WeakMap<Transport, Transport>();
    return Promise.resolve({
      clock: virtualTime(),
      connect: () => {
        const transport = memory({ broker });
        const buggy: Transport = {
          name: transport.name,
          capabilities: { ...transport.capabilities, ...bug.capabilities },
          admin: transport.admin!,
          open: (host) => transport.open(host),
          deploy: (topology, mode) => transport.deploy(topology, mode),
          send: (batch) => transport.send(bug.send === undefined ? batch : batch.flatMap(bug.send)),
          async receive(source, sink) {
            const receiver = await transport.receive(source, bug.sink?.(sink) ?? sink);
            const settle = (batch: readonly Settlement[]) =>
              receiver.settle(bug.settle === undefined ? batch : batch.flatMap(bug.settle));
            const outer: Receiver = {
              get address() {
                return receiver.address;
              },
              settle,
              credit: (total) => receiver.credit(total),
              stop: () => receiver.stop(),
            };
            return Object.defineProperties(outer, Object.getOwnPropertyDescriptors(bug.receiver?.(receiver) ?? {}));
          },
          cancel: (receipt) => transport.cancel!(receipt),
          close: (deadline) => transport.close(deadline),
          ...bug.transport?.(transport),
        };
        inner.set(buggy, transport);
        return buggy;
      },
      breakClaims: (transport) => broker.disconnect(inner.get(transport)!),
      kill: (transport) => broker.kill(inner.get(transport)!),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  });
}

/** Some of the cases that must find it. */
const planted: readonly (readonly [what: string, bug: Bug, ...found: readonly string[]])[] = [
  [
    "a release is taken for an acceptance",
    { settle: (each) => [each.outcome === "release" ? { delivery: each.delivery, outcome: "accept" } : each] },
    "what is released comes again, as another delivery, and is counted",
    "nothing is lost among three receivers that settle at random (seed 1)",
  ],
  [
    "an acceptance is taken for a release",
    { settle: (each) => [each.outcome === "accept" ? { delivery: each.delivery, outcome: "release" } : each] },
    "what is accepted does not come again",
    "many calls at once, in any order, settle each",
  ],
  [
    "again is now",
    { settle: (each) => [each.outcome === "again" ? { ...each, dueAt: 0 } : each] },
    "again is a copy when it is due, never early, with the same body and key, and headers added",
    "while one waits to come again, others pass",
  ],
  [
    "again forgets its headers",
    { settle: (each) => [each.outcome === "again" ? { ...each, headers: {} } : each] },
    "again is a copy when it is due, never early, with the same body and key, and headers added",
  ],
  [
    "a move is an acceptance",
    { settle: (each) => [each.outcome === "move" ? { delivery: each.delivery, outcome: "accept" } : each] },
    "what is moved is elsewhere, its body, key and headers untouched but for those added",
    "a move to nowhere rejects: the rest of the call is settled, and what failed is still unsettled",
  ],
  [
    "a message is sent twice",
    { send: (outgoing) => [outgoing, { ...outgoing, settled: () => {} }] },
    "receivers of one queue, of several processes, compete: each message goes to one",
    "ten thousand messages come, each once",
  ],
  [
    "a sender hears twice",
    {
      send: (outgoing) => [{
        ...outgoing,
        settled: (error, receipt) => {
          outgoing.settled(error, receipt);
          outgoing.settled(error, receipt);
        },
      }],
    },
    "each message of a batch is settled once, and each comes",
  ],
  [
    "the key is lost",
    { send: (outgoing) => [{ ...outgoing, key: undefined }] },
    "a message comes with the key that it was sent with, or none",
    "a key that is stuck is not overtaken, and does not hold up the others",
  ],
  [
    "nothing is mandatory",
    { send: (outgoing) => [{ ...outgoing, mandatory: false }] },
    "a mandatory message that reaches no queue fails, and the others of its batch do not",
  ],
  [
    "delays are not kept",
    { send: (outgoing) => [{ ...outgoing, dueAt: undefined }] },
    "what is due later comes then, never early, a short delay before a long one",
    "delays beyond what a timer holds do not end early",
  ],
  [
    "delays are as long as a timer",
    { send: ({ dueAt = 0, ...outgoing }) => [{ ...outgoing, dueAt: Math.min(dueAt, Date.UTC(2026, 0, 1) + 2 ** 31) }] },
    "delays beyond what a timer holds do not end early",
  ],
  [
    "nothing expires",
    { send: (outgoing) => [{ ...outgoing, expiresAt: undefined }] },
    "what has expired does not come, and what has not does",
  ],
  [
    "no priorities",
    { send: (outgoing) => [{ ...outgoing, priority: 0 }] },
    "of what waits, a higher priority comes first, and one priority in order",
  ],
  [
    "headers become text",
    {
      send: (outgoing) => {
        const headers = Object.fromEntries(
          Object.entries(outgoing.frame.headers).map(([name, value]) => [name, `${value}`]),
        );
        return [{ ...outgoing, frame: { ...outgoing.frame, headers } }];
      },
    },
    "numbers, truth values, big integers, dates and bytes in headers keep their types",
  ],
  [
    "batches are turned around",
    {
      sink: (sink) => ({
        deliver: (batch) => sink.deliver(batch.toReversed()),
        lost: (deliveries, reason) => sink.lost(deliveries, reason),
        readdressed: () => sink.readdressed(),
      }),
    },
    "messages of one address and key come in the order in which they were sent",
  ],
  [
    "losses are kept quiet",
    {
      sink: (sink) => ({
        deliver: (batch) => sink.deliver(batch),
        lost: () => {},
        readdressed: () => sink.readdressed(),
      }),
    },
    "claims that are gone are told of, settling them does nothing, and what they were on comes again",
  ],
  [
    "one object is delivered again and again",
    {
      sink: (sink) => {
        const seen = new Map<string, Delivery>();
        return {
          deliver: (batch) =>
            sink.deliver(batch.map((each) => {
              const text = new TextDecoder().decode(each.frame.body);
              if (!seen.has(text)) seen.set(text, each);
              return seen.get(text) ?? each;
            })),
          lost: (deliveries, reason) => sink.lost(deliveries, reason),
          readdressed: () => sink.readdressed(),
        };
      },
    },
    "what is released comes again, as another delivery, and is counted",
  ],
  [
    "more comes than there is credit for",
    { receiver: (receiver) => ({ credit: (total) => receiver.credit(total + 1) }) },
    "a source opened without credit gets nothing until it has some",
    "a credit of 0 pauses: nothing comes, what is in flight is settled, and it goes on with more",
  ],
  [
    "stopping does not stop",
    { receiver: () => ({ stop: () => Promise.resolve() }) },
    "a stopped receiver gets nothing more, may settle what it has, and leaves the rest to others",
    "instances have a queue of their own each, which is gone with its receiver",
  ],
  [
    "an ordered source is not",
    {
      transport: (transport) => ({ receive: (source, sink) => transport.receive({ ...source, ordered: false }, sink) }),
    },
    "a key that is stuck is not overtaken, and does not hold up the others",
    "an ordered source keeps to what an unordered one has in flight",
  ],
  [
    "closing does not close",
    { transport: () => ({ close: () => Promise.resolve() }) },
    "after close each send is told so, and nothing is sent or received",
    "what is unsettled at close comes to another",
  ],
  [
    "a plan is carried out",
    { transport: (transport) => ({ deploy: (topology) => transport.deploy(topology, "apply") }) },
    "a plan says what would be made, twice the same, and makes nothing",
  ],
  [
    "taking back does nothing",
    { transport: () => ({ cancel: () => Promise.resolve(true) }) },
    "what is due later can be taken back once, by any process, and then does not come",
  ],
  [
    "the hierarchy is claimed alone",
    {
      transport: (transport) => ({
        deploy: ({ bindings, ...others }, mode) =>
          transport.deploy({ ...others, bindings: bindings.filter(({ to }) => to.startsWith("queue:")) }, mode),
      }),
    },
    "a subscriber to a base gets what is sent to a derived topic, once whatever the ways",
  ],
  [
    "purging tells and does nothing",
    {
      transport: (transport) => ({
        admin: { ...bound(transport), purge: async (queue) => (await transport.admin!.count(queue)).waiting },
      }),
    },
    "purging takes what is not in flight, and tells how many",
  ],
  [
    "browsing begins anew with each page",
    {
      transport: (transport) => ({
        admin: {
          ...bound(transport),
          browse: async (queue, from, limit) => {
            const page = await transport.admin!.browse(queue, undefined, limit);
            return from === undefined ? page : { ...page, next: undefined };
          },
        },
      }),
    },
    "browsing gives each once, page by page, and takes nothing",
  ],
];

function bound({ admin }: Transport): NonNullable<Transport["admin"]> {
  assert(admin !== undefined);
  return {
    count: (queue) => admin.count(queue),
    browse: (queue, from, limit) => admin.browse(queue, from, limit),
    take: (queue, sink, credit) => admin.take(queue, sink, credit),
    purge: (queue) => admin.purge(queue),
  };
}

for (const [what, bug, ...found] of planted) {
  test(`the transport suite finds it when ${what}`, async () => {
    const cases = withBug(bug);
    for (const name of found) {
      const each = cases.find((one) => one.name === name);
      assert(each !== undefined, `There is no case "${name}"`);
      await assertRejects(() => each.run(), Error, undefined);
    }
  });
}

test("the planted bugs are in nothing else: without one, the same transport passes", async () => {
  const names = new Set(planted.flatMap(([, , ...found]) => found));
  for (const each of withBug({})) if (names.has(each.name)) await each.run();
});

test("a deviation must fail, and name a case", async () => {
  const holds: TestCase = { name: "it holds", run: () => Promise.resolve() };
  const fails: TestCase = { name: "it fails", run: () => Promise.reject(new Error("as known")) };
  const cases = withDeviations([holds, fails], { "it holds": "no reason", "it fails": "a reason" });
  await assertRejects(() => cases[0]!.run(), Error, '"it holds" holds: take the deviation away (no reason)');
  await cases[1]!.run();
  assertEquals(cases[1]?.name, "it fails (deviates: a reason)");
  assertThrows(() => withDeviations([holds], { "it hold": "a slip" }), Error, '"it hold"');
});
