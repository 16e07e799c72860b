import { assertEquals, assertRejects } from "@std/assert";
import {
  command,
  createBus,
  type Frame,
  type FrameTransform,
  memory,
  memoryBroker,
  query,
  RequestFaultError,
} from "@hero/messaging";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";

const Store = command<{ text: string }>("documents.store");

async function piped(body: Uint8Array, through: ReadableWritablePair<Uint8Array, BufferSource>): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(new Blob([new Uint8Array(body)]).stream().pipeThrough(through)).arrayBuffer(),
  );
}
/** Large bodies are compressed; a header says so. */
const compression: FrameTransform = {
  name: "compression",
  apply: async (frame: Frame) =>
    frame.body.byteLength < 1000 ? frame : {
      ...frame,
      headers: { ...frame.headers, "hero-encoding": "gzip" },
      body: await piped(frame.body, new CompressionStream("gzip")),
    },
  restore: async (frame: Frame) =>
    frame.headers["hero-encoding"] !== "gzip"
      ? frame
      : { ...frame, body: await piped(frame.body, new DecompressionStream("gzip")) },
};
const reversal: FrameTransform = {
  name: "reversal",
  apply: (frame) => ({ ...frame, body: frame.body.toReversed() }),
  restore: (frame) => ({ ...frame, body: frame.body.toReversed() }),
};

test("frames are changed in order on their way out and changed back in reverse on their way in", async () => {
  const seen: number[] = [];
  const spy: FrameTransform = {
    name: "spy",
    apply: (frame) => {
      seen.push(frame.body.byteLength);
      return frame;
    },
    restore: (frame) => frame,
  };
  const bus = createBus({ name: "documents", transforms: [compression, reversal, spy] });
  const got = Promise.withResolvers<string>();
  bus.endpoint("documents").handle(Store, ({ text }) => got.resolve(text));
  await bus.start();
  await bus.send(Store, { text: "x".repeat(10_000) });
  assertEquals(await got.promise, "x".repeat(10_000));
  assertEquals(seen.length, 1);
  assertEquals((seen[0] ?? Infinity) < 1000, true);
  assertEquals(bus.describe().endpoints[0]?.stages.slice(1, 7), [
    "envelope",
    "delivery limit",
    "spy",
    "reversal",
    "compression",
    "decode",
  ]);
  await bus.stop();
});

test("a message whose change is quick does not pass one whose change is slow", async () => {
  const order: string[] = [];
  const bus = createBus({ name: "documents", transforms: [compression] });
  const both = Promise.withResolvers<void>();
  bus.endpoint("documents", { concurrency: 1 }).handle(Store, ({ text }) => {
    order.push(text.slice(0, 5));
    if (order.length === 2) both.resolve();
  });
  await bus.start();
  await Promise.all([bus.send(Store, { text: "large" + "x".repeat(500_000) }), bus.send(Store, { text: "small" })]);
  await both.promise;
  assertEquals(order, ["large", "small"]);
  await bus.stop();
});

test("what a transform throws on the way out is thrown by the send, and the next message goes", async () => {
  let fails = true;
  const failing: FrameTransform = {
    name: "failing",
    apply: (frame) => {
      if (fails) throw new RangeError("no key");
      return frame;
    },
    restore: (frame) => frame,
  };
  const bus = createBus({ name: "documents", transforms: [failing] });
  bus.endpoint("documents").handle(Store, () => {});
  await bus.start();
  await assertRejects(() => bus.send(Store, { text: "a" }), RangeError, "no key");
  fails = false;
  await bus.send(Store, { text: "b" });
  await bus.stop();
});

