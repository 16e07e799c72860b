/** When what is accepted is acknowledged, and how. */
import { assert, assertEquals } from "@std/assert";
import type { Channel, Message } from "amqplib";
import { type Claim, Claims } from "../../../transports/rabbitmq/claims.ts";
import { turn } from "../../../src/testing/turn.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";

/** Claims on a channel that writes down what it is told: `+3`: up to the third, `3`: the third, `-3`: it goes back. */
function made(prefetch: number) {
  const clock = new FakeClock();
  const told: string[] = [];
  const channel = {
    ack: ({ fields }: Message, allUpTo = false) => void told.push(`${allUpTo ? "+" : ""}${fields.deliveryTag}`),
    reject: ({ fields }: Message) => void told.push(`-${fields.deliveryTag}`),
    prefetch: () => Promise.resolve({}),
  };
  const claims = new Claims(channel as unknown as Channel, clock, () => {}); // it calls nothing else
  claims.prefetch = prefetch;
  let tags = 0;
  /** So many come. */
  const come = (count: number): readonly Claim[] =>
    Array.from({ length: count }, () => {
      const message = { fields: { deliveryTag: ++tags }, properties: {} };
      return claims.add(message as unknown as Message, { address: "queue:q" });
    });
  const accept = async (...all: readonly (Claim | undefined)[]): Promise<void> => {
    for (const claim of all) if (claim !== undefined) claims.accept(claim);
    await Promise.resolve(); // what is accepted in one turn is written together
  };
  return { clock, told, claims, come, accept };
}

test("rabbitmq: what is accepted in one turn from the first on is acknowledged with one call", async () => {
  const { told, ...bench } = made(5);
  const [a, b, c] = bench.come(4);
  await bench.accept(c, a, b);
  assertEquals(told, ["+3"]);
});

test("rabbitmq: behind an unfinished message, less than half the prefetch waits 50 ms, then goes one by one", async () => {
  const { told, clock, ...bench } = made(10);
  const [, b, c, d, e] = bench.come(10);
  await bench.accept(b, c, d, e);
  clock.advance(49);
  assertEquals(told, []);
  clock.advance(1);
  assertEquals(told, ["2", "3", "4", "5"]);
});

test("rabbitmq: half the prefetch does not wait for that, and never acknowledges past the unfinished", async () => {
  for (const [prefetch, half] of [[10, 5], [9, 5], [2, 1], [1, 1]] as const) {
    const { told, clock, ...bench } = made(prefetch);
    const [first, ...others] = bench.come(half + 1);
    await bench.accept(...others.slice(0, half - 1));
    clock.advance(2);
    assertEquals([prefetch, told], [prefetch, []]);
    await bench.accept(others[half - 1]);
    clock.advance(2);
    assertEquals([prefetch, told], [prefetch, others.map((_, at) => String(at + 2))]);
    await bench.accept(first);
    clock.advance(2);
    assertEquals(told.at(-1), "1");
  }
});

test("rabbitmq: an unfinished message that is accepted in time takes those behind it along", async () => {
  const { told, clock, ...bench } = made(10);
  const [a, b, c] = bench.come(3);
  await bench.accept(b);
  clock.advance(30);
  await bench.accept(a);
  clock.advance(2);
  assertEquals(told, ["+2"]);
  clock.advance(1_000);
  await bench.accept(c);
  clock.advance(2);
  assertEquals(told, ["+2", "3"]);
});

test("rabbitmq: what goes back is told before what is accepted, in order", async () => {
  const { told, claims, ...bench } = made(4);
  const [a, b, c, d] = bench.come(4);
  for (const each of [c, b]) if (each !== undefined) claims.release(each);
  await bench.accept(a, d);
  assertEquals(told, ["-2", "-3", "+4"]);
});

test("rabbitmq: what is accepted turn by turn is acknowledged together, 2 ms after the first", async () => {
  const { told, clock, ...bench } = made(1_000);
  const [a, b, c] = bench.come(3);
  await bench.accept(a);
  clock.advance(1);
  await bench.accept(b);
  assertEquals(told, []);
  clock.advance(1);
  assertEquals(told, ["+2"]);
  await bench.accept(c);
  clock.advance(1);
  assertEquals(told, ["+2"]);
  clock.advance(1);
  assertEquals(told, ["+2", "3"]);
});

test("rabbitmq: a hundred do not wait for that", async () => {
  const { told, ...bench } = made(1_000);
  const claims = bench.come(100);
  for (const claim of claims.slice(0, -1)) await bench.accept(claim);
  assertEquals(told, []);
  await bench.accept(claims.at(-1));
  assertEquals(told, ["+100"]);
});

test("rabbitmq: nor does anything where less than a quarter of the prefetch may still come", async () => {
  for (const [prefetch, most] of [[1_000, 750], [64, 48], [8, 6], [5, 3], [3, 2], [2, 1]] as const) {
    const { told, ...bench } = made(prefetch);
    const [first, second] = bench.come(most);
    await bench.accept(first);
    assertEquals([prefetch, told], [prefetch, []]);
    bench.come(1);
    if (second === undefined) continue;
    await bench.accept(second);
    assertEquals([prefetch, told], [prefetch, ["+2"]]);
  }
  const { told, ...bench } = made(1);
  const [only] = bench.come(1);
  await bench.accept(only);
  assertEquals(told, ["1"]);
});

test("rabbitmq: nothing waits where nothing more comes, or where what was accepted is wanted now", async () => {
  const { told, claims, ...bench } = made(1_000);
  const [a, b, c] = bench.come(3);
  await bench.accept(a);
  claims.flush();
  assertEquals(told, ["1"]);
  await bench.accept(b);
  claims.hurry();
  assertEquals(told, ["1", "2"]);
  claims.gathers = false;
  await bench.accept(c);
  assertEquals(told, ["1", "2", "3"]);
});

test("rabbitmq: there is a timer only while something waits, and none when the channel ends", async () => {
  const { claims, clock, ...bench } = made(1_000);
  const [a, ...others] = bench.come(101);
  const before = clock.waiting;
  await bench.accept(a);
  assertEquals(clock.waiting, before + 1);
  await bench.accept(...others); // written, and the broker asked whether it has heard: at once for the first time
  assertEquals(clock.waiting, before);
  const [b] = bench.come(1);
  await bench.accept(b);
  assertEquals(clock.waiting, before + 1);
  claims.end();
  assertEquals(clock.waiting, before);
});

test("rabbitmq: the broker is asked whether it has heard, soon, also where the clock was set back by an hour", async () => {
  const { claims, clock, ...bench } = made(1);
  const [a, b] = bench.come(2);
  await bench.accept(a);
  clock.setBack(3_600_000);
  await bench.accept(b);
  assert(!claims.idle);
  clock.advance(20);
  await turn();
  assert(claims.idle);
});
