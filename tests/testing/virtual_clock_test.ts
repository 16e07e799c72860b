import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError } from "../../src/errors/configuration.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { turn } from "../../src/testing/turn.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { test } from "../support/runner.ts";

const sleep = (clock: Clock, ms: number) => new Promise<void>((resolve) => clock.at(clock.now() + ms, resolve));

test("virtual clock: starts at one fixed instant unless another is given", () => {
  assertEquals(new VirtualClock().now(), Date.parse("2026-01-01T00:00:00Z"));
  assertEquals(new VirtualClock({ start: new Date(7) }).now(), 7);
  assertEquals(new VirtualClock({ start: { epochMilliseconds: 8 } }).now(), 8);
  assertThrows(() => new VirtualClock({ start: new Date(NaN) }), ConfigurationError);
});

test("virtual clock: a timer set by what a timer woke is due from that timer's time, and fired on the way", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const seen: number[] = [];
  clock.at(10, async () => {
    await Promise.resolve();
    seen.push(clock.now());
    clock.at(clock.now() + 10, () => seen.push(clock.now()));
  });
  await clock.advanceTo(10, turn);
  assertEquals(seen, [10]);
  assertEquals(clock.next(), 20);
  await clock.advanceTo(20, turn);
  assertEquals(seen, [10, 20]);
});

test("virtual clock: chains of several tasks interleave by time", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const seen: string[] = [];
  const task = async (first: string, second: string, wait: number) => {
    await sleep(clock, wait);
    seen.push(first);
    await Promise.resolve().then(() => sleep(clock, 200));
    seen.push(second);
  };
  const both = [task("two", "four", 200), task("one", "three", 100)];
  await clock.advanceTo(1000, turn);
  await Promise.all(both);
  assertEquals(seen, ["one", "two", "three", "four"]);
  assertEquals(clock.now(), 1000);
});

test("virtual clock: two timers at one instant fire in order of creation with microtasks between", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const seen: string[] = [];
  const late = () => {
    seen.push("a");
    Promise.resolve().then(() => Promise.resolve()).then(() => seen.push("a's microtasks"));
  };
  clock.at(5, late);
  clock.background.at(5, () => seen.push("b"));
  clock.at(5, () => seen.push("c"));
  await clock.advanceTo(5, turn);
  assertEquals(seen, ["a", "a's microtasks", "b", "c"]);
});

test("virtual clock: a timer due already waits for an advance, also one to now", async () => {
  const clock = new VirtualClock({ start: new Date(100) });
  const seen: string[] = [];
  clock.at(100, () => seen.push("now"));
  clock.at(50, () => seen.push("past"));
  await turn();
  assertEquals(seen, []);
  assertEquals(clock.next(), 100);
  await clock.advanceTo(clock.now(), turn);
  assertEquals(seen, ["now", "past"]);
  assertEquals(clock.now(), 100);
});

test("virtual clock: background timers pass with the same time but do not hold", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const seen: string[] = [];
  clock.background.at(10, () => seen.push(`background ${clock.background.now()}`));
  assertEquals(clock.nextHolding(), undefined);
  assertEquals(clock.next(), 10);
  clock.at(20, () => seen.push(`holding ${clock.now()}`));
  assertEquals(clock.nextHolding(), 20);
  assertEquals(clock.next(), 10);
  await clock.advanceTo(20, turn);
  assertEquals(seen, ["background 10", "holding 20"]);
  assertEquals(clock.pending, 0);
});

test("virtual clock: long delays are never early and can be cancelled", async () => {
  const waits = [0, 2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 15_552_000_000];
  const clock = new VirtualClock();
  const start = clock.now();
  const fired: number[] = [];
  const cancels = waits.map((wait) => clock.at(start + wait, () => fired.push(clock.now() - start)));
  await clock.advanceTo(start + 2_147_483_647, turn);
  assertEquals(fired, waits.slice(0, 2));
  cancels[4]?.();
  await clock.advanceTo(start + 15_551_999_999, turn);
  assertEquals(fired, waits.slice(0, 4));
  await clock.advanceTo(start + 15_552_000_000, turn);
  assertEquals(fired, [...waits.slice(0, 4), 15_552_000_000]);
  assertThrows(() => clock.delay(-1), InvalidDurationError);
});

