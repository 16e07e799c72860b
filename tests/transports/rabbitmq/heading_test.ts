/** What every message says of itself stands in properties; what it does not fit into, and what was sent before, in headers. */
import { assert, assertEquals } from "@std/assert";
import type { Options } from "amqplib";
import { Buffer } from "node:buffer";
import { type FrameHeaders, withHeaders } from "../../../src/spi/frame.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { metaIn, writeHeading } from "../../../transports/rabbitmq/heading.ts";
import { Inbox } from "../../conformance/transport/inbox.ts";
import { frame } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { type Rig, rig } from "./rig.ts";

const meta = `{"s":"queue:orders","h":["vm","p",1,"orders","r","v"]}`;
const said: FrameHeaders = { "hero-type": "orders.placed;v=2, orders.changed", "hero-meta": meta };

function written(headers: Readonly<Record<string, unknown>>, properties: Options.Publish = {}) {
  const table = { ...headers };
  writeHeading(properties, table);
  return { properties, table: Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined)) };
}

test("type and meta leave the headers, and are read where they stand then", () => {
  for (const each of ["", meta, "{}", `{"s":"${"x".repeat(242)}"}`, meta]) {
    const { properties, table } = written({ "hero-type": "a", "hero-meta": each, other: 1 });
    assertEquals(table, { other: 1 });
    assertEquals(properties, { type: "a", appId: `hero:${each}` });
    assertEquals(metaIn({ type: properties.type, appId: properties.appId }), each);
  }
});

test("they stay headers where they do not fit into 255 bytes, are not text, or a property is in use", () => {
  const long = `{"s":"${"x".repeat(243)}"}`;
  const wide = `{"s":"${"ä".repeat(121)}"}`;
  const kept: readonly (readonly [Readonly<Record<string, unknown>>, Options.Publish?])[] = [
    [{ "hero-type": "a", "hero-meta": long }],
    [{ "hero-type": "a", "hero-meta": wide }],
    [{ "hero-type": "t".repeat(256), "hero-meta": meta }],
    [{ "hero-type": "a" }],
    [{ "hero-meta": meta }],
    [{ "hero-type": new Uint8Array(1), "hero-meta": meta }],
    [said, { type: "a foreign sender's" }],
    [said, { appId: "a foreign sender's" }],
  ];
  for (const [headers, properties = {}] of kept) {
    assertEquals(written(headers, { ...properties }), { properties, table: headers });
  }
});

test("a foreign sender's properties are no heading", () => {
  for (const appId of ["app", "hero", meta, "", undefined, 7]) assertEquals(metaIn({ type: "a", appId }), undefined);
  assertEquals(metaIn({ type: undefined, appId: `hero:${meta}` }), undefined);
});

/** What is in the queue, as any client sees it. */
async function taken(rig: Rig, queue: string) {
  const message = await rig.raw((channel) => channel.get(queue, { noAck: true }));
  assert(message !== false, "Nothing is there");
  const { headers = {}, type, appId, messageId } = message.properties;
  for (const name of Object.keys(headers)) if (name.startsWith("x-")) delete headers[name];
  return { headers, type, appId, messageId };
}

rig("any client finds type and sender in properties, the application's headers alone in the table", async (rig) => {
  const queue = await rig.queue();
  await rig.send(`queue:${queue}`, "m", { frame: frame("m", { ...said, tenant: "north" }), messageId: "m-1" });
  assertEquals(await taken(rig, queue), {
    headers: { tenant: "north" },
    type: "orders.placed;v=2, orders.changed",
    appId: `hero:${meta}`,
    messageId: "m-1",
  });
});

rig("whoever receives it finds the headers, be they sent as properties or, as before, as headers", async (rig) => {
  const queue = await rig.queue();
  await rig.send(`queue:${queue}`, "now", { frame: frame("now", { ...said, tenant: "north" }) });
  await rig.raw(async (channel) => {
    channel.sendToQueue(queue, Buffer.from("before"), { headers: { ...said, tenant: "north" }, messageId: "m" });
    await channel.waitForConfirms();
  });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 2);
  for (const { frame: { headers } } of inbox.received) {
    const { "hero-id": _, ...others } = headers;
    assertEquals(others, { ...said, tenant: "north" });
  }
});

rig("a stream, which keeps messages in another form, gives it back", async (rig) => {
  const queue = rig.name("stream");
  const extensions = [rabbitmq.queue({ type: "stream", offset: "first" })];
  await rig.transport.deploy({ queues: [{ name: queue, extensions }], topics: [], bindings: [] }, "apply");
  await rig.send(`queue:${queue}`, "m", { frame: frame("m", said), messageId: "m-1" });
  const inbox = await rig.receive(queue, { extensions });
  await rig.came(inbox, 1);
  const { headers } = inbox.only.frame;
  assertEquals([headers["hero-type"], headers["hero-meta"]], Object.values(said));
});

rig("it stays with copies: of what is put off, moved, and taken out to be sent again", async (rig) => {
  const [queue, errors, other] = [await rig.queue(), await rig.queue(), await rig.queue()];
  const sent = frame("m", { ...said, tenant: "north" });
  await rig.send(`queue:${queue}`, "m", { frame: sent, messageId: "m-1", expiresAt: rig.clock.now() + 600_000 });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  await inbox.settle({ outcome: "again", dueAt: rig.clock.now() + 1, headers: { "hero-redeliveries": 1 } });
  await rig.came(inbox, 2);
  const [, again] = inbox.received;
  assert(again !== undefined);
  assertEquals([again.frame.headers["hero-type"], again.frame.headers["hero-meta"]], Object.values(said));
  await inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: { "hero-reason": "fault" } });
  const looking = new Inbox(10, rig.violations, () => rig.clock.now());
  assert(rig.transport.admin !== undefined);
  looking.receiver = await rig.transport.admin.take(errors, looking, 10);
  await rig.came(looking, 1);
  const { frame: moved } = looking.only;
  const added = { "hero-redeliveries": 1, "hero-reason": "fault" };
  assertEquals(moved.headers, { ...said, tenant: "north", ...added, "hero-id": "m-1" });
  await rig.send(`queue:${other}`, "again", {
    frame: withHeaders(moved, { ...said, tenant: "south" }),
    messageId: "m-1",
  });
  await looking.accept();
  assertEquals(await taken(rig, other), {
    headers: { tenant: "south" },
    type: said["hero-type"],
    appId: `hero:${meta}`,
    messageId: "m-1",
  });
});

rig("an exchange that chooses by headers finds them all", async (rig) => {
  const [queue, topic] = [rig.name("queue"), rig.name("topic")];
  const bind = [{ exchange: topic, arguments: { "hero-type": String(said["hero-type"]) } }];
  await rig.transport.deploy({
    queues: [{ name: queue, extensions: [rabbitmq.queue({ bind })] }],
    topics: [{ name: topic, extensions: [rabbitmq.exchange({ type: "headers" })] }],
    bindings: [],
  }, "apply");
  await rig.send(`topic:${topic}`, "m", { frame: frame("m", said), messageId: "m-1" });
  assertEquals(await taken(rig, queue), { headers: said, type: undefined, appId: undefined, messageId: "m-1" });
});
