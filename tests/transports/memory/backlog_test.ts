import { assertEquals } from "@std/assert";
import { frame } from "../../conformance/transport/trial.ts";
import { noHeaders } from "../../../src/envelope/headers.ts";
import { envelopeIn, KeptFrame } from "../../../src/envelope/kept_frame.ts";
import { SentEnvelope } from "../../../src/envelope/sent_envelope.ts";
import { jsonSerializer } from "../../../src/serialization/json.ts";
import type { Frame } from "../../../src/spi/frame.ts";
import { createUuidV7 } from "../../../src/values/uuid_v7.ts";
import { Backlog } from "../../../transports/memory/backlog.ts";
import { Message, precedes } from "../../../transports/memory/message.ts";
import { test } from "../../support/runner.ts";

function message(position: number, priority?: number): Message {
  return new Message({ frame: frame(""), priority }, "queue:q", position, 1);
}

test("a backlog gives the higher priority first, and what came back in its place", () => {
  const backlog = new Backlog();
  const all: Message[] = [];
  const waiting = new Set<Message>();
  let state = 1;
  for (let round = 0; round < 2_000; round++) {
    state = (Math.imul(state, 48_271) >>> 0) % 2_147_483_647;
    if (state % 3 !== 0 || all.length === 0) {
      const next = message(round, state % 5);
      all.push(next);
      waiting.add(next);
      backlog.add(next, next.via, next.position);
    } else {
      const first = [...waiting].toSorted((a, b) => (precedes(a, b) ? -1 : 1))[0];
      assertEquals(backlog.peek(), first);
      assertEquals(backlog.take(), first);
      if (first === undefined) continue;
      if (state % 2 === 0) backlog.putBack(first);
      else waiting.delete(first);
    }
    assertEquals(backlog.size, waiting.size);
  }
  const expected = [...waiting].toSorted((a, b) => (precedes(a, b) ? -1 : 1));
  assertEquals([...backlog.inOrder()], expected);
  const middle = expected[Math.floor(expected.length / 2)]!;
  assertEquals(
    [...backlog.inOrder((each) => precedes(middle, each))],
    expected.filter((each) => precedes(middle, each)),
  );
});

test("a priority that is no level is the nearest one", () => {
  assertEquals([undefined, -3, 0.9, 255, 1e9].map((each) => message(0, each).priority), [0, 0, 0, 255, 255]);
});

/** As different as messages in one queue can be. */
function various(position: number, priority: number): Message {
  const buffer = new TextEncoder().encode(`before ${position} after`);
  const body = buffer.subarray("before ".length, -" after".length);
  const id = { "hero-id": `id-${position}` };
  const frames: readonly Frame[] = [
    { contentType: "application/json", headers: { ...id, "hero-type": "a", "hero-meta": "{}" }, body },
    { contentType: "application/json", headers: { ...id, "hero-type": "b", "hero-meta": "{}" }, body },
    { contentType: "text/plain", headers: { ...id, "hero-type": "a", "hero-meta": "{}" }, body },
    { contentType: "", headers: {}, body },
    { contentType: "", headers: { ...id, "hero-type": "a", when: new Date(position) }, body },
    { contentType: "", headers: { "hero-type": "a", ...id, mine: position }, body },
    { contentType: "", headers: id, body: new Uint8Array(0), reference: { position } },
  ];
  const frame = frames[position % frames.length]!;
  const key = position % 5 === 0 ? `key-${position}` : undefined;
  const expiresAt = position % 11 === 0 ? 1_000_000 + position : undefined;
  return new Message({ frame, key, priority, expiresAt }, position % 2 === 0 ? "topic:t" : "queue:q", position, 1);
}

