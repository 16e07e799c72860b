import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError } from "../../src/errors/configuration.ts";
import { checkRetryPolicy, describeRetry, nextWait, retry, type RetryPolicy } from "../../src/pipeline/retry.ts";
import { type Random, seededRandom } from "../../src/values/random.ts";
import { test } from "../support/runner.ts";

const failure = new Error("failed");

/** The waits until the policy gives up. */
function waits(policy: RetryPolicy, random: Random = Math.random): number[] {
  const all: number[] = [];
  for (let number = 1; number <= 100; number++) {
    const wait = nextWait(policy, number, failure, random);
    if (wait === undefined) return all;
    all.push(wait);
  }
  throw new Error("The policy never gave up");
}

test("immediate retries n times without a wait", () => {
  assertEquals(waits(retry.immediate(3)), [0, 0, 0]);
  assertEquals(waits(retry.immediate(0)), []);
});

test("interval waits the same before each retry", () => {
  assertEquals(waits(retry.interval(3, "1.5s")), [1500, 1500, 1500]);
  assertEquals(waits(retry.interval(2, 0)), [0, 0]);
});

test("intervals retries once after each wait", () => {
  assertEquals(waits(retry.intervals(["100ms", 0, "5s"])), [100, 0, 5000]);
  assertEquals(waits(retry.intervals([])), []);
});

test("intervals keeps the waits as they were when it was made", () => {
  const list = [1, 2];
  const policy = retry.intervals(list);
  list.push(3);
  list[0] = 9;
  assertEquals(waits(policy), [1, 2]);
});

test("incremental adds the step each time, up to max", () => {
  assertEquals(waits(retry.incremental({ limit: 4, initial: "1s", step: "500ms" })), [1000, 1500, 2000, 2500]);
  assertEquals(waits(retry.incremental({ limit: 4, initial: 10, step: 10, max: 25 })), [10, 20, 25, 25]);
});

test("exponential doubles up to max", () => {
  const policy = retry.exponential({ limit: 6, min: "100ms", max: "1s", jitter: 0 });
  assertEquals(waits(policy), [100, 200, 400, 800, 1000, 1000]);
});

test("exponential spreads its waits by the random numbers it is given, ± 20 % if not told otherwise", () => {
  const policy = retry.exponential({ limit: 2, min: 100, max: 10_000 });
  assertEquals(waits(policy, () => 0), [80, 160]);
  assertEquals(waits(policy, () => 0.5), [100, 200]);
  const spread = retry.exponential({ limit: 20, min: 100, max: 10_000, jitter: 0.5 });
  assertEquals(waits(spread, seededRandom(7)), waits(spread, seededRandom(7)));
  assert(waits(spread, seededRandom(7)).join() !== waits(spread, seededRandom(8)).join());
});

test("case 5: exponential waits neither overflow nor pass max, jitter included, up to retry 2,000", () => {
  const plain = retry.exponential({ limit: 2001, min: "100ms", max: "30s", jitter: 0 });
  const spread = retry.exponential({ limit: 2001, min: "100ms", max: "30s", jitter: 0.5 });
  const random = seededRandom(5);
  let before = 0;
  for (let number = 1; number <= 2001; number++) {
    const wait = nextWait(plain, number, failure, random);
    assert(wait !== undefined && wait >= before, `retry ${number} waits ${wait} ms after ${before} ms`);
    if (number > 9) assertEquals(wait, 30_000);
    before = wait;
    for (const draw of [random(), 0, 1 - 2 ** -53]) {
      const jittered = nextWait(spread, number, failure, () => draw);
      assert(jittered !== undefined && jittered >= wait / 2 && jittered <= Math.min(30_000, wait * 1.5));
    }
  }
});

test("an error that the filter leaves out is not retried", () => {
  const policy = retry.interval(5, "1s", { handle: [TypeError], ignore: [(error) => error.message === "final"] });
  assertEquals(nextWait(policy, 1, new TypeError("soft"), Math.random), 1000);
  assertEquals(nextWait(policy, 1, new TypeError("final"), Math.random), undefined);
  assertEquals(nextWait(policy, 1, new RangeError("soft"), Math.random), undefined);
  assertEquals(nextWait(policy, 1, new Error("outer", { cause: new TypeError() }), Math.random), 1000);
});

