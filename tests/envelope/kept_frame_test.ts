/** Messages whose bytes and headers nobody may ask for. */
import { assertEquals, assertRejects } from "@std/assert";
import {
  createBus,
  event,
  type FrameTransform,
  jsonSerializer,
  memory,
  memoryBroker,
  MessageTooLargeError,
  query,
  retry,
  type Serializer,
} from "@hero/messaging";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";

const Said = event<{ readonly words: readonly string[]; readonly at: Date }>("talk.said");

/** What a serializer is asked for, in order. */
function noted(asked: string[], { textToo = true }: { readonly textToo?: boolean } = {}): Serializer {
  const json = jsonSerializer();
  const bytes: Serializer = {
    contentType: json.contentType,
    serialize: (value) => (asked.push("to bytes"), json.serialize(value)),
    deserialize: (body, types) => (asked.push("from bytes"), json.deserialize(body, types)),
  };
  if (!textToo) return bytes;
  return {
    ...bytes,
    toText: (value) => (asked.push("to text"), json.toText!(value)),
    fromText: (text, types) => (asked.push("from text"), json.fromText!(text, types)),
  };
}

test("within the process no bytes are made, and what comes is what a broker would deliver", async () => {
  const asked: string[] = [];
  const bus = createBus({ name: "talk", transport: memory(), serializer: noted(asked) });
  const come: unknown[] = [];
  bus.endpoint("ears").handle(Said, (said, context) => void come.push(said, context.sentAt instanceof Date));
  await bus.start();
  const words = ["one"];
  const at = new Date(5);
  const sending = bus.publish(Said, { words, at });
  words.push("two");
  at.setTime(6);
  await sending;
  await bus.stop();
  assertEquals([asked, come], [["to text", "from text"], [{ words: ["one"], at: new Date(5) }, true]]);
});

trial("whoever asks for the bytes or the headers of a message gets those that a broker would get", async (t) => {
  const bus = t.bus({ name: "talk" });
  bus.endpoint("ears").handle(Said, () => {});
  await bus.start();
  await bus.pause("ears");
  await bus.publish(Said, { words: ["é"], at: new Date(5) }, { messageId: "a" });
  const [delivery] = await t.peek("ears");
  const { headers, body, contentType } = delivery!.frame;
  assertEquals(new TextDecoder().decode(body), `{"words":["é"],"at":"1970-01-01T00:00:00.005Z"}`);
  assertEquals(contentType, "application/json");
  assertEquals([headers["hero-id"], headers["hero-type"], headers["hero-types"]], ["a", "talk.said", "at=date"]);
});

test("a serializer that reads bytes alone is given bytes", async () => {
  const broker = memoryBroker();
  const asked: string[] = [];
  const sender = createBus({ name: "mouth", transport: memory({ broker }) });
  const receiver = createBus({
    name: "talk",
    transport: memory({ broker }),
    serializer: noted(asked, { textToo: false }),
  });
  const come: unknown[] = [];
  receiver.endpoint("ears").handle(Said, ({ words }) => void come.push(...words));
  await Promise.all([sender.start(), receiver.start()]);
  await sender.publish(Said, { words: ["one"], at: new Date(5) });
  await Promise.all([sender.stop(), receiver.stop()]);
  assertEquals([asked, come], [["from bytes"], ["one"]]);
});

const Plain = event<{ readonly words: string[]; readonly by: { name: string } }>("talk.plain");
const plain = () => ({ words: ["one"], by: { name: "me" } });

/** As {@linkcode noted}, and copies what is plain. */
function copying(asked: string[]): Serializer {
  const json = jsonSerializer();
  return { ...noted(asked), copy: (value, mostBytes) => (asked.push("to copy"), json.copy!(value, mostBytes)) };
}

test("a plain message is copied, not written: nobody sees what the sender or another handler changes", async () => {
  const asked: string[] = [];
  const bus = createBus({ name: "talk", transport: memory(), serializer: copying(asked) });
  const come: unknown[] = [];
  for (const name of ["left", "right"]) {
    bus.endpoint(name).handle(Plain, (said) => {
      come.push(structuredClone(said));
      said.words.push(name);
      said.by.name = name;
    });
  }
  await bus.start();
  const message = plain();
  const sending = bus.publish(Plain, message);
  message.words.push("two");
  message.by.name = "you";
  await sending;
  await bus.stop();
  assertEquals([asked, come], [["to copy"], [plain(), plain()]]);
});

test("a plain answer is copied, too", async () => {
  const asked: string[] = [];
  const bus = createBus({ name: "talk", transport: memory(), serializer: copying(asked) });
  const Ask = query<{ readonly word: string }, { readonly words: string[] }>("talk.ask");
  const words = ["one"];
  bus.endpoint("mouth").handle(Ask, ({ word }) => ({ words: [...words, word] }));
  await bus.start();
  assertEquals(await bus.request(Ask, { word: "two" }), { words: ["one", "two"] });
  await bus.stop();
  assertEquals(asked, ["to copy", "to copy"]);
});

