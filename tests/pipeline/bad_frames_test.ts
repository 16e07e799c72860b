import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { command, event } from "../../mod.ts";
import type { FrameHeaders } from "../../mod.ts";
import { all, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("bad-frames.work");
const Happened = event<{ id: string }>("bad-frames.happened");

const encoder = new TextEncoder();
const named: FrameHeaders = { "hero-id": "m-1", "hero-type": "bad-frames.work" };
const meta = (text: string): FrameHeaders => ({ ...named, "hero-meta": text });
const deep = (open: string, close: string): string => `{"id":${open.repeat(10_000)}1${close.repeat(10_000)}}`;

/** Bad input, and the error that says so. */
const frames: Readonly<
  Record<string, {
    readonly body: string | Uint8Array;
    readonly headers?: FrameHeaders;
    readonly contentType?: string;
    readonly type: string;
    readonly says: string;
  }>
> = {
  "an empty body": { body: "", type: "UnreadableMessageError", says: "" },
  "a truncated body": { body: `{"id":"1`, type: "UnreadableMessageError", says: "" },
  "a body that is not UTF-8": {
    body: new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    type: "UnreadableMessageError",
    says: "",
  },
  "a byte order mark": { body: `\ufeff{"id":"1"}`, type: "UnreadableMessageError", says: "byte order mark" },
  "a list": { body: "[]", type: "UnreadableMessageError", says: "a list" },
  "null": { body: "null", type: "UnreadableMessageError", says: "null" },
  "a text": { body: `"text"`, type: "UnreadableMessageError", says: "a string" },
  "a number": { body: "1e999", type: "UnreadableMessageError", says: "" },
  "a body with something behind it": { body: "{}{}", type: "UnreadableMessageError", says: "" },
  "10 MB of junk": { body: new Uint8Array(10_000_000).fill(0x41), type: "UnreadableMessageError", says: "" },
  "10 MB that are JSON": {
    body: JSON.stringify({ id: "1", more: "x".repeat(10_000_000) }),
    type: "UnreadableMessageError",
    says: "bytes",
  },
  "10,000 lists in one another": { body: deep("[", "]"), type: "UnreadableMessageError", says: "deep" },
  "10,000 objects in one another": { body: deep(`{"a":`, "}"), type: "UnreadableMessageError", says: "deep" },
  "an unknown content type": {
    body: "id=1",
    contentType: "application/x-www-form-urlencoded",
    type: "UnknownContentTypeError",
    says: "x-www-form-urlencoded",
  },
  "no type, by a queue that says nothing": {
    body: "{}",
    headers: { "hero-id": "m-1" },
    type: "UnreadableMessageError",
    says: "hero-type",
  },
  "meta that is not JSON": { body: "{}", headers: meta("{"), type: "UnreadableMessageError", says: "hero-meta" },
  "meta that is a list": { body: "{}", headers: meta("[]"), type: "UnreadableMessageError", says: "hero-meta" },
  "meta that is null": { body: "{}", headers: meta("null"), type: "UnreadableMessageError", says: "hero-meta" },
  "a correlation id that is a number": {
    body: "{}",
    headers: meta(`{"correlation":5}`),
    type: "UnreadableMessageError",
    says: "correlation",
  },
  "a request id that is an object": {
    body: "{}",
    headers: meta(`{"request":{}}`),
    type: "UnreadableMessageError",
    says: "request",
  },
  "an expiry that is a text": {
    body: "{}",
    headers: meta(`{"expires":"soon"}`),
    type: "UnreadableMessageError",
    says: "expires",
  },
  "an expiry without an end": {
    body: "{}",
    headers: meta(`{"expires":1e999}`),
    type: "UnreadableMessageError",
    says: "expires",
  },
  "1 MB of headers, and no JSON": {
    body: "junk",
    headers: { ...named, large: "x".repeat(1_000_000) },
    type: "UnreadableMessageError",
    says: "",
  },
  "meta of 1 MB that is no JSON": {
    body: "{}",
    headers: meta(`{"host":"${"x".repeat(1_000_000)}`),
    type: "UnreadableMessageError",
    says: "hero-meta",
  },
  "hero-types of a kind that there is not": {
    body: `{"id":"1"}`,
    headers: { ...named, "hero-types": "id=function" },
    type: "UnreadableMessageError",
    says: "id=function",
  },
};

for (const [what, { body, headers = named, contentType = "application/json", type, says }] of Object.entries(frames)) {
  trial(`${what}: the error queue, byte for byte, by a typed error, and the bus goes on`, async (t) => {
    const bus = t.bus();
    const handled: string[] = [];
    bus.endpoint("work", { concurrency: 1, prefetch: 1 }).handle(Work, ({ id }) => void handled.push(id));
    await bus.start();
    await t.put("queue:work", { body, headers, contentType });
    await bus.send(Work, { id: "good" });
    await t.settled();
    assertEquals(handled, ["good"]);
    const [failed, ...others] = await all(bus.errors("work").list());
    assert(failed !== undefined, "Nothing is in the error queue");
    assertEquals(others.length, 0);
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    // Compared as a whole: an assertion of each of ten million bytes takes its time.
    assert(failed.body.length === bytes.length && failed.body.every((byte, index) => byte === bytes[index]));
    assertEquals(failed.contentType, contentType);
    assertEquals(failed.reason, "unreadable");
    assertEquals(failed.attempts, 0);
    assertEquals(failed.exceptions[0]?.type, type);
    assertStringIncludes(failed.exceptions[0]?.message ?? "", says);
    const [parked] = await t.peek("work_error");
    for (const [name, value] of Object.entries(headers)) assertEquals(parked?.frame.headers[name], value);
    const { consumed, faulted } = bus.statistics("work");
    assertEquals({ consumed, faulted }, { consumed: 1, faulted: 1 });
  });
}

/** Odd input that is to be handled all the same. */
const odd: Readonly<
  Record<string, { readonly body?: string | Uint8Array; readonly headers: FrameHeaders; readonly contentType?: string }>
> = {
  "no id": { headers: { "hero-type": "bad-frames.work" } },
  "an id that is a number, and one of bytes": { headers: { "hero-type": "bad-frames.work", "hero-id": 7 } },
  "a type in bytes": { headers: { "hero-id": "1", "hero-type": encoder.encode("bad-frames.work") } },
  "no content type": { headers: named, contentType: "" },
  "hero-types that lead nowhere": { headers: { ...named, "hero-types": "id.*.x=date" } },
  "attempts that are none": { headers: { ...named, "hero-attempts": "many", "hero-redeliveries": -3 } },
  "a deferral in bytes": { headers: { ...named, "hero-deferral": encoder.encode("x") } },
  "a trace that is none": { headers: { ...named, traceparent: "00-zz", tracestate: 5, baggage: "=,=" } },
  "meta with words of its own": { headers: meta(`{"unknown":[1],"host":7}`) },
  "a header called __proto__": { headers: JSON.parse(`{"hero-type":"bad-frames.work","__proto__":"x"}`) },
  "a date and a bigint among the headers": {
    headers: { ...named, when: new Date(0), big: 5n, bytes: new Uint8Array(2) },
  },
  "1 MB of headers": { headers: { ...named, large: "x".repeat(1_000_000) } },
  "10,000 headers": {
    headers: { ...named, ...Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`h-${at}`, "x"])) },
  },
  "a later version without a schema": { headers: { "hero-id": "1", "hero-type": "bad-frames.work;v=9" } },
  "a derived type that nobody knows": { headers: { "hero-id": "1", "hero-type": "x.y;v=2, bad-frames.work" } },
  "8,000,000 bytes": { headers: named, body: JSON.stringify({ id: "good", more: "x".repeat(8_000_000) }) },
};
for (const [what, { body = `{"id":"good"}`, headers, contentType = "application/json" }] of Object.entries(odd)) {
  trial(`${what}: handled all the same`, async (t) => {
    const bus = t.bus();
    const handled: string[] = [];
    bus.endpoint("work").handle(Work, ({ id }, { attempt, messageId }) => {
      handled.push(`${id} ${attempt}`);
      assert(messageId !== "");
    });
    await bus.start();
    await t.put("queue:work", { body, headers, contentType });
    await t.settled();
    assertEquals(await all(bus.errors("work").list()), []);
    assertEquals(handled, ["good 1"]);
  });
}