test("virtual clock: time never goes back by an advance", async () => {
  const clock = new VirtualClock({ start: new Date(100) });
  await clock.advanceTo(50, turn);
  assertEquals(clock.now(), 100);
});

test("virtual clock: what is cancelled, also from a timer of the same instant, does not fire and is not kept", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const seen: string[] = [];
  const cancels: (() => void)[] = [];
  clock.at(5, () => {
    seen.push("a");
    for (const cancel of cancels) cancel();
  });
  cancels.push(clock.at(5, () => seen.push("b")), clock.background.at(5, () => seen.push("c")));
  await clock.advanceTo(5, turn);
  for (const cancel of cancels) cancel(); // a second time, and of what has gone: nothing
  assertEquals(seen, ["a"]);
  for (let i = 0; i < 1000; i++) clock.at(1_000_000 + i, () => {})();
  assertEquals(clock.pending, 0);
});

test("virtual clock: fires any mix of timers and cancels in order of time and creation", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  let state = 1;
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
  const expected: { time: number; id: number }[] = [];
  const fired: { time: number; id: number }[] = [];
  for (let id = 0; id < 2000; id++) {
    const time = random(500);
    const view = random(2) === 0 ? clock : clock.background;
    const cancel = view.at(time, () => fired.push({ time: clock.now(), id }));
    if (random(3) === 0) cancel();
    else expected.push({ time, id });
  }
  expected.sort((a, b) => a.time - b.time || a.id - b.id);
  await clock.advanceTo(500, () => Promise.resolve());
  assertEquals(fired, expected);
});

test("virtual clock: advances asked for at the same time run one after the other", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const seen: number[] = [];
  for (const time of [10, 20, 30]) clock.at(time, () => seen.push(clock.now()));
  const far = clock.advanceTo(30, turn);
  const near = clock.advanceTo(10, turn).then(() => seen.push(-1));
  await Promise.all([far, near]);
  assertEquals(seen, [10, 20, 30, -1]);
  const broken = clock.advanceTo(40, () => Promise.reject(new Error("scenario over")));
  await assertRejects(() => broken, Error, "scenario over");
  await clock.advanceTo(40, turn);
  assertEquals(clock.now(), 40);
});

test("virtual clock: delay resolves in virtual time, rejects with the signal's reason, and leaves nothing", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  const done = clock.delay("1h", { signal }).then(() => clock.now());
  assertEquals(clock.nextHolding(), 3_600_000);
  await clock.advanceTo(7_200_000, turn);
  assertEquals(await done, 3_600_000);
  assertEquals(listeners, 0);
  const aborted = clock.delay("1h", { signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  await assertRejects(() => clock.delay("1h", { signal }), Error, "enough");
  assertEquals(clock.pending, 0);
});

test("virtual clock: a jump fires nothing by itself; what it made overdue fires in order at the next advance", async () => {
  const clock = new VirtualClock({ start: new Date(0) });
  const seen: string[] = [];
  clock.at(20, () => seen.push(`second at ${clock.now()}`));
  clock.at(10, () => seen.push(`first at ${clock.now()}`));
  clock.jump(100);
  await turn();
  assertEquals(seen, []);
  await clock.advanceTo(clock.now(), turn);
  assertEquals(seen, ["first at 100", "second at 100"]);
  clock.jump(-50);
  assertEquals(clock.now(), 50);
});

test("virtual clock: refuses times that are no numbers, and never is never", async () => {
  const clock = new VirtualClock();
  assertThrows(() => clock.at(NaN, () => {}), ConfigurationError);
  assertThrows(() => clock.jump(Infinity), ConfigurationError);
  await assertRejects(() => clock.advanceTo(Infinity, turn), ConfigurationError);
  clock.at(Infinity, () => {})();
  assertEquals(clock.next(), undefined);
});

test("turn: runs all microtasks and the macrotasks that were queued", async () => {
  const seen: string[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    Promise.resolve().then(() => seen.push("message"));
  };
  port2.postMessage(0);
  let chain = Promise.resolve();
  for (let i = 0; i < 100; i++) chain = chain.then(() => {});
  chain.then(() => seen.push("microtasks"));
  await turn();
  assert(seen.includes("message"));
  assert(seen.includes("microtasks"));
});
