import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import { ConfigurationError, InvalidDurationError, UnsupportedError } from "../../src/errors/configuration.ts";
import {
  InvalidHeaderError,
  InvalidIdError,
  InvalidMessageError,
  MessageTooLargeError,
  RequestFaultError,
  UnserializableError,
} from "../../src/errors/sending.ts";
import type { Duration } from "../../src/values/duration.ts";
import type { SendContext } from "../../src/pipeline/context.ts";
import type { SendActivity } from "../../src/spi/telemetry.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { trial } from "../support/trial.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";

interface Order {
  readonly orderId: string;
}
const order: Order = { orderId: "42" };
const Submit = command<Order>("orders.submit");
const Happened = event<Order>("orders.happened");
const Get = query<Order, { ok: boolean }>("orders.get");

/** A started bus on a transport that takes everything. */
async function scripted(transport: ScriptedTransport = new ScriptedTransport()) {
  const bus = createBus({ name: "app", transport, clock: new VirtualClock() });
  await bus.start();
  return { bus, transport };
}

// ---- Ids

const badIds: readonly [string, unknown, string][] = [
  ["empty", "", "empty"],
  ["of 1,000 characters", "a".repeat(1000), "1000 characters"],
  ["of 129 characters", "a".repeat(129), "129 characters"],
  ["with a line break", "a\nb", "control characters"],
  ["with NUL", "\u0000", "control characters"],
  ["with a lone surrogate", "a\ud800", "surrogate"],
  ["a number", 5, "number"],
  ["nothing", null, "null"],
];
for (const [what, id, why] of badIds) {
  trial(`an id that is ${what} is refused, and nothing is sent`, async () => {
    const { bus, transport } = await scripted();
    for (const name of ["messageId", "correlationId"]) {
      const options = { [name]: id } as never;
      const errors = [
        await assertRejects(() => bus.send(Submit, order, options), InvalidIdError),
        await assertRejects(() => bus.publish(Happened, order, options), InvalidIdError),
        await assertRejects(() => bus.request(Get, order, options), InvalidIdError),
      ];
      for (const error of errors) {
        assertEquals(error.code, "HERO_INVALID_ID");
        for (const part of [name, why]) assertStringIncludes(error.message, part);
      }
    }
    assertEquals(transport.sent, []);
    await bus.stop();
  });
}

trial("an id that the caller gives is that of the message, at the broker and at the handler", async (trial) => {
  const ids: string[] = [];
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, (_, ctx) => void ids.push(ctx.messageId));
  await bus.start();
  for (const messageId of ["order-43", "a".repeat(128), "ünï 🚀", "0"]) await bus.send(Submit, order, { messageId });
  await trial.settled();
  assertEquals(ids, ["order-43", "a".repeat(128), "ünï 🚀", "0"]);
});

trial("ids that nobody gives are UUIDs of version 7, in order", async () => {
  const { bus, transport } = await scripted();
  for (let i = 0; i < 100; i++) await bus.publish(Happened, order);
  const ids = transport.sent.map(({ messageId }) => messageId);
  assertEquals(ids, [...ids].sort());
  assertEquals(new Set(ids).size, 100);
  for (const id of ids) assert(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id), id);
  await bus.stop();
});

// ---- Headers and sizes

trial("headers are checked before anything is sent", async () => {
  const { bus, transport } = await scripted();
  for (const headers of [{ "hero-id": "x" }, { "a b": 1 }, { a: "\n" }, { a: "\ud800" }, { a: new Date() }]) {
    await assertRejects(() => bus.send(Submit, order, { headers: headers as never }), InvalidHeaderError);
    await assertRejects(() => bus.request(Get, order, { headers: headers as never }), InvalidHeaderError);
  }
  assertEquals(transport.sent, []);
  await bus.stop();
});

trial("headers of more than 16 KB, in bytes, are too large", async () => {
  const { bus, transport } = await scripted();
  await bus.publish(Happened, order, { headers: { text: "a".repeat(15_000) } });
  for (const text of ["a".repeat(17_000), "é".repeat(8_200), "日".repeat(5_500)]) {
    const error = await assertRejects(
      () => bus.publish(Happened, order, { headers: { text } }),
      MessageTooLargeError,
    );
    const { contract, part, limitInBytes } = error.details;
    assertEquals({ contract, part, limitInBytes }, {
      contract: "orders.happened",
      part: "headers",
      limitInBytes: 16_384,
    });
  }
  assertEquals(transport.sent.length, 1);
  await bus.stop();
});