trial(
  "headers of 1 MB that came from elsewhere do not flow on: what would carry them is refused, and fails",
  async (t) => {
    const bus = t.bus();
    const handled: string[] = [];
    bus.endpoint("work").handle(Work, async ({ id }, ctx) => {
      await ctx.publish(Happened, { id });
      handled.push(id);
    });
    await bus.start();
    const large = "x".repeat(1_000_000);
    await t.put("queue:work", { body: `{"id":"large"}`, headers: { ...named, large } });
    await bus.send(Work, { id: "good" });
    await t.settled();
    assertEquals(handled, ["good"]);
    const [failed, ...others] = await all(bus.errors("work").list());
    assertEquals([failed?.exceptions[0]?.type, others.length], ["MessageTooLargeError", 0]);
    // It can be looked at, and put back, with all that it came with.
    assertEquals(failed?.headers["large"], large);
    assertEquals(await bus.errors("work").requeue("all"), 1);
    await t.settled();
    assertEquals((await bus.counts("work")).failed, 1);
  },
);

trial("a foreign event without a type is known by the topic that it came by", async (t) => {
  const bus = t.bus();
  const handled: string[] = [];
  bus.endpoint("work").handle(Happened, ({ id }) => void handled.push(id));
  await bus.start();
  await t.put("topic:bad-frames.happened", { body: `{"id":"1"}` });
  await t.settled();
  assertEquals(handled, ["1"]);
});

