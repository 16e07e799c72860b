import { assert, assertEquals } from "@std/assert";
import { FailureWindow } from "../../src/pipeline/failure_window.ts";
import { seededRandom } from "../../src/values/random.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { test } from "../support/runner.ts";

function counted(window: FailureWindow): readonly [attempts: number, failures: number] {
  return [window.attempts, window.failures];
}

test("a window counts attempts and failures", () => {
  const window = new FailureWindow(1000, new FakeClock());
  window.record(true);
  window.record(false);
  window.record(true);
  assertEquals(counted(window), [3, 2]);
  window.clear();
  assertEquals(counted(window), [0, 0]);
});

test("a window forgets what is older than its period, after silence too", () => {
  const clock = new FakeClock();
  const window = new FailureWindow(1000, clock);
  window.record(true);
  clock.advance(1000);
  window.record(false);
  assertEquals(counted(window), [1, 0]);
  clock.advance(3_600_000);
  window.record(true);
  assertEquals(counted(window), [1, 1]);
});

test("a window turns at once after any silence", () => {
  const clock = new FakeClock();
  const window = new FailureWindow(1, clock);
  window.record(true);
  clock.advance(5e12); // a loop over each step would take hours
  window.record(false);
  assertEquals(counted(window), [1, 0]);
});

test("a window never counts what is as old as its period, and always what is younger than nine tenths of it", () => {
  for (const period of [1000, 1, 7, 15, 101, 60_000]) {
    const clock = new FakeClock();
    const window = new FailureWindow(period, clock);
    const random = seededRandom(period);
    const records: { readonly at: number; readonly failed: boolean }[] = [];
    for (let count = 0; count < 2000; count++) {
      clock.advance(Math.floor(random() * period / (count % 3 === 0 ? 2 : 50)));
      const failed = random() < 0.3;
      window.record(failed);
      records.push({ at: clock.now(), failed });
      const recent = records.filter(({ at }) => clock.now() - at < period);
      const certain = records.filter(({ at }) => clock.now() - at < period * 0.9 - 1);
      assert(window.attempts <= recent.length && window.attempts >= certain.length);
      assert(window.failures <= recent.filter((each) => each.failed).length);
      assert(window.failures >= certain.filter((each) => each.failed).length);
    }
  }
});

test("a clock that is set back loses no count and does not break the window", () => {
  const clock = new FakeClock();
  const window = new FailureWindow(1000, clock);
  window.record(true);
  clock.advance(-5000);
  window.record(true);
  assertEquals(counted(window), [2, 2]);
  clock.advance(1000);
  window.record(false);
  assertEquals(counted(window), [1, 0]);
});