test("a long backlog gives what was put there, as it was, and shows it from any place", () => {
  const backlog = new Backlog();
  const expected: Message[] = [];
  const count = 10_000;
  for (let position = 0; position < count; position++) {
    const next = various(position, position % 3);
    expected.push(next);
    backlog.add(next, next.via, next.position);
  }
  expected.sort((a, b) => (precedes(a, b) ? -1 : 1));

  const sought = [0, 1_500, 3_333, 3_334, 5_000, 9_998].map((index) => expected[index]!);
  for (const each of sought) {
    const [next] = backlog.inOrder((other) => precedes(each, other));
    assertEquals(next, expected[expected.indexOf(each) + 1]);
  }
  assertEquals([...backlog.inOrder()], expected);
  assertEquals(backlog.size, count);
  for (const each of expected) {
    const taken = backlog.take();
    assertEquals(taken, each);
    assertEquals(Object.keys(taken!.frame.headers), Object.keys(each.frame.headers));
  }
  assertEquals([backlog.size, backlog.take()], [0, undefined]);
});

test("a backlog that grows and shrinks stays in order, whatever comes back", () => {
  const backlog = new Backlog();
  let added = 0;
  let expected = 0;
  for (const [grow, take] of [[3_000, 1_200], [500, 2_299], [5_000, 1], [0, 5_000]] as const) {
    for (const end = added + grow; added < end; added++) {
      const next = various(added, 0);
      backlog.add(next, next.via, next.position);
    }
    for (let taken = 0; taken < take; taken++, expected++) {
      const message = backlog.take()!;
      assertEquals(message.position, expected);
      if (taken % 100 !== 0) continue;
      backlog.putBack(message);
      assertEquals(backlog.peek(), message);
      assertEquals(backlog.take(), message);
    }
    assertEquals(backlog.size, added - expected);
  }
  assertEquals(added, expected);
});

test("what breaks the promise of a frame breaks no other message of a long backlog", () => {
  const backlog = new Backlog();
  const add = (position: number, headers: Record<string, unknown>, body: Uint8Array): void =>
    backlog.add({ frame: { contentType: "", headers: headers as Frame["headers"], body } }, "queue:q", position);
  for (let position = 0; position < 1024; position++) add(position, { "hero-id": String(position) }, new Uint8Array(1));
  const buffer = new ArrayBuffer(8, { maxByteLength: 8 });
  add(1024, { "hero-id": "one", b: "1" }, new Uint8Array(1));
  add(1025, { "hero-id": "two", a: undefined }, new Uint8Array(1));
  add(1026, { "hero-id": "three" }, new Uint8Array(buffer, 4, 4));
  add(1027, { "hero-id": "four", n: 0 }, new Uint8Array(1));
  add(1028, { "hero-id": "five", n: -0 }, new Uint8Array(1));
  buffer.resize(0);
  for (let position = 0; position < 1024; position++) backlog.take();

  const left = Array.from({ length: 5 }, () => ({ ...backlog.take()?.frame.headers }));

  assertEquals(
    left,
    [
      { "hero-id": "one", b: "1" },
      { "hero-id": "two", a: undefined },
      { "hero-id": "three" },
      { "hero-id": "four", n: 0 },
      { "hero-id": "five", n: -0 },
    ] as never,
  );
});

test("a long backlog of copies gives each its own id and time, however many ids have a head in common", () => {
  let now = 1_700_000_000_000;
  const newId = createUuidV7({ now: () => now });
  const serializer = jsonSerializer();
  const host = { machine: "", process: "", processId: 0, bus: "", runtime: "", version: "" };
  const sender = { address: "queue:sender", host };
  const backlog = new Backlog();
  const sent: unknown[] = [];
  for (let position = 0; position < 5_000; position++) {
    // At first each has a time of its own, then five have one, then all: until the ids of that head are used up.
    if (position < 2_000 || (position < 3_000 && position % 5 === 0)) now++;
    const id = newId();
    const envelope = new SentEnvelope(id, "a", id, "topic:a", now, noHeaders, sender, undefined, newId.last());
    backlog.add({ frame: new KeptFrame(envelope, serializer, { position }, undefined) }, "queue:q", position);
    sent.push([id, now, { position }]);
  }

  const taken = sent.map(() => {
    const { frame } = backlog.take()!;
    const envelope = envelopeIn(frame);
    return [envelope?.messageId, envelope?.sentAt, JSON.parse(new TextDecoder().decode(frame.body))];
  });

  assertEquals(taken, sent);
});
