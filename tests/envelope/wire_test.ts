import { assertEquals, assertThrows } from "@std/assert";
import type { Envelope } from "../../src/envelope/envelope.ts";
import { fromHeaders, toHeaders } from "../../src/envelope/wire.ts";
import { UnreadableMessageError } from "../../src/errors/receiving.ts";
import type { FrameHeaders } from "../../src/spi/frame.ts";
import { test } from "../support/runner.ts";

const full: Envelope = {
  messageId: "m-1",
  type: "a;v=2, b",
  correlationId: "c-1",
  conversationId: "v-1",
  initiatorId: "i-1",
  requestId: "r-1",
  sourceAddress: "queue:source",
  destinationAddress: "topic:a",
  responseAddress: "queue:replies",
  faultAddress: "queue:faults",
  sentAt: 1000,
  expiresAt: 2000,
  headers: { tenant: "acme", urgent: true, retries: 2 },
  trace: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=1", baggage: "k=v" },
  host: { machine: "m", process: "p", processId: 1, bus: "b", runtime: "r", version: "v" },
};
const frame = (headers: FrameHeaders) => ({ contentType: "application/json", headers, body: new Uint8Array() });
const read = (headers: FrameHeaders) => fromHeaders(frame(headers), () => "new");

test("an envelope comes back as it was", () => {
  const envelope = read(toHeaders(full, undefined));
  assertEquals({ ...envelope, headers: { ...envelope.headers } }, full);
});

test("the wire has the id, the type and the rest as compact JSON, beside trace context and the user's headers", () => {
  const headers = toHeaders(full, "at=date");
  assertEquals(Object.keys(headers), [
    "hero-id",
    "hero-type",
    "hero-meta",
    "hero-types",
    "traceparent",
    "tracestate",
    "baggage",
    "tenant",
    "urgent",
    "retries",
  ]);
  assertEquals(
    headers["hero-meta"],
    `{"c":"c-1","v":"v-1","i":"i-1","q":"r-1","r":"queue:replies","f":"queue:faults","t":1000,"x":2000,` +
      `"s":"queue:source","h":["m","p",1,"b","r","v"]}`,
  );
});

const common: Envelope = {
  ...full,
  messageId: "01a21604-ac0e-767a-be72-edf9c688b734",
  correlationId: undefined,
  conversationId: "01a21604-ac0e-767a-be72-edf9c688b734",
  initiatorId: undefined,
  requestId: undefined,
  responseAddress: undefined,
  faultAddress: undefined,
  sentAt: 0x01a21604ac0e,
  expiresAt: undefined,
  headers: {},
  trace: undefined,
};
const back = (envelope: Envelope) => {
  const read = fromHeaders(frame(toHeaders(envelope, undefined)), () => "new");
  return { ...read, sentAt: read.sentAt, headers: { ...read.headers } };
};

test("a first message says who sent it and no more: the rest follows from its id and its type", () => {
  assertEquals(toHeaders(common, undefined)["hero-meta"], `{"s":"queue:source","h":["m","p",1,"b","r","v"]}`);
  // Twice: what is common is looked up from the second time on.
  assertEquals([back(common), back(common)], [common, common]);
});

test("ids that are said elsewhere are not repeated", () => {
  const { messageId } = common;
  const request = { ...common, requestId: messageId, responseAddress: "queue:replies" };
  assertEquals(
    toHeaders(request, undefined)["hero-meta"],
    `{"q":0,"r":"queue:replies","s":"queue:source","h":["m","p",1,"b","r","v"]}`,
  );
  assertEquals(back(request), request);
  const reply = { ...common, requestId: "r-1", conversationId: "r-1", initiatorId: "r-1", correlationId: messageId };
  assertEquals(
    toHeaders(reply, undefined)["hero-meta"],
    `{"c":0,"v":1,"i":1,"q":"r-1","s":"queue:source","h":["m","p",1,"b","r","v"]}`,
  );
  assertEquals(back(reply), reply);
});

test("what cannot be told from id and type is said", () => {
  const cases: readonly Partial<Envelope>[] = [
    { sentAt: 0x01a21604ac0f },
    { sentAt: 0.5 },
    { sentAt: undefined },
    { messageId: "4c1dca0b-18f1-47c4-a747-02a4148e2380" },
    { messageId: "zzzzzzzz-zzzz-7zzz-zzzz-zzzzzzzzzzzz" },
    { conversationId: undefined },
    { destinationAddress: "topic:ab" },
    { destinationAddress: "topic:" },
    { destinationAddress: "queue:a" },
    { destinationAddress: undefined },
    { type: "ab", destinationAddress: "topic:a" },
    { type: "", destinationAddress: undefined },
    { type: "a, b" },
    { type: "a" },
    { sourceAddress: undefined },
    { host: undefined },
    { sourceAddress: undefined, host: undefined },
    { sourceAddress: `queue:"größe"` },
  ];
  for (const each of cases) {
    const envelope = { ...common, ...each };
    assertEquals(back(envelope), envelope);
  }
});