trial("a transport that carries less says less", async () => {
  const { bus } = await scripted(new ScriptedTransport({}, { maxHeaderBytes: 1000, maxFrameBytes: 1000 }));
  await bus.publish(Happened, order);
  const error = await assertRejects(
    () => bus.publish(Happened, order, { headers: { text: "a".repeat(1000) } }),
    MessageTooLargeError,
  );
  assertEquals(error.details["limitInBytes"], 1000);
  await assertRejects(() => bus.publish(Happened, { orderId: "a".repeat(990) }), MessageTooLargeError, "body");
  await bus.stop();
});

trial("what flows on counts, too: headers that came and headers that are set are too large together", async (trial) => {
  const bus = trial.bus();
  let error: unknown;
  bus.endpoint("orders").handle(Submit, async (message, ctx) => {
    await ctx.publish(Happened, message);
    error = await ctx.publish(Happened, message, { headers: { more: "b".repeat(9000) } }).catch((thrown) => thrown);
  });
  await bus.start();
  await bus.send(Submit, order, { headers: { text: "a".repeat(9000) } });
  await trial.settled();
  assertInstanceOf(error, MessageTooLargeError);
});

// ---- Times and priorities

trial("times to live: 0 and less are refused, the rest is rounded up to whole milliseconds", async () => {
  const { bus, transport } = await scripted();
  const now = transport.host?.clock.now() ?? 0;
  for (const ttl of [5000, "5s", 0.4, 1500.7, 5_000_000_000] as const) await bus.publish(Happened, order, { ttl });
  assertEquals(transport.sent.map(({ expiresAt }) => (expiresAt ?? 0) - now), [5000, 5000, 1, 1501, 5_000_000_000]);
  await assertRejects(() => bus.publish(Happened, order, { ttl: 0 }), ConfigurationError, "ttl of 0");
  for (const ttl of [-5, "-5s", NaN, "5 s", ""]) {
    await assertRejects(() => bus.publish(Happened, order, { ttl: ttl as Duration }), InvalidDurationError);
  }
  assertEquals(transport.sent.length, 5);
  await bus.stop();
});

trial("a send's ttl, key and priority come before the contract's", async () => {
  const { bus, transport } = await scripted();
  const now = transport.host?.clock.now() ?? 0;
  const Own = command<Order>("orders.own", { ttl: "1m", key: (m) => m.orderId, priority: 3 });
  await bus.send(Own, order);
  await bus.send(Own, order, { ttl: "1s", key: "other", priority: 255 });
  await bus.send(Own, order, { priority: 0 });
  assertEquals(
    transport.sent.map(({ key, priority, expiresAt }) => [key, priority, (expiresAt ?? 0) - now]),
    [["42", 3, 60_000], ["other", 9, 1000], ["42", undefined, 60_000]],
  );
  await bus.stop();
});

trial("a priority that is not whole, from 0 to 255, is refused", async () => {
  const { bus, transport } = await scripted();
  for (const priority of [-1, 256, 0.5, NaN, "5", null]) {
    await assertRejects(
      () => bus.send(Submit, order, { priority: priority as number }),
      ConfigurationError,
      "priority",
    );
  }
  assertEquals(transport.sent, []);
  await bus.stop();
});

trial("a transport without priorities or levels enough gets none, or its highest", async () => {
  for (const [priorities, expected] of [[0, undefined], [1, 0], [4, 3], [256, 200]] as const) {
    const { bus, transport } = await scripted(new ScriptedTransport({}, { priorities }));
    await bus.send(Submit, order, { priority: 200 });
    assertEquals(transport.sent[0]?.priority, expected);
    await bus.stop();
  }
});

trial("what is no object is not sent where no schema takes it: who receives it would refuse it", async () => {
  const { bus, transport } = await scripted();
  const Deleted = event<string>("users.deleted");
  const Raise = command<number[] | null>("levels.raise");

  await assertRejects(() => bus.publish(Deleted, "42"), InvalidMessageError, "it is a string");
  await assertRejects(() => bus.send(Raise, [1]), InvalidMessageError, "it is a list");
  await assertRejects(() => bus.send(Raise, null), InvalidMessageError, "it is null");

  assertEquals(transport.sent.length, 0);
});

