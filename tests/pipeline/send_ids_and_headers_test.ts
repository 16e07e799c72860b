import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { InvalidHeaderError, InvalidIdError, MessageTooLargeError } from "../../src/errors/sending.ts";
import { jsonSerializer } from "../../src/serialization/json.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { trial } from "../support/trial.ts";
import { Get, Happened, order, scripted, Submit } from "./send_rig.ts";

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

trial("headers are checked before anything is sent", async () => {
  const { bus, transport } = await scripted();
  for (const headers of [{ "hero-id": "x" }, { "a b": 1 }, { a: "\n" }, { a: "\ud800" }, { a: new Date() }]) {
    const error = await assertRejects(
      () => bus.send(Submit, order, { headers: headers as never }),
      InvalidHeaderError,
    );
    assertStringIncludes(error.message, `of "orders.submit"`);
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

trial("a body beyond the serializer's limit is too large as well, and says for whom and by how much", async () => {
  const { bus, transport } = await scripted(undefined, { serializer: jsonSerializer({ maxBytes: 1000 }) });
  await bus.publish(Happened, { orderId: "a".repeat(900) });
  for (const large of ["a".repeat(1000), "é".repeat(500)]) {
    const error = await assertRejects(() => bus.publish(Happened, { orderId: large }), MessageTooLargeError);
    assertEquals([error.part, error.limitInBytes, error.details["contract"]], ["body", 1000, "orders.happened"]);
    assertEquals(error.sizeInBytes, 1000 + `{"orderId":""}`.length);
    assertStringIncludes(String(error.cause), "{ maxBytes }");
  }
  assertEquals(transport.sent.length, 1);
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

trial("a message says once when it was sent: its id and its envelope are of one look at the clock", async () => {
  const virtual = new VirtualClock();
  let time = 1_700_000_000_000;
  const transport = new ScriptedTransport();
  const clock = { now: () => ++time, at: (at: number, run: () => void) => virtual.at(at, run) };
  const bus = createBus({ name: "app", transport, clock });
  await bus.start();
  await bus.publish(Happened, order); // which waits for its topic
  await bus.publish(Happened, order);
  const { headers } = transport.sent[1]!.frame;
  assertEquals(String(headers["hero-meta"]).startsWith(`{"s":"queue:app","h":[`), true);
  await bus.stop();
});

trial("what makes ids for an application is told nothing", async () => {
  const told: unknown[][] = [];
  const newId = (...all: unknown[]): string => `id-${told.push(all)}`;
  const transport = new ScriptedTransport();
  const bus = createBus({ name: "app", transport, clock: new VirtualClock(), newId });
  await bus.start();
  await bus.publish(Happened, order);
  assertEquals(transport.sent.map(({ messageId }) => messageId), [`id-${told.length}`]);
  assertEquals(told.flat(), []);
  await bus.stop();
});
