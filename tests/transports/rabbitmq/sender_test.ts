/** How messages are published, and connections are asked for. */
import { assertEquals } from "@std/assert";
import type { Options } from "amqplib";
import { EventEmitter } from "node:events";
import type { Client } from "../../../transports/rabbitmq/client.ts";
import { Connection } from "../../../transports/rabbitmq/connection.ts";
import { settingsOf } from "../../../transports/rabbitmq/options.ts";
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
  const send = (messageId: string, expiresAt?: number, mandatory = false) => {
    const properties = { messageId, headers: {}, mandatory };
    const letter = {
      name: "a message",
      to: "queue:q",
      key: undefined,
      content: new Uint8Array(1),
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

test("rabbitmq: the client is asked for sockets that do not wait for more to send", async () => {
  const asked: { readonly noDelay?: unknown }[] = [];
  const refused = Promise.withResolvers<void>();
  const client = {
    credentials: { plain: () => ({}), external: () => ({}) },
    connect: (_where: unknown, options: { readonly noDelay?: unknown }) => {
      asked.push(options);
      return Promise.reject(new Error("refused"));
    },
  } as unknown as Client; // it calls nothing else
  const clock = new FakeClock();
  const host = { bus: "test", clock, signal: new AbortController().signal, status: () => {} };
  const connection = new Connection(client, settingsOf({}), host, "publish", {
    prepare: () => Promise.resolve(),
    up: () => {},
    down: () => refused.resolve(),
    blocked: () => {},
  });
  connection.start();
  await refused.promise;
  await connection.close(0);
  assertEquals(asked.map(({ noDelay }) => noDelay), [true]);
});