trial("a key that is no text is refused, whoever gives it", async () => {
  const { bus, transport } = await scripted();
  const Keyed = event<{ id?: string }>("keyed", { key: (m) => m.id as string });
  await assertRejects(() => bus.publish(Keyed, {}), InvalidMessageError, "its key is undefined");
  for (const key of [5, {}, true]) {
    await assertRejects(() => bus.publish(Keyed, { id: "1" }, { key: key as never }), InvalidMessageError, "its key");
  }
  assertEquals(transport.sent, []);
  await bus.publish(Keyed, { id: "" });
  assertEquals(transport.sent.map(({ key }) => key), [""]);
  await bus.stop();
});

trial("what a key function throws rejects the send", async () => {
  const { bus } = await scripted();
  const Bad = event<Order>("bad", {
    key: () => {
      throw new RangeError("no key");
    },
  });
  await assertRejects(() => bus.publish(Bad, order), RangeError, "no key");
  await bus.stop();
});

// ---- Delays

const delays = [2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 15_552_000_000];
trial("a delay of any length is never early, and in time on a virtual clock", async (trial) => {
  const came = new Map<string, number>();
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, ({ orderId }) => void came.set(orderId, trial.clock.now()));
  await bus.start();
  const start = trial.clock.now();
  for (const delay of delays) await bus.send(Submit, { orderId: String(delay) }, { delay });
  for (const delay of delays) {
    await trial.pass(start + delay - 1 - trial.clock.now());
    assertEquals(came.has(String(delay)), false);
    await trial.pass(1);
    assertEquals(came.get(String(delay)), start + delay);
  }
});

trial("no delay at all is at once; a negative one is refused", async (trial) => {
  const came: string[] = [];
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, ({ orderId }) => void came.push(orderId));
  await bus.start();
  await bus.send(Submit, { orderId: "0" }, { delay: 0 });
  await bus.send(Submit, { orderId: "0s" }, { delay: "0s" });
  for (const delay of [-1, "-1s", NaN, Infinity, "soon"]) {
    await assertRejects(() => bus.send(Submit, order, { delay: delay as Duration }), InvalidDurationError);
  }
  await trial.settled();
  assertEquals(came, ["0", "0s"]);
});

trial("a ttl counts from when the message is due, not from when it was sent", async () => {
  const { bus, transport } = await scripted();
  const now = transport.host?.clock.now() ?? 0;
  await bus.send(Submit, order, { delay: 500, ttl: "1s" });
  assertEquals([transport.sent[0]?.dueAt, transport.sent[0]?.expiresAt], [now + 500, now + 1500]);
  await bus.stop();
});

trial("a delay that the transport cannot keep is refused, not cut", async () => {
  const { bus, transport } = await scripted(new ScriptedTransport({}, { delay: { maxMs: 1000, cancel: false } }));
  await bus.send(Submit, order, { delay: 1000 });
  const error = await assertRejects(() => bus.send(Submit, order, { delay: 1001 }), UnsupportedError);
  for (const part of ["scripted", "1001 ms", "orders.submit"]) assertStringIncludes(error.message, part);
  const none = await scripted(new ScriptedTransport({}, { delay: false }));
  await assertRejects(() => none.bus.send(Submit, order, { delay: 1 }), UnsupportedError);
  await none.bus.send(Submit, order, { delay: 0 });
  assertEquals([transport.sent.length, none.transport.sent.length], [1, 1]);
  await bus.stop();
  await none.bus.stop();
});

// ---- Kinds

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

// ---- Middleware

