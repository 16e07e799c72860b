/** Behaviours that other libraries got wrong, by their numbers in the list of cases. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { InvalidDurationError } from "../../../src/errors/configuration.ts";
import { levelsInMs } from "../../../transports/rabbitmq/delay_levels.ts";
import { frame } from "../../conformance/transport/trial.ts";
import type { RawChannel } from "./broker.ts";
import { rig } from "./rig.ts";

const longest = 2 ** 32 - 1;

rig(
  "case 19: delays of any length are taken, and none comes early; no time at the broker exceeds 2^32 - 1",
  async (rig) => {
    const queue = await rig.queue();
    const inbox = await rig.receive(queue);
    const now = rig.clock.now();
    for (const ms of [2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 15_552_000_000]) {
      await rig.send(`queue:${queue}`, `${ms}`, { dueAt: now + ms });
    }
    for (const ms of [0, -1_000]) await rig.send(`queue:${queue}`, `${ms}`, { dueAt: now + ms });
    await rig.came(inbox, 2);
    await rig.clock.pass(500);
    assertEquals(inbox.texts, ["0", "-1000"]);
    assert(levelsInMs <= longest);
    const { settingsOf } = await import("../../../transports/rabbitmq/options.ts");
    await assertRejects(async () => await settingsOf({ heartbeat: -1 }), InvalidDurationError);
  },
);

rig("case 21: a short delay does not wait behind a long one", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  const now = rig.clock.now();
  await rig.send(`queue:${queue}`, "1h", { dueAt: now + 3_600_000 });
  for (const ms of [1_400, 200, 700]) await rig.send(`queue:${queue}`, `${ms}`, { dueAt: now + ms });
  await rig.came(inbox, 3);
  assertEquals(inbox.texts, ["200", "700", "1400"]);
  for (const [at, ms] of [200, 700, 1_400].entries()) assert(inbox.times[at]! >= now + ms);
});

rig(
  "case 23: an expiration is whole milliseconds as text, rounded up, and none where the broker cannot keep it",
  async (rig) => {
    const queue = await rig.queue();
    const now = rig.clock.now();
    const ttls = [60_000, 1_500.7, 0.4, 5_000_000_000];
    for (const ttl of ttls) await rig.send(`queue:${queue}`, `${ttl}`, { expiresAt: now + ttl + 100_000 });
    assertEquals(rig.transport.counts.reconnects, 0);
    const seen: unknown[] = await rig.raw(async (channel) => {
      const all: unknown[] = [];
      for (let message = await channel.get(queue); message !== false; message = await channel.get(queue)) {
        all.push(message.properties.expiration);
      }
      return all;
    });
    assertEquals(seen.length, 4);
    for (const [at, expiration] of seen.slice(0, 3).entries()) {
      assert(typeof expiration === "string" && /^\d+$/.test(expiration), String(expiration));
      assert(Number(expiration) <= Math.ceil(ttls[at]! + 100_000));
    }
    assertEquals(seen[3], undefined);
  },
);

rig(
  "case 27: a header of a type that the client does not know ends neither the endpoint nor what follows",
  async (rig) => {
    const queue = await rig.queue();
    const inbox = await rig.receive(queue);
    await rig.raw(async (channel) => {
      publishRaw(channel, queue, Uint8Array.of(1, 0x6b, 0x4c, 0, 0, 0, 0, 0, 0, 0x0b, 0xb8), "odd");
      channel.sendToQueue(queue, (await import("node:buffer")).Buffer.from("next"), { messageId: "next" });
      await channel.waitForConfirms();
    });
    await rig.until("the next message", () => inbox.texts.includes("next"));
    await inbox.accept();
    assertEquals(rig.transport.counts.reconnects, 0);
  },
);

rig("case 83: bodies of no bytes and of many frames, and text of every kind, come as they were sent", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  const large = new Uint8Array(2 ** 20).map((_, at) => at * 31 % 251);
  const text = "naïve 漢字 🧭\u{10FFFF}";
  const send = (name: string, body: Uint8Array) =>
    rig.send(`queue:${queue}`, name, { frame: { ...frame("", { note: text }), body } });
  await send("empty", new Uint8Array(0));
  await send("large", large);
  await send("text", new TextEncoder().encode(text));
  await rig.came(inbox, 3);
  const [empty, big, words] = inbox.received;
  assertEquals(empty?.frame.body.byteLength, 0);
  assertEquals(big?.frame.body, large);
  assertEquals(new TextDecoder().decode(words?.frame.body), text);
  for (const each of inbox.received) assertEquals(each.frame.headers["note"], text);
});

rig("case 83: a socket that gives one byte at a time changes nothing", async (rig) => {
  const queue = await rig.queue();
  rig.bench.wire(rig.transport).chop(1);
  const inbox = await rig.receive(queue);
  await Promise.all(["a", "🧭", "c"].map((text) => rig.send(`queue:${queue}`, text)));
  await rig.came(inbox, 3, 30_000);
  assertEquals(inbox.texts, ["a", "🧭", "c"]);
  await inbox.accept();
  rig.bench.wire(rig.transport).chop(Infinity);
});

/** Publishes to a queue with a table of headers that the client cannot write. */
function publishRaw(channel: RawChannel, queue: string, table: Uint8Array, body: string): void {
  const inner = channel as unknown as {
    readonly ch: number;
    readonly connection: { readonly stream: { write(bytes: Uint8Array): void } };
  };
  const text = new TextEncoder().encode(body);
  const key = new TextEncoder().encode(queue);
  const long = (value: number) => [value >>> 24 & 255, value >>> 16 & 255, value >>> 8 & 255, value & 255];
  const framed = (type: number, payload: readonly number[]) => [
    ...[type, 0, inner.ch, ...long(payload.length)],
    ...payload,
    0xce,
  ];
  inner.connection.stream.write(Uint8Array.from([
    ...framed(1, [0, 60, 0, 40, 0, 0, 0, key.length, ...key, 0]),
    ...framed(2, [0, 60, 0, 0, ...long(0), ...long(text.length), 0x20, 0, ...long(table.length), ...table]),
    ...framed(3, [...text]),
  ]));
}