test("what is not plain is written, also where copies are made", async () => {
  const asked: string[] = [];
  const bus = createBus({ name: "talk", transport: memory(), serializer: copying(asked) });
  const come: unknown[] = [];
  bus.endpoint("ears").handle(Said, (said) => void come.push(said));
  await bus.start();
  await bus.publish(Said, { words: ["one"], at: new Date(5) });
  await bus.stop();
  assertEquals([asked, come], [["to copy", "to text", "from text"], [{ words: ["one"], at: new Date(5) }]]);
});

test("a receiver with another serializer reads the text of a copy, within its own limits", async () => {
  const broker = memoryBroker();
  const asked: string[] = [];
  const sender = createBus({ name: "mouth", transport: memory({ broker }), serializer: copying(asked) });
  const near = createBus({ name: "near", transport: memory({ broker }), serializer: jsonSerializer({ maxBytes: 20 }) });
  const far = createBus({ name: "far", transport: memory({ broker }), serializer: noted(asked) });
  const come: unknown[] = [];
  near.endpoint("near", { retry: retry.immediate(0) }).handle(Plain, (said) => void come.push("near", said));
  far.endpoint("far").handle(Plain, (said) => void come.push("far", said));
  await Promise.all([sender.start(), near.start(), far.start()]);
  await sender.publish(Plain, plain());
  await Promise.all([sender.stop(), near.stop(), far.stop()]);
  assertEquals([asked, come], [["to copy", "to text", "from text"], ["far", plain()]]);
});

trial("a message that was copied is put aside as it was sent, whatever its handler has made of it", async (t) => {
  const bus = t.bus({ name: "talk" });
  bus.endpoint("ears", { retry: retry.immediate(0) }).handle(Plain, (said) => {
    said.words.push("changed");
    throw new Error("no");
  });
  await bus.start();
  await bus.publish(Plain, plain());
  await t.settled();
  const [aside] = await t.peek("ears_error");
  assertEquals(JSON.parse(new TextDecoder().decode(aside!.frame.body)), plain());
});

test("where the transport takes few bytes, a copy is no way around that", async () => {
  const transport = new ScriptedTransport({}, { keepsFrames: true, maxFrameBytes: 100 });
  const bus = createBus({ name: "talk", transport });
  await bus.start();
  const sizes: number[] = [];
  for (let letters = 0; letters < 120; letters++) {
    const message = { words: ["x".repeat(letters)], by: { name: "é" } };
    const size = new TextEncoder().encode(JSON.stringify(message)).length;
    if (size > 100) await assertRejects(() => bus.publish(Plain, message), MessageTooLargeError, "body");
    else {
      await bus.publish(Plain, message);
      sizes.push(size);
    }
  }
  await bus.stop();
  assertEquals(Math.max(...sizes), 100);
  assertEquals(transport.sent.map(({ frame }) => frame.body.length), sizes);
});

const reversal: FrameTransform = {
  name: "reversal",
  apply: (frame) => ({ ...frame, body: frame.body.toReversed() }),
  restore: (frame) => ({ ...frame, body: frame.body.toReversed() }),
};

test("what restores frames may spread them, also those of a bus that changes none", async () => {
  const broker = memoryBroker();
  const sender = createBus({ name: "mouth", transport: memory({ broker }) });
  const receiver = createBus({
    name: "talk",
    transport: memory({ broker }),
    transforms: [{ ...reversal, restore: (frame) => ({ ...frame, body: frame.body.slice() }) }],
  });
  const come: unknown[] = [];
  receiver.endpoint("ears").handle(Said, ({ words }) => void come.push(...words));
  await Promise.all([sender.start(), receiver.start()]);
  await sender.publish(Said, { words: ["one"], at: new Date(5) });
  await Promise.all([sender.stop(), receiver.stop()]);
  assertEquals(come, ["one"]);
});

test("headers are those of the moment of sending, and each handler's are its own", async () => {
  const bus = createBus({ name: "talk", transport: memory() });
  const come: unknown[] = [];
  for (const name of ["left", "right"]) {
    bus.endpoint(name).handle(Said, (_, { headers }) => {
      come.push({ ...headers });
      Reflect.set(headers, "tone", name);
    });
  }
  await bus.start();
  const headers = { tone: "low" };
  const sending = bus.publish(Said, { words: [], at: new Date(5) }, { headers });
  headers.tone = "high";
  await sending;
  await bus.stop();
  assertEquals([come, headers], [[{ tone: "low" }, { tone: "low" }], { tone: "high" }]);
});

test("a sender that says too much of itself is told so, though nobody has asked for its headers", async () => {
  const bus = createBus({ name: "talk", transport: memory(), host: { machine: "m".repeat(20_000) } });
  await bus.start();
  await assertRejects(
    () => bus.publish(Said, { words: [], at: new Date(5) }),
    MessageTooLargeError,
    "headers",
  );
  await bus.stop();
});

test("a message with more types than headers may take is refused, as text and as bytes", async () => {
  const Dated = event<Readonly<Record<string, Date | string>>>("talk.dated");
  const dates = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`date${at}`, new Date(at)]));
  // Else one type would be that of all.
  const message = { ...dates, by: "hand" };
  for (const transport of [memory(), new ScriptedTransport()]) {
    const bus = createBus({ name: "talk", transport });
    await bus.start();
    await assertRejects(() => bus.publish(Dated, message), MessageTooLargeError, "headers");
    await bus.stop();
  }
});
