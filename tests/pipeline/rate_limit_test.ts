import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError } from "../../src/errors/configuration.ts";
import { createRateLimit, type RateLimit, type RateLimitOptions } from "../../src/pipeline/rate_limit.ts";
import { seededRandom } from "../../src/values/random.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { GateDriver } from "../support/gate_driver.ts";
import { test } from "../support/runner.ts";

function setUp(
  options: RateLimitOptions,
): {
  readonly clock: FakeClock;
  readonly gate: RateLimit;
  readonly endpoint: GateDriver;
  readonly changes: () => number;
} {
  const clock = new FakeClock();
  let changes = 0;
  const gate = createRateLimit(options, clock, () => changes++);
  return { clock, gate, endpoint: new GateDriver(gate), changes: () => changes };
}

test("no more than the limit start at first, and no timer is set before that", () => {
  const { clock, gate, endpoint } = setUp({ limit: 3, per: "1s" });
  assertEquals(endpoint.run(2), 2);
  assertEquals(clock.waiting, 0);
  assertEquals(endpoint.run(10), 1);
  assert(!gate.open());
  assertEquals(clock.waiting, 1);
  assertEquals(gate.reason, undefined, "waiting is what a limit is for: the endpoint is healthy");
});

test("a start is given back `per` after it, not before, and the endpoint is told", () => {
  const { clock, endpoint, changes } = setUp({ limit: 2, per: "1m" });
  endpoint.run(1);
  clock.advance(10_000);
  endpoint.run(1);
  clock.advance(49_999);
  assertEquals(endpoint.run(5), 0);
  assertEquals(changes(), 0);
  clock.advance(1);
  assertEquals(changes(), 1);
  assertEquals(endpoint.run(5), 1);
  clock.advance(10_000);
  assertEquals(changes(), 2);
  assertEquals(endpoint.run(5), 1);
});

test("a message counts when it starts, whether or not it has finished, and what it came to", () => {
  const { clock, gate, endpoint } = setUp({ limit: 2, per: "1s" });
  const finish = endpoint.start();
  endpoint.run(1, new Error("failed"), false);
  assert(!gate.open());
  clock.advance(1000);
  assert(gate.open());
  finish();
  assertEquals(endpoint.run(5), 2);
});

test("starts are given back even if the endpoint looks before the timer has run", () => {
  const clock = new FakeClock();
  const late = { now: () => clock.now(), at: () => () => {} };
  const gate = createRateLimit({ limit: 1, per: "1s" }, late, () => {});
  const endpoint = new GateDriver(gate);
  assertEquals(endpoint.run(2), 1);
  clock.advance(1000);
  assertEquals(endpoint.run(2), 1);
});

test("never more than the limit start in any stretch of `per`, and hardly less when there is always one to start", () => {
  for (const [limit, per] of [[1, 100], [5, 1000], [100, 60_000], [3000, 10_000]] as const) {
    const { clock, gate, endpoint } = setUp({ limit, per });
    const random = seededRandom(limit);
    const starts: number[] = [];
    for (let count = 0; count < 2000; count++) {
      clock.advance(Math.floor(random() * per / 50));
      const wanted = count > 1000 ? limit : Math.floor(random() * limit / 10) + 1;
      for (let done = endpoint.run(wanted); done > 0; done--) starts.push(clock.now());
    }
    for (let at = limit; at < starts.length; at++) {
      const [first = 0, next = 0] = [starts[at - limit], starts[at]];
      assert(next - first >= per, `${limit + 1} started within ${next - first} ms`);
    }
    const saturated = starts.filter((start) => start > (starts.at(-1) ?? 0) - 5 * per).length;
    assert(saturated >= 4.5 * limit, `${saturated} of ${5 * limit} started`);
    assert(clock.waiting <= 1);
    gate.close();
  }
});

