/** How messages are published. */
import { assertEquals } from "@std/assert";
import type { Options } from "amqplib";
import { EventEmitter } from "node:events";
import type { Connection } from "../../../transports/rabbitmq/connection.ts";
import { Parcel } from "../../../transports/rabbitmq/parcel.ts";
import { Sender } from "../../../transports/rabbitmq/sender.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";

/** A channel that writes down what is published. */
class FakeChannel extends EventEmitter {
  readonly published: Options.Publish[] = [];

  publish(_exchange: string, _key: string, _content: Uint8Array, properties: Options.Publish): boolean {
    this.published.push({ ...properties });
    return true;
  }

  close(): Promise<void> {
    this.emit("close");
    return Promise.resolve();
  }
}

/** A sender whose connection gives one fake channel after the other. */
async function made() {
  const clock = new FakeClock();
  const channels: FakeChannel[] = [];
  const connection = {
    ready: true,
    confirmChannel: () => {
      const channel = new FakeChannel();
      channels.push(channel);
      return Promise.resolve({ channel, wire: undefined });
    },
  };
  const sender = new Sender(connection as unknown as Connection, clock, 100); // it asks for nothing else
  sender.connected();
  await turns();
  const settled: (Error | undefined)[] = [];
  const send = (messageId: string, expiresAt?: number, mandatory = false, content = new Uint8Array(1)) => {
    const properties = { messageId, headers: {}, mandatory };
    const letter = {
      name: "a message",
      to: "queue:q",
      key: undefined,
      content,
      properties,
      table: properties.headers,
      dueAt: undefined,
      expiresAt,
    };
    const route = { exchange: "", routingKey: "q" };
    sender.add(new Parcel(letter, route, expiresAt, { settled: (error) => void settled.push(error) }));
    sender.flush();
  };
  return { clock, channels, sender, send, settled };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

test("rabbitmq: what expires says for how long it is kept, rounded up; what has expired is not published", async () => {
  const { clock, channels, send, settled } = await made();
  const now = clock.now();
  const longest = 2 ** 32 - 1;
  for (const left of [0.2, 1, 1.001, 1_500.7, longest, longest + 1]) send(`${left}`, now + left);
  const expirations = channels[0]?.published.map(({ messageId, expiration }) => [messageId, expiration]);
  // A time of today has no smaller fraction than 1/4096 ms.
  assertEquals(expirations, [
    ["0.2", 1],
    ["1", 1],
    ["1.001", 2],
    ["1500.7", 1_501],
    [`${longest}`, longest],
    [`${longest + 1}`, undefined],
  ]);
  assertEquals(settled, []);
  for (const left of [0, -1, -1e9]) send(`${left}`, now + left);
  assertEquals([channels[0]?.published.length, settled], [6, [undefined, undefined, undefined]]);
  // Counted when it is published, not when it was taken.
  clock.advance(400);
  send("later", now + 1_000);
  assertEquals(channels[0]?.published.at(-1)?.expiration, 600);
});

test("rabbitmq: what a channel did not confirm is published again on the next, with the same id and in order", async () => {
  const { channels, send, settled } = await made();
  const ids = ["a", "b", "c", "d"];
  for (const id of ids) send(id);
  channels[0]?.emit("ack", { deliveryTag: 2, multiple: false });
  channels[0]?.emit("close");
  await turns();
  assertEquals(channels.map(({ published }) => published.map(({ messageId }) => messageId)), [ids, ["a", "c", "d"]]);
  channels[1]?.emit("ack", { deliveryTag: 3, multiple: true });
  assertEquals(settled, [undefined, undefined, undefined, undefined]);
});

test("rabbitmq: what comes back fails by itself, whatever is confirmed between that and its confirm (case 17)", async () => {
  const { channels, send, settled } = await made();
  for (const id of ["1", "2", "3"]) send(id, undefined, true);
  const fields = { exchange: "", routingKey: "q", replyText: "NO_ROUTE" };
  channels[0]?.emit("return", { fields, properties: { messageId: "2" } });
  channels[0]?.emit("ack", { deliveryTag: 1, multiple: false });
  assertEquals(settled, [undefined]);
  channels[0]?.emit("ack", { deliveryTag: 3, multiple: true });
  assertEquals(settled.map((error) => (error as { readonly code?: string } | undefined)?.code), [
    undefined,
    "HERO_UNROUTABLE",
    undefined,
  ]);
});

test("rabbitmq: no more than the window are unconfirmed, and who sends is asked to wait until half of it is left", async () => {
  const { channels, sender, send, settled } = await made();
  const published = () => channels[0]?.published.length;
  for (let at = 0; at < 99; at++) send(`${at}`);
  assertEquals([published(), sender.pressure()], [99, undefined]);
  for (let at = 99; at < 150; at++) send(`${at}`);
  assertEquals([published(), sender.unconfirmed, sender.outstanding], [100, 100, 150]);
  let relieved = false;
  void sender.pressure()?.then(() => relieved = true);
  channels[0]?.emit("ack", { deliveryTag: 1, multiple: false });
  assertEquals([published(), sender.unconfirmed], [101, 100]);
  channels[0]?.emit("ack", { deliveryTag: 99, multiple: true });
  await turns();
  assertEquals([published(), sender.outstanding, relieved], [150, 51, false]);
  channels[0]?.emit("ack", { deliveryTag: 100, multiple: false });
  await turns();
  assertEquals([sender.outstanding, relieved, settled.length], [50, true, 100]);
  for (let at = 150; at < 299; at++) send(`${at}`);
  assertEquals([sender.outstanding, sender.full], [199, false]);
  send("299");
  assertEquals(sender.full, true);
});

test("rabbitmq: many bytes have who sends wait, too, and twice as many are refused", async () => {
  const { channels, sender, send } = await made();
  const mebibyte = new Uint8Array(2 ** 20);
  for (let at = 0; at < 63; at++) send(`${at}`, undefined, false, mebibyte);
  assertEquals([sender.pressure(), sender.full], [undefined, false]);
  send("63", undefined, false, mebibyte);
  let relieved = false;
  void sender.pressure()?.then(() => relieved = true);
  for (let at = 64; at < 127; at++) send(`${at}`, undefined, false, mebibyte);
  assertEquals(sender.full, false);
  send("127", undefined, false, mebibyte);
  assertEquals(sender.full, true);
  channels[0]?.emit("ack", { deliveryTag: 64, multiple: true });
  await turns();
  assertEquals([sender.full, relieved], [false, false]);
  channels[0]?.emit("ack", { deliveryTag: 80, multiple: true });
  await turns();
  assertEquals([sender.outstanding, relieved, sender.pressure()], [48, true, undefined]);
});

test("rabbitmq: what is refused has its channel made anew, once it has lived for a second and nothing is unconfirmed", async () => {
  const { clock, channels, send, settled } = await made();
  const published = () => channels.map(({ published }) => published.map(({ messageId }) => messageId).join(""));
  const codes = () => settled.map((error) => (error as { readonly code?: string } | undefined)?.code);
  send("a");
  channels[0]?.emit("nack", { deliveryTag: 1, multiple: false });
  clock.advance(1_000);
  for (const id of ["b", "c"]) send(id);
  channels[0]?.emit("nack", { deliveryTag: 2, multiple: false });
  send("d"); // it waits for that
  assertEquals([published(), codes()], [["abc"], ["HERO_NOT_CONFIRMED", "HERO_NOT_CONFIRMED"]]);
  channels[0]?.emit("ack", { deliveryTag: 3, multiple: false });
  await turns();
  assertEquals(published(), ["abc", "d"]);
  channels[1]?.emit("ack", { deliveryTag: 1, multiple: false });
  assertEquals([settled.length, clock.waiting], [4, 0]);
});

test("rabbitmq: what is never confirmed holds up the others for half a second at most when something is refused", async () => {
  const { clock, channels, send } = await made();
  clock.advance(1_000);
  for (const id of ["a", "b"]) send(id);
  channels[0]?.emit("nack", { deliveryTag: 2, multiple: false });
  send("c");
  clock.advance(499);
  assertEquals(channels[0]?.published.length, 2);
  clock.advance(1);
  assertEquals([channels.length, channels[0]?.published.length, clock.waiting], [1, 3, 0]);
  channels[0]?.emit("nack", { deliveryTag: 3, multiple: false }); // that soon, it is not waited for again
  send("d");
  assertEquals(channels[0]?.published.length, 4);
});
