import { assert, assertEquals } from "@std/assert";
import { createSystemClock, systemClock } from "../../src/runtime/system_clock.ts";
import { test } from "../support/runner.ts";

/** Timers that go off when told, and hold as much as a runtime's: 2^31 ms and more fire after 1 ms. */
class FakeTimers {
  time = 1_700_000_000_000;
  /** How much too early timers go off. */
  early = 0;
  readonly delays: number[] = [];
  readonly waiting = new Map<number, { readonly time: number; readonly run: () => void }>();
  #ids = 0;

  /** By how much the clock was set back. */
  back = 0;

  now = (): number => this.time - this.back;
  elapsed = (): number => this.time;
  set = (run: () => void, delayInMs: number): number => {
    this.delays.push(delayInMs);
    const real = delayInMs >= 2 ** 31 ? 1 : delayInMs;
    this.waiting.set(++this.#ids, { time: this.time + Math.max(0, real - this.early), run });
    return this.#ids;
  };
  clear = (timer: unknown): void => void this.waiting.delete(timer as number);

  /** Lets the next timer go off. False: there is none. */
  next(): boolean {
    const [first] = [...this.waiting].sort(([, a], [, b]) => a.time - b.time);
    if (first === undefined) return false;
    const [id, timer] = first;
    this.waiting.delete(id);
    this.time = Math.max(this.time, timer.time);
    timer.run();
    return true;
  }
}

const delays = [1, 2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 15_552_000_000];

test("a wait of any length ends at its time, in timers of less than 2^31 ms", () => {
  for (const delay of delays) {
    const timers = new FakeTimers();
    const due = timers.time + delay;
    const ran: number[] = [];
    createSystemClock(timers).at(due, () => ran.push(timers.time));
    while (timers.next());
    assertEquals(ran, [due], `${delay} ms`);
    assert(timers.delays.every((each) => each <= 2_147_483_647), timers.delays.join());
    assertEquals(timers.delays.length, Math.ceil(delay / 2_147_483_647));
  }
});

test("what is due now or past runs soon, not within the call", () => {
  for (const delay of [0, -1, -Infinity]) {
    const timers = new FakeTimers();
    let ran = 0;
    createSystemClock(timers).at(timers.time + delay, () => ran++);
    assertEquals([ran, timers.delays], [0, [0]]);
    while (timers.next());
    assertEquals(ran, 1);
  }
});

test("a timer that goes off early is set again", () => {
  const timers = new FakeTimers();
  timers.early = 1;
  const due = timers.time + 1000;
  const ran: number[] = [];
  createSystemClock(timers).at(due, () => ran.push(timers.time));
  timers.next();
  assertEquals(ran, []);
  timers.early = 0;
  while (timers.next());
  assertEquals(ran, [due]);
  assertEquals(timers.delays, [1000, 1, 1]);
});

test("when the system's time is set back, a wait takes no longer for that", () => {
  for (const delay of delays.filter((each) => each > 1)) {
    const timers = new FakeTimers();
    const start = timers.time;
    const ran: number[] = [];
    createSystemClock(timers).at(start + delay, () => ran.push(timers.time - start));
    timers.back = 2 * delay;
    while (timers.next());
    assertEquals(ran, [delay]);
  }
});

test("when the system's time is set forward, a long wait ends with the timer that is set", () => {
  const timers = new FakeTimers();
  const start = timers.time;
  const ran: number[] = [];
  createSystemClock(timers).at(start + 4_294_967_296, () => ran.push(timers.time - start));
  timers.back = -4_000_000_000;
  while (timers.next());
  assertEquals(ran, [2_147_483_647]);
});

test("where the system's time is a little behind what has passed, as clocks are, the wait goes on until its time", () => {
  for (const [delay, back] of [[1_000, 900], [4_294_967_296, 4_000_000]] as const) {
    const timers = new FakeTimers();
    timers.early = 1;
    const start = timers.time;
    const ran: number[] = [];
    createSystemClock(timers).at(start + delay, () => ran.push(timers.time - start));
    timers.back = back;
    timers.next();
    timers.early = 0;
    while (timers.next());
    assertEquals(ran, [delay + back]);
  }
});

test("a fraction of a millisecond is waited for, too", () => {
  const timers = new FakeTimers();
  const ran: number[] = [];
  createSystemClock(timers).at(timers.time + 1.2, () => ran.push(timers.time));
  assertEquals(timers.delays, [2]);
  while (timers.next());
  assertEquals(ran.length, 1);
});

test("a cancelled wait does not run and leaves no timer, in whichever part of it", () => {
  for (const parts of [0, 1, 2]) {
    const timers = new FakeTimers();
    const cancel = createSystemClock(timers).at(timers.time + 15_552_000_000, () => {
      throw new Error("ran");
    });
    for (let part = 0; part < parts; part++) timers.next();
    assertEquals(timers.waiting.size, 1);
    cancel();
    cancel();
    assertEquals(timers.waiting.size, 0);
  }
});

test("cancelling after the run clears no one's timer", () => {
  const timers = new FakeTimers();
  const cancel = createSystemClock(timers).at(timers.time, () => {});
  while (timers.next());
  let cleared = 0;
  timers.clear = () => cleared++;
  cancel();
  assertEquals(cleared, 0);
});

test("the system's clock tells the time of Date, and runs what is due", async () => {
  const before = Date.now();
  const now = systemClock.now();
  assert(now >= before && now <= Date.now());
  const due = systemClock.now() + 5;
  await new Promise<void>((resolve) => void systemClock.at(due, resolve));
  assert(Date.now() >= due);
  systemClock.at(systemClock.now() + 60_000, () => {})();
});

test("what has passed is told whatever the clock is set to, and is not measured at each call", () => {
  for (const by of [0, 7_200_000, -7_200_000, 200, -200]) {
    const timers = new FakeTimers();
    let measured = 0;
    const { now, elapsed } = createSystemClock({
      ...timers,
      now: timers.now,
      elapsed: () => (measured++, timers.time),
    });
    const begun = elapsed();
    for (let ms = 0; ms < 1_000; ms++) {
      timers.time++;
      assertEquals(elapsed(now()) - begun, ms + 1);
    }
    assert(measured > 1 && measured <= 25, `${measured}`);
    timers.back -= by;
    assertEquals(elapsed() - begun, 1_000, `${by} ms`);
    timers.time += 7_200_000;
    assertEquals(elapsed() - begun, 7_201_000, `${by} ms`);
  }
});

test("the system's clock tells whole milliseconds, as many as pass", () => {
  const [begun, at] = [systemClock.elapsed(), performance.now()];
  while (performance.now() - at < 20);
  const passed = systemClock.elapsed() - begun;
  assert(Number.isInteger(passed) && passed >= 19 && passed <= performance.now() - at + 60, `${passed}`);
});