test("a clock that is set back by an hour holds nothing up for longer than `per` and what was left of it", () => {
  for (const dense of [true, false]) {
    const { clock, gate, endpoint } = setUp({ limit: 4, per: "1m" });
    endpoint.run(2);
    if (!dense) clock.advance(30_000);
    endpoint.run(2);
    assert(!gate.open());
    clock.setBack(3_600_000);
    let started = 0;
    for (let seconds = 0; seconds < 120; seconds++) {
      clock.advance(1_000);
      started += endpoint.run(1);
    }
    assert(started >= 4, `${started} have started in two minutes`);
    assert(started <= 8, `${started} have started in two minutes`);
    gate.close();
  }
});

test("no more start where the clock is set back before the limit is reached", () => {
  const { clock, endpoint } = setUp({ limit: 4, per: "1m" });
  endpoint.run(1);
  clock.advance(10_000);
  endpoint.run(1);
  clock.setBack(3_600_000);
  assertEquals(endpoint.run(5), 2);
  clock.advance(49_999);
  assertEquals(endpoint.run(5), 0);
  clock.advance(1);
  assertEquals(endpoint.run(5), 1);
  clock.advance(10_000);
  assertEquals(endpoint.run(5), 3);
});

test("the broker is asked for nothing during waits of a second or longer, and left alone during shorter ones", () => {
  const long = setUp({ limit: 1, per: "1m" });
  assert(!long.gate.blocking);
  long.endpoint.run(1);
  assert(long.gate.blocking);
  long.clock.advance(60_000);
  assert(!long.gate.blocking);
  const short = setUp({ limit: 1, per: "999ms" });
  short.endpoint.run(1);
  assert(!short.gate.open());
  assert(!short.gate.blocking);
});

test("a raised limit lets more start at once; a lowered one counts what has started", () => {
  const { clock, gate, endpoint, changes } = setUp({ limit: 4, per: "10s" });
  endpoint.run(2);
  clock.advance(1000);
  endpoint.run(2);
  gate.setLimit(5);
  assertEquals(gate.limit, 5);
  assertEquals(changes(), 1);
  assert(!gate.blocking);
  assertEquals(endpoint.run(5), 1);
  gate.setLimit(2);
  assert(!gate.open());
  assertEquals(changes(), 2);
  clock.advance(9000);
  assert(!gate.open(), "three of the last ten seconds are above two");
  assertEquals(changes(), 2);
  clock.advance(1000);
  assertEquals(changes(), 3);
  assertEquals(endpoint.run(5), 2);
});

test("a limit that is lowered while nothing waits does not start a timer", () => {
  const { clock, gate, endpoint } = setUp({ limit: 4, per: "10s" });
  endpoint.run(1);
  gate.setLimit(2);
  assertEquals(clock.waiting, 0);
  assert(gate.open());
});

test("an endpoint that starts some all the same waits longer", () => {
  const { clock, gate, endpoint, changes } = setUp({ limit: 1, per: "1s" });
  endpoint.start();
  clock.advance(500);
  endpoint.start();
  assertEquals(clock.waiting, 1);
  clock.advance(500);
  assert(!gate.open());
  assertEquals(changes(), 0);
  clock.advance(500);
  assertEquals(changes(), 1);
  assert(gate.open());
});

test("a closed gate leaves no timer and says nothing more", () => {
  const { clock, gate, endpoint, changes } = setUp({ limit: 1, per: "1s" });
  endpoint.run(1);
  gate.close();
  gate.close();
  assertEquals(clock.waiting, 0);
  gate.setLimit(1);
  endpoint.start();
  assertEquals(clock.waiting, 0);
  clock.advance(5000);
  assertEquals(changes(), 0);
});

test("options that cannot work are refused by name", () => {
  for (const limit of [0, -1, 1.5, NaN, Infinity, "5" as never, undefined as never]) {
    assertThrows(() => setUp({ limit, per: "1s" }), ConfigurationError, "{ limit } of a rate limit");
    assertThrows(() => setUp({ limit: 1, per: "1s" }).gate.setLimit(limit), ConfigurationError, "{ limit }");
  }
  assertThrows(() => setUp({ limit: 1, per: 0 }), ConfigurationError, "{ per } of a rate limit");
  assertThrows(() => setUp({ limit: 1, per: "1 s" as "1s" }), InvalidDurationError);
});
