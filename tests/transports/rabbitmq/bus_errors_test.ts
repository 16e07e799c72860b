/** What a bus puts off or gives up on RabbitMQ, and what operators do with it. */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Bus } from "../../../src/bus/bus.ts";
import { command } from "../../../mod.ts";
import { DisconnectedError } from "../../../src/errors/transport.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { raw } from "./broker.ts";
import { queueOf, withBus } from "./bus_rig.ts";
import { rig } from "./rig.ts";

interface Submit {
  readonly orderId: string;
}
const Submit = command<Submit>("orders.submit");
const clock = realTime();

/** Has so many orders fail, in order; gives what has been handled, and mends the handler. */
async function failed(bus: Bus, count: number) {
  const handled: string[] = [];
  let broken = true;
  bus.endpoint("orders", { concurrency: 1 }).handle(Submit, ({ orderId }) => {
    if (broken) throw new Error(`No ${orderId}`);
    handled.push(orderId);
  });
  await bus.start();
  for (let at = 0; at < count; at++) await bus.send(Submit, { orderId: `o${at}` }, { messageId: `m${at}` });
  await eventually(clock, "all in the error queue", async () => (await bus.counts("orders")).failed === count, 30_000);
  return { handled, mend: () => void (broken = false), errors: bus.errors("orders") };
}

withBus("a message that its handler defers comes later, under its id, and counts no failure", async (bus) => {
  const seen: { readonly at: number; readonly id: string; readonly attempt: number }[] = [];
  bus.endpoint("orders").handle(Submit, async (_, ctx) => {
    seen.push({ at: clock.now(), id: ctx.messageId, attempt: ctx.attempt });
    if (seen.length === 1) await ctx.defer("300ms");
  });
  await bus.start();
  await bus.send(Submit, { orderId: "1" }, { messageId: "the same" });
  await eventually(clock, "it to come again", () => seen.length === 2);
  assertEquals(seen.map(({ id, attempt }) => [id, attempt]), [["the same", 1], ["the same", 1]]);
  const [first, second] = seen;
  assert(first !== undefined && second !== undefined && second.at >= first.at + 300, "It came early");
  assertEquals((await bus.counts("orders")).failed, 0);
});

withBus("an error queue is listed in pages, whatever their size, and keeps what was listed", async (bus) => {
  const { errors } = await failed(bus, 7);
  const all = Array.from({ length: 7 }, (_, at) => `m${at}`);
  for (const limit of [1, 3, 7, 10]) {
    const seen: string[] = [];
    for (;;) {
      const after = seen.at(-1);
      const page = await Array.fromAsync(errors.list({ limit, ...(after === undefined ? {} : { after }) }));
      if (page.length === 0) break;
      assert(page.length <= limit, `${page.length} on a page of ${limit}`);
      seen.push(...page.map(({ messageId }) => messageId));
    }
    assertEquals(seen, all);
  }
  assertEquals((await bus.counts("orders")).failed, 7);
});

withBus("of an error queue, what is chosen is put back or discarded, and the rest stays in its order", async (bus) => {
  const { handled, mend, errors } = await failed(bus, 6);
  mend();
  const ids = async () => (await Array.fromAsync(errors.list())).map(({ messageId }) => messageId);
  assertEquals(await errors.discard(["m1", "m9"]), 1);
  assertEquals(await ids(), ["m0", "m2", "m3", "m4", "m5"]);
  assertEquals(await errors.requeue(({ exceptions }) => exceptions[0]?.message === "No o3"), 1);
  await eventually(clock, "what was put back", () => handled.length === 1);
  assertEquals([handled, await ids()], [["o3"], ["m0", "m2", "m4", "m5"]]);
  assertEquals(await errors.discard(({ messageId }) => messageId > "m3"), 2);
  assertEquals(await ids(), ["m0", "m2"]);
  assertEquals(await errors.discard("all"), 2);
  assertEquals([await ids(), handled], [[], ["o3"]]);
});

withBus("what no endpoint can read is in the error queue, body and nested headers as they came", async (bus) => {
  let handled = 0;
  bus.endpoint("orders").handle(Submit, () => void handled++);
  await bus.start();
  const queue = queueOf(bus, "orders");
  const nested = { deep: { deeper: ["x", 1, { y: true }] }, list: [1, [2, "three"]], nothing: null };
  const body = Buffer.from([0x7b, 0xff, 0x00, 0x22]);
  await raw(async (channel) => {
    channel.sendToQueue(queue, body, {
      headers: { ...nested, "hero-type": "orders.submit" },
      contentType: "application/json",
      messageId: "hostile",
      correlationId: "c",
    });
    await channel.waitForConfirms();
  });
  await eventually(clock, "it in the error queue", async () => (await bus.counts("orders")).failed === 1);
  const [kept] = await Array.fromAsync(bus.errors("orders").list());
  assertEquals([kept?.messageId, kept?.reason, kept?.body, handled], [
    "hostile",
    "unreadable",
    new Uint8Array(body),
    0,
  ]);
  const message = await raw((channel) => channel.get(`${queue}_error`, { noAck: true }));
  assert(message !== false);
  const { headers = {}, correlationId, contentType } = message.properties;
  assertEquals([headers["deep"], headers["list"], headers["nothing"]], [nested.deep, nested.list, null]);
  assertEquals([correlationId, contentType], ["c", "application/json"]);
  assertEquals([...message.content], [...body]);
});

withBus("an error queue that was deleted is made again for what fails next, with all that leads to it", async (bus) => {
  let calls = 0;
  bus.endpoint("orders").handle(Submit, () => {
    calls++;
    throw new Error("No");
  });
  await bus.start();
  const queue = queueOf(bus, "orders");
  await raw((channel) => channel.deleteQueue(`${queue}_error`));
  assertEquals((await bus.counts("orders")).failed, 0);
  await Promise.all(Array.from({ length: 50 }, (_, at) => bus.send(Submit, { orderId: `${at}` })));
  await eventually(clock, "all", () => calls >= 50);
  const failed = async () => (await bus.counts("orders")).failed;
  await eventually(clock, "all in the error queue", async () => await failed() === 50);
  assertEquals([calls, bus.health().status], [50, "healthy"]);
  // As the broker passes on what was returned too often.
  await raw(async (channel) => {
    channel.publish("hero.dead.out", `${queue}_error`, Buffer.from("{}"));
    await channel.waitForConfirms();
  });
  await eventually(clock, "what the broker gave up", async () => await failed() === 51);
});

rig("taking that its connection ends before all was taken says so, also where nothing is in flight", async (rig) => {
  const queue = await rig.queue();
  for (const text of ["a", "b"]) await rig.send(`queue:${queue}`, text);
  const reasons: Error[] = [];
  const lost = (_: unknown, reason: Error) => void reasons.push(reason);
  const { done } = await rig.transport.admin!.take(queue, { deliver: () => {}, lost, readdressed: () => {} }, 0);
  await rig.bench.wire(rig.transport).cut();
  await done;
  assertEquals(reasons.map((reason) => reason instanceof DisconnectedError), [true]);
});