test("what cannot be changed back goes to the error queue as it came", async () => {
  const broker = memoryBroker();
  const plain = createBus({ name: "sender", transport: memory({ broker }) });
  const strict: FrameTransform = {
    name: "strict",
    apply: (frame) => frame,
    restore: () => {
      throw new RangeError("not encrypted");
    },
  };
  const bus = createBus({ name: "documents", transport: memory({ broker }), transforms: [strict] });
  const faulted = Promise.withResolvers<void>();
  bus.observe({ faulted: () => faulted.resolve() });
  let handled = 0;
  bus.endpoint("documents").handle(Store, () => void handled++);
  await bus.start();
  await plain.start();
  await plain.send(Store, { text: "a" });
  await faulted.promise;
  await bus.pause("documents");
  const failed = await Array.fromAsync(bus.errors("documents").list());
  assertEquals(failed.map(({ body, exceptions }) => [new TextDecoder().decode(body), exceptions[0]?.message]), [
    [`{"text":"a"}`, "not encrypted"],
  ]);
  assertEquals(handled, 0);
  await plain.stop();
  await bus.stop();
});

/** Says how often it was applied: what is changed twice cannot be changed back by whoever reads it. */
const counted: FrameTransform = {
  name: "counted",
  apply: (frame) => ({
    ...reversed(frame),
    headers: { ...frame.headers, "hero-applied": 1 + Number(frame.headers["hero-applied"] ?? 0) },
  }),
  restore: (frame) => {
    if (frame.headers["hero-applied"] !== 1) throw new RangeError(`applied ${frame.headers["hero-applied"]} times`);
    return reversed(frame);
  },
};
function reversed(frame: Frame): Frame {
  return { ...frame, body: frame.body.toReversed() };
}
const GetPages = query<{ text: string }, { pages: number }>("documents.get-pages");

trial("answers, and faults in their place, are changed and changed back, too", async (t) => {
  const bus = t.bus({ transforms: [counted] });
  bus.endpoint("pages").handle(GetPages, ({ text }) => {
    if (text === "") throw new RangeError("no text");
    return { pages: text.length };
  });
  await bus.start();
  assertEquals(await bus.request(GetPages, { text: "abc" }), { pages: 3 });
  const error = await assertRejects(() => bus.request(GetPages, { text: "" }), RequestFaultError);
  assertEquals(error.exceptions[0]?.message, "no text");
});

trial("an answer that cannot be changed back fails its own request, and no other", async (t) => {
  const owner = t.bus({ name: "owner" });
  owner.endpoint("pages").handle(GetPages, ({ text }) => ({ pages: text.length }));
  await owner.start();
  const strict: FrameTransform = {
    name: "strict",
    apply: (frame) => frame,
    restore: (frame) => {
      if (new TextDecoder().decode(frame.body).includes("13")) throw new RangeError("not that one");
      return frame;
    },
  };
  const asker = t.bus({ name: "asker", transforms: [strict] });
  await asker.start();
  const asked = [1, 13, 2].map((pages) => asker.request(GetPages, { text: "x".repeat(pages) }));
  const [first, second, third] = await Promise.allSettled(asked);
  assertEquals([first?.status, third?.status], ["fulfilled", "fulfilled"]);
  assertEquals(second?.status === "rejected" && second.reason.message, "not that one");
});

trial("a copy for an audit, and what fails, is redelivered and is put back, is changed once", async (t) => {
  const bus = t.bus({ transforms: [counted] });
  let works = false;
  const handled: string[] = [];
  bus.endpoint("documents", { redeliver: ["1s"], audit: "queue:audit" }).handle(Store, ({ text }) => {
    if (!works) throw new Error("the disk is full");
    handled.push(text);
  });
  const audited: string[] = [];
  bus.endpoint("audit", { subscribe: false }).handle(Store, ({ text }) => void audited.push(text));
  await bus.start();
  await bus.send(Store, { text: "a" });
  await t.pass(1_000);
  assertEquals(bus.statistics("documents").faulted, 1);
  works = true;
  await bus.errors("documents").requeue("all");
  await t.settled();
  assertEquals([handled, audited], [["a"], ["a"]]);
});