test("every kind of policy takes a filter", () => {
  const filter = { ignore: [Error] };
  for (
    const policy of [
      retry.immediate(5, filter),
      retry.interval(5, 1, filter),
      retry.intervals([1, 2], filter),
      retry.incremental({ limit: 5, initial: 1, step: 1, ...filter }),
      retry.exponential({ limit: 5, min: 1, max: 2, ...filter }),
    ]
  ) assertEquals(waits(policy), []);
});

test("a policy that cannot work is refused when it is made", () => {
  for (const n of [-1, 1.5, NaN, Infinity, "3" as never, undefined as never]) {
    assertThrows(() => retry.immediate(n), ConfigurationError, "whole number");
    assertThrows(() => retry.interval(n, 1), ConfigurationError, "whole number");
    assertThrows(() => retry.incremental({ limit: n, initial: 1, step: 1 }), ConfigurationError, "whole number");
    assertThrows(() => retry.exponential({ limit: n, min: 1, max: 1 }), ConfigurationError, "whole number");
  }
  for (const wait of ["5 s", "-5s", "1e3ms"] as const) {
    assertThrows(() => retry.interval(1, wait as `${number}s`), InvalidDurationError);
    assertThrows(() => retry.intervals([1, wait as `${number}s`]), InvalidDurationError);
    assertThrows(() => retry.incremental({ limit: 1, initial: 1, step: wait as `${number}s` }), InvalidDurationError);
    assertThrows(() => retry.exponential({ limit: 1, min: 1, max: wait as `${number}s` }), InvalidDurationError);
  }
  assertThrows(() => retry.exponential({ limit: 5, min: "1s" } as never), ConfigurationError, "max");
  assertThrows(() => retry.exponential({ limit: 5, min: "1s", max: "1ms" }), ConfigurationError);
  assertThrows(() => retry.exponential({ limit: 5, min: 0, max: "1ms" }), ConfigurationError);
  assertThrows(() => retry.exponential({ limit: 5, min: 1, max: 1, jitter: 1.5 }), ConfigurationError, "jitter");
  assertThrows(() => retry.incremental({ limit: 5, initial: "2s", step: 1, max: "1s" }), ConfigurationError);
  assertThrows(() => retry.intervals("1s" as never), ConfigurationError, "list");
  assertThrows(() => retry.immediate(1, { handle: [undefined as never] }), ConfigurationError, "retry.immediate");
});

test("what was not made by retry is refused", () => {
  for (const literal of [{ limit: 5 }, undefined, 3, { "~policy": "made by retry.…" }]) {
    const given = literal as unknown as RetryPolicy;
    assertThrows(() => checkRetryPolicy(given, `the endpoint "orders"`), ConfigurationError, `the endpoint "orders"`);
    assertThrows(() => nextWait(given, 1, failure, Math.random), ConfigurationError);
  }
  checkRetryPolicy(retry.immediate(1), "a test");
});

test("a policy made by another copy of the package works", async () => {
  // Runtimes load a module anew for each query.
  const specifier = "../../src/pipeline/retry.ts?copy";
  const copy = await import(specifier);
  assert(copy.retry !== retry);
  assertEquals(waits(copy.retry.intervals([1, 2])), [1, 2]);
});

test("a policy says in a few words what it does", () => {
  assertEquals(describeRetry(retry.immediate(3)), "immediate, 3 ×");
  assertEquals(describeRetry(retry.interval(3, "90s")), "interval, 3 × 90s");
  assertEquals(describeRetry(retry.intervals(["100ms", "5s"])), "intervals, 100ms, 5s");
  assertEquals(describeRetry(retry.incremental({ limit: 4, initial: 100, step: 50 })), "incremental, 4 × 100ms + 50ms");
  assertEquals(describeRetry(retry.exponential({ limit: 5, min: 100, max: "30s" })), "exponential, 5 × 100ms to 30s");
});
