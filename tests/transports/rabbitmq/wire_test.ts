/** The frames of messages, written and read past the client: the same bytes as its own. */
import { assert, assertEquals } from "@std/assert";
import type { Channel, ChannelModel } from "amqplib";
import { Buffer } from "node:buffer";
import { seededRandom } from "../../../src/values/random.ts";
import type { ClientFrame, ClientMessage } from "../../../transports/rabbitmq/decoding.ts";
import { type Publication, publicationBytes, writePublication } from "../../../transports/rabbitmq/encoding.ts";
import { readQuickly, takeWhole } from "../../../transports/rabbitmq/reader.ts";
import { ChannelWire } from "../../../transports/rabbitmq/wire.ts";
import { test } from "../../support/runner.ts";
import { rig } from "./rig.ts";

const frameMax = 4_096;
const integers = [0, 1, -1, 127, 128, -128, -129, 32_767, 32_768, -32_768, -32_769, 2 ** 31 - 1, 2 ** 31, -(2 ** 31)];
const values: Readonly<Record<string, string | number | boolean>> = {
  "empty": "",
  "ascii": "plain",
  "umlaut": "Größe",
  "astral": "😀 and \u0000",
  "long": "ä".repeat(1_000),
  "yes": true,
  "no": false,
  "größe": "in its name",
  ...Object.fromEntries([...integers, 2 ** 53 - 1, -(2 ** 53 - 1)].map((value) => [`n${value}`, value])),
};

function publication(content: Uint8Array, properties: Publication["properties"] = {}): Publication {
  return { exchange: "orders", routingKey: "größe", content, properties };
}

function written(message: Publication): Uint8Array {
  const most = publicationBytes(message, frameMax);
  assert(most !== undefined, "It was left to the client");
  const into = new Uint8Array(most + 8).fill(0xaa);
  const end = writePublication(into, 4, 7, message, frameMax);
  assert(end <= most + 4, "It took more room than it said");
  return into.slice(4, end);
}

/** The client's connection, as far as a reader knows it, that gets these bytes in pieces of a random size. */
function reading(
  bytes: Uint8Array,
  seed: number,
  channels: readonly ({ readonly channel: object } | null)[] = [],
  most = 50,
): { readonly next: () => ClientFrame | false; readonly own: Buffer[] } {
  const random = seededRandom(seed);
  const own: Buffer[] = [];
  let from = 0;
  const connection = {
    channels,
    maxFrameSize: 1_000_000,
    rest: Buffer.alloc(0),
    recvFrame(): ClientFrame | false {
      own.push(this.rest);
      return { channel: 0 };
    },
    stream: {
      read(): Buffer | null {
        if (from >= bytes.byteLength) return null;
        const piece = bytes.slice(from, from += 1 + Math.floor(random() * most));
        return Buffer.from(piece.buffer);
      },
    },
  };
  readQuickly({ connection } as unknown as ChannelModel); // it looks at nothing else
  return { next: () => connection.recvFrame(), own };
}

test("the frames of a message are read as they were written, in pieces of any size", () => {
  const content = crypto.getRandomValues(new Uint8Array(10_000));
  const properties = {
    contentType: "application/json",
    headers: values,
    deliveryMode: 2,
    priority: 7,
    expiration: 1_500,
    messageId: "an id",
    type: "orders.placed",
    appId: `hero:{"s":"${"q".repeat(200)}"}`,
    mandatory: true,
  };
  const bytes = written(publication(content, properties));
  for (let seed = 0; seed < 50; seed++) {
    const { next, own } = reading(bytes, seed);
    next(); // what publishes does not come: it is the client's
    assertEquals(own.map((frame) => frame.readUInt32BE(7)), [0x003c0028]);
    const header = next();
    assert(header !== false);
    const { id, channel, size, fields } = header;
    assertEquals([id, channel, size], [60, 7, content.byteLength]);
    assertEquals(fields?.["headers"], values);
    const { contentType, deliveryMode, priority, expiration, messageId } = fields ?? {};
    assertEquals([contentType, deliveryMode, priority], ["application/json", 2, 7]);
    assertEquals([expiration, messageId], ["1500", "an id"]);
    assertEquals([fields?.["type"], fields?.["appId"]], [properties.type, properties.appId]);
    const parts: Uint8Array[] = [];
    for (let frame = next(); frame !== false; frame = next()) parts.push(frame.content ?? new Uint8Array());
    assert(parts.every((part) => part.byteLength <= frameMax - 8), "A frame is larger than was agreed");
    assertEquals(new Uint8Array(Buffer.concat(parts)), content);
  }
});

/** What is published, as the broker delivers it to the consumer "1" of the same channel. */
function delivered(message: Publication, tag: number): Uint8Array {
  const bytes = Buffer.from(written(message));
  const method = Buffer.from([1, 0, 7, 0, 0, 0, 17, 0, 60, 0, 60, 1, 0x31, 0, 0, 0, 0, 0, 0, 0, tag, 0, 0, 0, 0xce]);
  return Buffer.concat([method, bytes.subarray(8 + bytes.readUInt32BE(3))]);
}

