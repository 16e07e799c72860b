/** Messages of senders that know nothing of this library. */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { withHeaders } from "../../../src/spi/frame.ts";
import { Inbox } from "../../conformance/transport/inbox.ts";
import { frame as frameOf } from "../../conformance/transport/trial.ts";
import { rig } from "./rig.ts";

const nested = { deep: { deeper: ["x", 1, { y: true }] }, nothing: null, when: { "!": "timestamp", value: 5 } };

rig("what a frame cannot say is left out of it, and is there when the message is moved", async (rig) => {
  const [queue, errors] = [await rig.queue(), await rig.queue()];
  await rig.raw(async (channel) => {
    channel.sendToQueue(queue, Buffer.from("body"), {
      headers: { ...nested, text: "plain" },
      messageId: "foreign-1",
      correlationId: "c",
      replyTo: "r",
      type: "t",
      appId: "app",
      contentEncoding: "utf-8",
      expiration: "600000",
      priority: 3,
    });
    await channel.waitForConfirms();
  });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  const { frame, key, via } = inbox.only;
  assertEquals([key, via, frame.contentType], [undefined, `queue:${queue}`, "application/octet-stream"]);
  assertEquals(frame.headers, { text: "plain", when: new Date(5_000), "hero-id": "foreign-1" });
  await inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: { reason: "unknown" } });
  const moved = await rig.raw((channel) => channel.get(errors, { noAck: true }));
  if (moved === false) throw new Error("It was not moved");
  // Before RabbitMQ 4, the queue that it is in counts from 0.
  const { headers: { "x-delivery-count": returns = 0, ...headers } = {}, ...properties } = moved.properties;
  assertEquals(moved.content.toString(), "body");
  assertEquals(returns, 0);
  assertEquals(headers, {
    deep: nested.deep,
    nothing: null,
    when: nested.when,
    text: "plain",
    reason: "unknown",
  });
  assertEquals(
    [properties.messageId, properties.correlationId, properties.replyTo, properties.type, properties.appId],
    ["foreign-1", "c", "r", "t", "app"],
  );
  assertEquals([properties.expiration, properties.priority, properties.contentEncoding], [undefined, 3, "utf-8"]);
});

rig(
  "a header of this transport's own that makes no sense makes the message unreadable, its body untouched",
  async (rig) => {
    const queue = await rig.queue();
    await rig.raw(async (channel) => {
      channel.sendToQueue(queue, Buffer.from("body"), { headers: { "hero-amqp-native": "{" } });
      channel.sendToQueue(queue, Buffer.from("next"), { headers: { "hero-amqp-native": '{"a":"bigint"}', a: "five" } });
      await channel.waitForConfirms();
    });
    const inbox = await rig.receive(queue);
    await rig.came(inbox, 2);
    assertEquals(inbox.texts, ["body", "next"]);
    for (const { unreadable } of inbox.received) {
      assertEquals((unreadable as { readonly code?: string } | undefined)?.code, "HERO_UNREADABLE_MESSAGE");
    }
  },
);

rig("what others gave back is counted, whichever way they did", async (rig) => {
  const queue = await rig.queue();
  await rig.send(`queue:${queue}`, "a");
  await rig.raw(async (channel) => {
    for (const way of ["nack", "reject"]) {
      const message = await channel.get(queue);
      if (message === false) throw new Error("It was not given back");
      if (way === "nack") channel.nack(message, false, true);
      else channel.reject(message, true);
    }
  });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 1);
  assertEquals(inbox.only.deliveryCount, 3);
});

rig("headers that the broker takes for its own are refused, and the channel stays", async (rig) => {
  const queue = await rig.queue();
  const results = await Promise.allSettled(
    ["CC", "BCC", "hero-amqp-key"].map((name) =>
      rig.send(`queue:${queue}`, name, { frame: frameOf(name, { [name]: "x" }) })
    ),
  );
  assertEquals(results.map((each) => each.status === "rejected" ? each.reason.code : "sent"), [
    "HERO_INVALID_HEADER",
    "HERO_INVALID_HEADER",
    "HERO_INVALID_HEADER",
  ]);
  await rig.send(`queue:${queue}`, "fine");
  assertEquals(rig.transport.counts.reconnects, 0);
});

rig("what is taken out of a queue and sent again keeps what no frame can say", async (rig) => {
  const [errors, queue] = [await rig.queue(), await rig.queue()];
  await rig.raw(async (channel) => {
    const headers = { ...nested, text: "plain", "MT-Fault": { of: "an earlier failure" } };
    const properties = { messageId: "f", correlationId: "c", replyTo: "r", type: "t", appId: "app" };
    channel.sendToQueue(errors, Buffer.from("body"), {
      ...properties,
      headers,
      contentEncoding: "utf-8",
      timestamp: 5,
    });
    await channel.waitForConfirms();
  });
  const inbox = new Inbox(10, rig.violations, () => rig.clock.now());
  const { admin } = rig.transport;
  assert(admin !== undefined);
  inbox.receiver = await admin.take(errors, inbox, 10);
  await rig.came(inbox, 1);
  const { frame } = inbox.only;
  await rig.send(`queue:${queue}`, "again", { frame: withHeaders(frame, { ...frame.headers, text: "other" }) });
  await inbox.accept();
  const again = await rig.raw((channel) => channel.get(queue, { noAck: true }));
  if (again === false) throw new Error("It was not sent");
  const { headers = {}, correlationId, replyTo, type, appId, contentEncoding, timestamp } = again.properties;
  assertEquals([correlationId, replyTo, type, appId, contentEncoding, timestamp], ["c", "r", "t", "app", "utf-8", 5]);
  assertEquals([headers["deep"], headers["nothing"], headers["text"]], [nested.deep, null, "other"]);
  assertEquals(["MT-Fault" in headers, again.content.toString()], [false, "body"]);
});
