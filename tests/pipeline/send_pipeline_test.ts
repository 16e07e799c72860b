import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { event } from "../../src/contracts/event.ts";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { RequestFaultError, UnserializableError } from "../../src/errors/sending.ts";
import { OutcomeUnknownError } from "../../src/errors/store.ts";
import type { SendActivity } from "../../src/spi/telemetry.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { trial } from "../support/trial.ts";
import { Get, Happened, type Order, order, scripted, Submit } from "./send_rig.ts";

trial("a contract of the wrong kind, from JavaScript, is refused with what to do instead", async () => {
  const { bus, transport } = await scripted();
  const wrong: readonly [() => Promise<unknown>, string][] = [
    [() => bus.send(Happened as never, order), "Publish it"],
    [() => bus.send(Get as never, order), "Request it"],
    [() => bus.publish(Submit as never, order as never), "Send it"],
    [() => bus.publish(Get as never, order as never), "Request it"],
    [() => bus.request(Happened as never, order), "Publish it"],
    [() => bus.send({} as never, order), "not a contract"],
    [() => bus.publish("orders.happened" as never, order as never), "not a contract"],
    [() => bus.request(undefined as never, order), "not a contract"],
  ];
  for (const [run, instead] of wrong) await assertRejects(run, ConfigurationError, instead);
  assertEquals(transport.sent, []);
  await bus.stop();
});

trial("a value that JSON cannot carry is refused, and its place named", async () => {
  const { bus, transport } = await scripted();
  const Any = event<{ readonly a: unknown }>("any");
  for (const bad of [NaN, () => {}, Symbol("s"), new Date(NaN), "\ud800", new (class Money {})()]) {
    const error = await assertRejects(() => bus.publish(Any, { a: { b: [bad] } }), UnserializableError);
    assertEquals([error.details["path"], error.details["contract"]], ["a.b.0", "any"]);
    assertStringIncludes(error.message, `the value at "a.b.0" of "any"`);
  }
  await assertRejects(
    () => bus.publish(Any, new (class Money {})() as never),
    UnserializableError,
    `serialize "any": it`,
  );
  assertEquals(transport.sent, []);
  await bus.stop();
});

trial(
  "a contract whose topic could not be made is not sent, and its topic is made before it is sent later",
  async () => {
    const Late = event<Order>("orders.late");
    let refused = 0;
    const { bus, transport } = await scripted(
      new ScriptedTransport({
        deploy: ({ topics }) => {
          if (topics.some(({ name }) => name === "orders.late") && ++refused === 1) throw new RangeError("no right");
          return Promise.resolve([]);
        },
      }),
    );
    await assertRejects(() => bus.publish(Late, order), RangeError, "no right");
    assertEquals(transport.sent, []);
    await bus.publish(Late, order);
    await bus.publish(Late, order);
    assertEquals([refused, transport.sent.length], [2, 2]);
    await bus.stop();
  },
);

trial("what a transport throws or settles with rejects its sends and no others; the bus goes on", async () => {
  let batches = 0;
  const transport = new ScriptedTransport({
    send: (batch) => {
      batches++;
      if (batches === 1) throw new TypeError("broken promise");
      for (const each of batch) each.settled(each.messageId === "bad" ? new RangeError("refused") : undefined);
    },
  });
  const { bus } = await scripted(transport);
  await assertRejects(() => bus.send(Submit, order), TypeError, "broken promise");
  const [bad, good] = await Promise.allSettled([
    bus.send(Submit, order, { messageId: "bad" }),
    bus.send(Submit, order, { messageId: "good" }),
  ]);
  assertEquals([bad.status, good.status, batches], ["rejected", "fulfilled", 2]);
  await bus.stop();
});

trial("a transport whose wait rejects, against its promise, fails that batch and no other", async () => {
  let batches = 0;
  const transport = new ScriptedTransport({
    send: (batch) => {
      if (++batches === 1) return Promise.reject(new TypeError("broken promise"));
      for (const each of batch) each.settled();
    },
  });
  const { bus } = await scripted(transport);
  const results = await Promise.allSettled([bus.publish(Happened, order), bus.publish(Happened, order)]);
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  await bus.publish(Happened, order);
  await bus.stop();
});

