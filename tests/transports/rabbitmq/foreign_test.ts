/** Messages of senders that know nothing of this library. */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
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
  const { headers, ...properties } = moved.properties;
  assertEquals(moved.content.toString(), "body");
  assertEquals(headers, {
    "x-delivery-count": 0, // of the queue that it is in
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