test("a meta as it was written before its names became letters is read", () => {
  const { messageId, ...rest } = full;
  const envelope = read({
    "hero-id": messageId,
    "hero-type": full.type,
    "hero-meta":
      `{"correlation":"c-1","conversation":"v-1","initiator":"i-1","request":"r-1","source":"queue:source",` +
      `"destination":"topic:a","response":"queue:replies","fault":"queue:faults","sent":1000,"expires":2000,` +
      `"host":["m","p",1,"b","r","v"]}`,
  });
  assertEquals({ ...envelope, headers: {}, trace: undefined }, { messageId, ...rest, headers: {}, trace: undefined });
  const bare = read({ "hero-id": common.messageId, "hero-type": "a", "hero-meta": `{"correlation":"c"}` });
  assertEquals([bare.conversationId, bare.destinationAddress, bare.sentAt], [common.messageId, undefined, undefined]);
});

test("what is not known is not known on the other side", () => {
  const bare = read({ "hero-id": "1", "hero-type": "a" });
  assertEquals(toHeaders(bare, undefined), { "hero-id": "1", "hero-type": "a", "hero-meta": `{"v":null,"d":null}` });
  assertEquals(back(bare), { ...bare, headers: {} });
});

test("a message without an id gets one; without anything else it has nothing else", () => {
  const envelope = read({});
  assertEquals([envelope.messageId, envelope.type, envelope.conversationId, envelope.sentAt], [
    "new",
    "",
    undefined,
    undefined,
  ]);
  assertEquals(read({ "hero-id": "" }).messageId, "new");
});

test("headers that clients send as bytes are read as UTF-8", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const envelope = read({
    "hero-id": bytes("é-1"),
    "hero-type": bytes("a"),
    "hero-meta": bytes(`{"correlation":"c"}`),
    baggage: bytes("k=é"),
  });
  assertEquals([envelope.messageId, envelope.type, envelope.correlationId, envelope.trace?.baggage], [
    "é-1",
    "a",
    "c",
    "k=é",
  ]);
});

for (const meta of ["", "{", "[]", "null", "5", `"text"`, "\u0000"]) {
  test(`meta that is ${JSON.stringify(meta)} makes the message unreadable`, () => {
    assertThrows(() => read({ "hero-meta": meta }), UnreadableMessageError, "hero-meta");
  });
}
for (
  const [key, value] of [
    ["correlation", 5],
    ["request", 0],
    ["response", {}],
    ["fault", []],
    ["source", true],
    ["q", 1],
    ["c", 2],
    ["d", 0],
    ["s", 0],
  ]
) {
  test(`a ${key} in the meta that is ${JSON.stringify(value)} makes the message unreadable`, () => {
    assertThrows(() => read({ "hero-meta": JSON.stringify({ [String(key)]: value }) }), UnreadableMessageError);
  });
}
for (const time of [`"now"`, "{}", "1e999"]) {
  test(`a time in the meta that is ${time} makes the message unreadable`, () => {
    for (const key of ["sent", "expires", "t", "x"]) {
      assertThrows(() => read({ "hero-meta": `{"${key}":${time}}` }), UnreadableMessageError, key);
    }
  });
}

test("a `__proto__` in the meta changes nothing", () => {
  const envelope = read({ "hero-meta": `{"__proto__":{"correlation":"evil","admin":true}}` });
  assertEquals(envelope.correlationId, undefined);
  assertEquals(({} as Record<string, unknown>)["admin"], undefined);
});

test("a header called `__proto__` that came flows on as it is", () => {
  const envelope = read(JSON.parse(`{"__proto__":"x"}`));
  const headers = toHeaders(envelope, undefined);
  assertEquals(Object.hasOwn(headers, "__proto__"), true);
  assertEquals(headers["__proto__"], "x");
});

test("what is null in the meta, as some writers put it, is not there", () => {
  const envelope = read({
    "hero-id": "1",
    "hero-type": "a",
    "hero-meta": `{"request":null,"sent":null,"source":"queue:b"}`,
  });
  assertEquals([envelope.requestId, envelope.sentAt, envelope.sourceAddress], [undefined, undefined, "queue:b"]);
});