trial("NUL passes through untouched, and a fault's text loses only what no text may have", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, ({ orderId }) => {
    if (orderId === "a\u0000b") return { ok: true };
    throw new RangeError("NUL \u0000 and \ud800");
  });
  await bus.start();
  assertEquals(await bus.request(Get, { orderId: "a\u0000b" }), { ok: true });
  const error = await assertRejects(() => bus.request(Get, order), RequestFaultError);
  assertEquals(error.exceptions[0]?.message, "NUL \u0000 and \ufffd");
  await assertRejects(() => bus.request(Get, { orderId: "\ud800" }), UnserializableError, "orderId");
});

trial("what is sent in one turn leaves in one batch", async () => {
  const { bus, transport } = await scripted();
  await Promise.all(Array.from({ length: 50 }, () => bus.publish(Happened, order)));
  assertEquals(transport.asked.filter((each) => each.startsWith("send")), ["send 50"]);
  await bus.stop();
});

trial("an aborted signal sends nothing, and its reason comes back as it is", async () => {
  const { bus, transport } = await scripted();
  const reason = { not: "an error" };
  const thrown = await bus.send(Submit, order, { signal: AbortSignal.abort(reason) }).catch((error) => error);
  assertEquals(thrown, reason);
  assertEquals(transport.sent, []);
  await bus.stop();
});

trial("a signal gives up waiting; what the broker has is not taken back", async () => {
  let settle = () => {};
  const transport = new ScriptedTransport({ send: (batch) => void (settle = () => batch[0]?.settled()) });
  const { bus } = await scripted(transport);
  const abort = new AbortController();
  const sending = bus.send(Submit, order, { signal: abort.signal });
  const rejected = assertRejects(() => sending, RangeError, "enough");
  while (transport.sent.length === 0) await Promise.resolve();
  abort.abort(new RangeError("enough"));
  await rejected;
  assertEquals(transport.sent.length, 1);
  settle();
  await bus.stop();
});

trial(
  "of a message of which nobody knows whether it was sent, the error says the id to send it again with",
  async () => {
    const lost = new OutcomeUnknownError("postgres");
    const { bus } = await scripted(
      new ScriptedTransport({ send: (batch) => batch.forEach((each) => each.settled(lost)) }),
    );
    const error = await assertRejects(() => bus.send(Submit, order), OutcomeUnknownError, "Send it again");
    const { messageId, ...details } = error.details;
    assertEquals([details, error.cause], [{ store: "postgres", contract: "orders.submit" }, lost]);
    assert(typeof messageId === "string" && error.message.includes(`{ messageId: "${messageId}" }`));
    const named = await assertRejects(() => bus.send(Submit, order, { messageId: "job 1" }), OutcomeUnknownError);
    assertEquals(named.details["messageId"], "job 1");
    await bus.stop();
  },
);

trial("what a key throws comes back as it is, the first time and later", async () => {
  const { bus } = await scripted();
  const Bad = event<Order>("bad", {
    key: () => {
      throw "text";
    },
  });
  const thrown = () => bus.publish(Bad, order).catch((error) => error);
  assertEquals([await thrown(), await thrown()], ["text", "text"]);
  await bus.stop();
});

trial("the span of a send ends once, with the error of whatever stage failed", async () => {
  const spans: { readonly contract: string; ended: (Error | undefined)[] }[] = [];
  const telemetry = {
    send: ({ contract }: SendActivity) => {
      const span: { readonly contract: string; ended: (Error | undefined)[] } = { contract, ended: [] };
      spans.push(span);
      return { end: (error?: Error) => void span.ended.push(error) };
    },
    receive: () => {},
    process: () => undefined,
    settle: () => {},
  };
  const transport = new ScriptedTransport({
    send: (batch) => batch.forEach((each) => each.settled(each.mandatory ? new RangeError("no") : undefined)),
  });
  const bus = createBus({ name: "app", transport, telemetry });
  await bus.start();
  await bus.publish(Happened, order);
  await assertRejects(() => bus.send(Submit, order), RangeError);
  await assertRejects(() => bus.publish(Happened, { orderId: NaN } as never), UnserializableError);
  await assertRejects(() => bus.publish(Happened, order, { headers: { text: "a".repeat(20_000) } }));
  await bus.stop();
  for (const { contract, ended } of spans) assertEquals(ended.length, 1, `the span of ${contract} ended not once`);
  assertEquals(spans.map(({ ended: [error] }) => error?.name), [
    undefined,
    "RangeError",
    "UnserializableError",
    "MessageTooLargeError",
  ]);
});