test("messages come to their channel in order, whether whole or, cut where they are, by the client", () => {
  const bodies = Array.from({ length: 60 }, (_, index) => new Uint8Array(index % 7 * 1_000).fill(index));
  const messages = bodies.map((body, tag) => delivered(publication(body, { headers: values }), tag));
  const bytes = new Uint8Array(Buffer.concat(messages));
  let whole = 0;
  let cut = 0;
  for (let seed = 0; seed < 20; seed++) {
    const came: Uint8Array[] = [];
    const tags: unknown[] = [];
    let left = 0;
    // The client's way, in short: a delivery, its header, and its body in as many parts as it has.
    const inParts = (frame: ClientFrame): unknown => {
      if (frame.fields?.["deliveryTag"] !== undefined) tags.push(frame.fields["deliveryTag"]);
      else if (frame.content === undefined) {
        left = frame.size ?? 0;
        came.push(new Uint8Array());
        cut++;
      } else {
        assert((left -= frame.content.byteLength) >= 0, "A part of the body is of another message");
        came.push(new Uint8Array(Buffer.concat([came.pop() ?? new Uint8Array(), frame.content])));
      }
      return inParts;
    };
    const client = {
      handleMessage: inParts,
      handleDelivery({ fields, properties, content }: ClientMessage): void {
        tags.push(fields["deliveryTag"]);
        assertEquals(properties["headers"], values);
        came.push(content);
        whole++;
      },
    };
    takeWhole(client as unknown as Channel);
    const channels = [...Array.from({ length: 7 }, () => null), { channel: client }];
    const { next } = reading(bytes, seed, channels, 20_000);
    for (let frame = next(); frame !== false; frame = next()) {
      client.handleMessage = client.handleMessage(frame) as never;
    }
    assertEquals(tags, bodies.map((_, tag) => tag));
    assertEquals(came, bodies);
  }
  assert(whole > 100 && cut > 100, `${whole} came whole, ${cut} were the client's`);
});

test("a message that cannot be written here, or that the client refuses, is left to the client", () => {
  const content = new Uint8Array(1);
  const left: readonly Publication[] = [
    publication(content, { headers: { nested: { of: "a foreign sender" } } }),
    publication(content, { headers: { fraction: 0.5 } }),
    publication(content, { headers: { bytes: new Uint8Array(1) } }),
    publication(content, { headers: { CC: "elsewhere" } }),
    publication(content, { headers: { ["n".repeat(300)]: 1 } }),
    publication(content, { correlationId: "of a foreign sender" }),
    publication(content, { messageId: "i".repeat(300) }),
    publication(content, { type: "t".repeat(256) }),
    publication(content, { appId: "ä".repeat(128) }),
    { ...publication(content), routingKey: "r".repeat(300) },
  ];
  for (const each of left) assertEquals(publicationBytes(each, frameMax), undefined);
});

test("a frame that is not as it must be is the client's to complain of", () => {
  const bytes = written(publication(new Uint8Array(1)));
  bytes[bytes.byteLength - 1] = 0; // not the end of a frame
  const { next, own } = reading(bytes, 1);
  while (next() !== false);
  assertEquals(own.length, 2);
});

rig("any client reads what is written past its client, and the other way round", async (rig) => {
  const queue = await rig.queue();
  const headers = { ...values, date: new Date(1_000), bytes: new Uint8Array([1, 2]), big: 2n ** 60n, fraction: 0.5 };
  const frame = { contentType: "text/plain", headers: values, body: new Uint8Array([1, 2, 3]) };
  await rig.send(`queue:${queue}`, "plain", { frame, expiresAt: rig.clock.now() + 600_000 });
  await rig.send(`queue:${queue}`, "all kinds", { frame: { ...frame, headers } });
  const large = Uint8Array.from({ length: 300_000 }, (_, at) => at * 7);
  await rig.send(`queue:${queue}`, "large", { frame: { ...frame, body: large } });
  await rig.send(`queue:${queue}`, "empty", { frame: { ...frame, body: new Uint8Array() } });
  await rig.raw(async (channel) => {
    const first = await channel.get(queue);
    assert(first !== false);
    for (const [name, value] of Object.entries(values)) {
      assertEquals(first.properties.headers?.[name], value, name);
    }
    assertEquals([...first.content], [1, 2, 3]);
    channel.nack(first);
    channel.sendToQueue(queue, Buffer.from("foreign"), {
      headers: { ...values, nested: { of: ["a", 1] } },
      correlationId: "c",
      type: "t",
    });
    await channel.waitForConfirms();
  });
  const inbox = await rig.receive(queue);
  await rig.came(inbox, 5);
  const bodies = inbox.received.map(({ frame: { body } }) => body.byteLength).sort((a, b) => a - b);
  assertEquals(bodies, [0, 3, 3, 7, large.byteLength]);
  for (const { frame: { headers: came, body } } of inbox.received) {
    for (const [name, value] of Object.entries(values)) assertEquals(came[name], value, name);
    if (body.byteLength > 10) assertEquals(body, large);
  }
  assert(inbox.received.some(({ frame: { headers: came } }) => came["big"] === 2n ** 60n && came["fraction"] === 0.5));
});

test("what is written in one turn, on whatever channels of a connection, is one write to its socket", async () => {
  const writes: Uint8Array[] = [];
  const channels = [1, 2].map(() => ({ buffer: { write: () => true, end: () => {} } }));
  const connection = {
    stream: { write: (bytes: Uint8Array) => writes.push(bytes) },
    frameMax,
    channels: [undefined, ...channels],
  };
  const take = (ch: number) => ChannelWire.take({ ch, connection } as unknown as Channel); // it looks at nothing else
  const [first, second] = [take(1), take(2)];
  const message = publication(Uint8Array.of(1, 2, 3));
  for (let at = 0; at < 10; at++) for (const wire of [first, second]) assert(wire?.publish(message));
  assertEquals(writes.length, 0);
  await Promise.resolve();
  const bytes = written(message).byteLength;
  assertEquals(writes.map(({ byteLength }) => byteLength), [20 * bytes]);
  assert(first?.publish(message));
  await Promise.resolve();
  assertEquals(writes.length, 2);
});