trial("send middleware sees each message, in order, outside in, and may change message and headers", async (trial) => {
  const seen: string[] = [];
  const left: string[] = [];
  const bus = trial.bus();
  const note = (name: string) => async (ctx: SendContext, next: () => Promise<void>) => {
    seen.push(`${name} ${ctx.kind} ${ctx.contract.name} ${ctx.to} ${ctx.cause?.endpoint ?? "-"}`);
    if (ctx.kind === "publish") ctx.message = { ...(ctx.message as Order), orderId: `${name} ` + order.orderId };
    ctx.setHeader(name, true);
    await next();
    left.push(`${name} ${ctx.kind}`);
  };
  bus.useSend(note("bus"));
  let came: unknown;
  bus.endpoint("orders").useSend(note("endpoint")).handle(Submit, (message, ctx) => ctx.publish(Happened, message));
  bus.endpoint("billing").handle(Happened, (message, ctx) => void (came = [message, { ...ctx.headers }]));
  await bus.start();
  await bus.send(Submit, order);
  await trial.settled();
  assertEquals(seen, [
    "bus send orders.submit topic:orders.submit -",
    "bus publish orders.happened topic:orders.happened orders",
    "endpoint publish orders.happened topic:orders.happened orders",
  ]);
  assertEquals(left.filter((each) => each.endsWith("publish")), ["endpoint publish", "bus publish"]);
  assertEquals(came, [{ orderId: "endpoint 42" }, { bus: true, endpoint: true }]);
});

trial("send middleware sees ids as given, and the headers that flow on", async (trial) => {
  const bus = trial.bus();
  const seen: unknown[] = [];
  bus.endpoint("orders").useSend((ctx, next) => {
    seen.push([ctx.messageId, ctx.correlationId, { ...ctx.headers }, ctx.cause?.messageId]);
    return next();
  }).handle(
    Submit,
    (message, ctx) => ctx.publish(Happened, message, { messageId: "m-2", correlationId: "c-2", headers: { own: 1 } }),
  );
  await bus.start();
  await bus.send(Submit, order, { messageId: "m-1", headers: { tenant: "acme" } });
  await trial.settled();
  assertEquals(seen, [["m-2", "c-2", { tenant: "acme", own: 1 }, "m-1"]]);
});

trial("what send middleware throws rejects the send; a header it sets is checked", async () => {
  const { bus, transport } = await scripted();
  const stopped = createBus({ name: "app", transport: new ScriptedTransport() });
  stopped.useSend(() => Promise.reject(new RangeError("not today")));
  const setting = createBus({ name: "app", transport: new ScriptedTransport() });
  setting.useSend((ctx, next) => {
    ctx.setHeader("hero-id", "x");
    return next();
  });
  await stopped.start();
  await setting.start();
  await assertRejects(() => stopped.send(Submit, order), RangeError, "not today");
  await assertRejects(() => setting.send(Submit, order), InvalidHeaderError);
  assertEquals(transport.sent, []);
  for (const each of [bus, stopped, setting]) await each.stop();
});

trial("send middleware that does not go on keeps the message back", async () => {
  const transport = new ScriptedTransport();
  const bus = createBus({ name: "app", transport });
  bus.useSend((ctx, next) => ctx.contract.name === "orders.submit" ? Promise.resolve() : next());
  await bus.start();
  await bus.send(Submit, order);
  await bus.publish(Happened, order);
  assertEquals(transport.sent.length, 1);
  await bus.stop();
});

trial("what send middleware puts in the message's place is validated", async () => {
  const transport = new ScriptedTransport();
  const bus = createBus({ name: "app", transport });
  const Checked = command("orders.checked", {
    schema: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value): { value: Order } | { issues: { message: string }[] } =>
          typeof (value as Order).orderId === "string"
            ? { value: value as Order }
            : { issues: [{ message: "no orderId" }] },
        types: undefined as { input: Order; output: Order } | undefined,
      },
    },
  });
  bus.useSend((ctx, next) => {
    ctx.message = { orderId: 5 };
    return next();
  });
  await bus.start();
  await assertRejects(() => bus.send(Checked, order), InvalidMessageError, "no orderId");
  assertEquals(transport.sent, []);
  await bus.stop();
});

// ---- Failures

trial("a value that JSON cannot carry is refused, and its place named", async () => {
  const { bus, transport } = await scripted();
  const Any = event<{ readonly a: unknown }>("any");
  for (const bad of [NaN, () => {}, Symbol("s"), new Date(NaN), "\ud800", new (class Money {})()]) {
    const error = await assertRejects(() => bus.publish(Any, { a: { b: [bad] } }), UnserializableError);
    assertEquals(error.details["path"], "a.b.0");
  }
  assertEquals(transport.sent, []);
  await bus.stop();
});

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

// ---- Telemetry's span of a send

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
