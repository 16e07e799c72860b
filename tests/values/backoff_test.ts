import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { type ExponentialBackoff, exponentialBackoff, incrementalBackoff } from "../../src/values/backoff.ts";
import { seededRandom } from "../../src/values/random.ts";
import { test } from "../support/runner.ts";

const retries = Array.from({ length: 2001 }, (_, retry) => retry);

test("exponential waits double, then stay at the limit, for any number of retries", () => {
  const wait = exponentialBackoff({ min: "100ms", max: "30s", jitter: 0 });
  const waits = retries.map(wait);
  assertEquals(waits.slice(0, 4), [100, 200, 400, 800]);
  waits.forEach((each, retry) => assert(retry === 0 || each >= (waits[retry - 1] ?? 0), `retry ${retry}`));
  assertEquals(waits[8], 25_600);
  assertEquals(new Set(waits.slice(9)), new Set([30_000]));
});

test("jitter never passes the limit, nor is a wait ever NaN, negative, endless or far too short", () => {
  for (const random of [seededRandom(1), () => 0, () => 1 - 2 ** -53]) {
    const wait = exponentialBackoff({ min: "100ms", max: "30s", jitter: 0.5 }, random);
    const bare = exponentialBackoff({ min: "100ms", max: "30s", jitter: 0 });
    for (const retry of retries) {
      const each = wait(retry);
      assert(Number.isInteger(each) && each <= 30_000, `${each} at ${retry}`);
      assert(each >= bare(retry) / 2 && each <= bare(retry) * 1.5, `${each} at ${retry}`);
    }
  }
});

test("jitter is 20 % unless said otherwise, and spread, at the limit too", () => {
  const random = seededRandom(2);
  const wait = exponentialBackoff({ min: "10s", max: "30s" }, random);
  for (const [retry, low, high] of [[0, 8000, 12_000], [9, 24_000, 30_000]] as const) {
    const waits = Array.from({ length: 1000 }, () => wait(retry));
    assert(waits.every((each) => each >= low && each <= high));
    const middle = (low + high) / 2;
    const above = waits.filter((each) => each > middle).length;
    assert(above > 400 && above < 600, `${above} of 1,000 above ${middle}`);
    assert(waits.filter((each) => each === high).length < 20, "waits gather at the limit");
  }
});

test("exponential waits that cannot work are refused when they are made", () => {
  const wrong: [Record<string, unknown>, string][] = [
    [{ min: "1s" }, "Give { max }"],
    [{ min: "1s", max: "10ms" }, "above their max"],
    [{ min: 0, max: "1s" }, "Cannot double a wait of 0 ms"],
    [{ min: "1s", max: Infinity }, "not finite"],
    [{ min: -1, max: "1s" }, "negative"],
    [{ max: "1s" }, "{ min } of a backoff"],
    ...[-0.1, 1.1, NaN, "a lot"].map((jitter): [Record<string, unknown>, string] => [
      { min: "1s", max: "2s", jitter },
      "Give 0 to 1",
    ]),
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => exponentialBackoff(options as unknown as ExponentialBackoff), ConfigurationError, message);
  }
});

test("the same seed gives the same waits", () => {
  const waits = (seed: number) =>
    retries.slice(0, 50).map(exponentialBackoff({ min: "1s", max: "1h" }, seededRandom(seed)));
  assertEquals(waits(7), waits(7));
  assert(waits(7).join() !== waits(8).join());
});

test("incremental waits grow by the step up to the limit", () => {
  const options = { initial: "1s", step: "2s" } as const;
  assertEquals(retries.slice(0, 4).map(incrementalBackoff({ ...options, max: "4s" })), [1000, 3000, 4000, 4000]);
  assertEquals(incrementalBackoff(options)(2000), 4_001_000);
  assertEquals(incrementalBackoff({ initial: 1, step: 8.64e15 })(2000), Number.MAX_SAFE_INTEGER);
  assertThrows(() => incrementalBackoff({ ...options, max: 10 }), ConfigurationError, "above their max");
});
