import { assertEquals, assertStrictEquals } from "@std/assert";
import { type DeadlineClock, Deadlines } from "../../src/values/deadlines.ts";
import { elapsing, type MeasuringClock } from "../../src/values/elapsing.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { test } from "../support/runner.ts";
import { SettableClock } from "../support/settable_clock.ts";

const hour = 3_600_000;

test("a deadline of what lasts comes when it has lasted, however the clock is set meanwhile", () => {
  for (const by of [0, 10, 2 * hour, -10, -2 * hour]) {
    const clock = new SettableClock();
    const expired: string[] = [];
    const deadlines = new Deadlines<string>(elapsing(clock), (item) => expired.push(item));
    deadlines.after(10_000, "first");
    deadlines.after(30_000, "last");
    clock.advance(5_000);
    clock.set(by);
    deadlines.after(10_000, "set meanwhile", clock.now());
    clock.advance(4_999);
    assertEquals(expired, [], `${by}`);
    clock.advance(1);
    assertEquals(expired, ["first"], `${by}`);
    clock.advance(5_000);
    assertEquals(expired, ["first", "set meanwhile"], `${by}`);
    clock.set(-by);
    clock.advance(14_999);
    assertEquals(expired.length, 2, `${by}`);
    clock.advance(1);
    assertEquals([expired.length, clock.waiting], [3, 0], `${by}`);
  }
});

test("a clock that does not measure is taken as it is, and its view as well", () => {
  const clock = new FakeClock();
  const view = new FakeClock();
  assertStrictEquals<DeadlineClock>(elapsing(clock), clock);
  assertStrictEquals<DeadlineClock>(elapsing(clock, view), view);
});

test("what a timer says has passed, where a tool has replaced timers and clock alone", () => {
  const replaced = new FakeClock();
  const clock: MeasuringClock = {
    now: () => replaced.now(),
    elapsed: () => 1,
    at: (time, run) => replaced.at(time, run),
  };
  const expired: string[] = [];
  const deadlines = new Deadlines<string>(elapsing(clock), (item) => expired.push(item));
  for (const item of ["a", "b"]) {
    deadlines.after(1_000, item);
    replaced.advance(999);
    assertEquals(expired.includes(item), false);
    replaced.advance(1);
    assertEquals(expired.at(-1), item);
  }
});