trial("`__proto__` in a payload changes no prototype", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("work").handle(Work, (message) => {
    const copy: Record<string, unknown> = { ...message };
    seen.push(
      copy["admin"],
      (message as unknown as Record<string, unknown>)["admin"],
      ({} as { admin?: unknown }).admin,
    );
  });
  await bus.start();
  await t.put("queue:work", { body: `{"id":"1","__proto__":{"admin":true}}`, headers: named });
  await t.settled();
  if (seen.length === 0) assertEquals((await bus.counts("work")).failed, 1);
  else assertEquals(seen, [undefined, undefined, undefined]);
});

trial("a hundred bad messages do not keep the good ones between them from being handled", async (t) => {
  const bus = t.bus();
  let handled = 0;
  bus.endpoint("work", { concurrency: 2, prefetch: 2 }).handle(Work, () => void handled++);
  await bus.start();
  for (let count = 0; count < 100; count++) {
    await t.put("queue:work", { body: "junk", headers: named });
    await bus.send(Work, { id: "good" });
  }
  await t.settled();
  assertEquals(handled, 100);
  assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 0, failed: 100, skipped: 0 });
});

trial("a broker's message that is no frame is parked with its bytes", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => {});
  const transport = t.transportOf(bus);
  const receive = transport.receive.bind(transport);
  transport.receive = (source, sink) =>
    receive(source, {
      deliver: (batch) => {
        for (const delivery of batch) Object.assign(delivery, { unreadable: new Error("unknown header tag L") });
        sink.deliver(batch);
      },
      lost: (deliveries, reason) => sink.lost(deliveries, reason),
      readdressed: () => sink.readdressed(),
    });
  await bus.start();
  await t.put("queue:work", { body: "bytes", headers: {} });
  await t.settled();
  const [failed] = await all(bus.errors("work").list());
  assertEquals(new TextDecoder().decode(failed?.body), "bytes");
  assertStringIncludes(failed?.exceptions[0]?.message ?? "", "unknown header tag L");
});
