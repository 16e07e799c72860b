import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError } from "../../src/errors/configuration.ts";
import { type CircuitBreakerOptions, createCircuitBreaker } from "../../src/pipeline/circuit_breaker.ts";
import type { Gate } from "../../src/pipeline/gate.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { GateDriver } from "../support/gate_driver.ts";
import { test } from "../support/runner.ts";

const failure = new Error("the database is away");
interface Setup {
  readonly clock: FakeClock;
  readonly gate: Gate;
  readonly endpoint: GateDriver;
  /** How often the gate said that it has changed by itself. */
  readonly changes: () => number;
}

function setUp(options: CircuitBreakerOptions = {}): Setup {
  const clock = new FakeClock();
  let changes = 0;
  const gate = createCircuitBreaker(options, clock, () => changes++);
  return { clock, gate, endpoint: new GateDriver(gate), changes: () => changes };
}

/** One that has just opened. */
function setUpOpen(options: CircuitBreakerOptions = {}): Setup {
  const setup = setUp({ activeThreshold: 2, ...options });
  assertEquals(setup.endpoint.run(100, failure), 2);
  assertEquals(setup.gate.open(), false);
  return setup;
}

test("a breaker is closed at first", () => {
  const { gate, clock } = setUp();
  assert(gate.open());
  assert(!gate.blocking);
  assertEquals(gate.reason, undefined);
  assertEquals(clock.waiting, 0);
});

test("of a hundred failing messages a breaker lets ten start, if not told otherwise", () => {
  const { gate, endpoint, changes } = setUp();
  assertEquals(endpoint.run(100, failure), 10);
  assert(gate.blocking);
  assertStringIncludes(gate.reason ?? "", "open: 10 of 10 messages failed, the last with Error: the database is away");
  assertEquals(changes(), 0, "the endpoint itself caused the change");
});

test("a breaker opens when the fraction is reached, not below", () => {
  const { gate, endpoint } = setUp({ tripThreshold: 0.5, activeThreshold: 4 });
  endpoint.run(10);
  endpoint.run(9, failure);
  assert(gate.open());
  endpoint.run(1, failure);
  assert(!gate.open());
});

test("a breaker does not open on a success, even if it is what makes the attempts enough", () => {
  const { gate, endpoint } = setUp({ tripThreshold: 0.5, activeThreshold: 4 });
  endpoint.run(3, failure);
  endpoint.run(1);
  assert(gate.open());
  endpoint.run(1, failure);
  assert(!gate.open());
});

test("failures older than the tracking period do not count", () => {
  const { clock, gate, endpoint } = setUp({ trackingPeriod: "10s" });
  endpoint.run(9, failure);
  clock.advance(10_000);
  endpoint.run(9, failure);
  assert(gate.open());
  endpoint.run(1, failure);
  assert(!gate.open());
});

test("errors that the filter leaves out are no failures", () => {
  const { gate, endpoint } = setUp({ ignore: [RangeError], activeThreshold: 2, tripThreshold: 1 });
  endpoint.run(50, new RangeError("not the database's fault"));
  assert(gate.open());
});

test("messages that say nothing of the handler are no attempts", () => {
  const { gate, endpoint } = setUp({ activeThreshold: 2 });
  endpoint.run(50, failure, false);
  endpoint.run(50, undefined, false);
  assert(gate.open());
  assertEquals(endpoint.run(50, failure), 2);
});

test("an open breaker lets a probe through after the reset interval, never before, and says so", () => {
  const { clock, gate, changes } = setUpOpen({ resetInterval: "30s" });
  clock.advance(29_999);
  assert(!gate.open());
  assertEquals(changes(), 0);
  clock.advance(1);
  assert(gate.open());
  assert(!gate.blocking);
  assertEquals(changes(), 1);
  assertStringIncludes(gate.reason ?? "", "half-open");
});

test("a half-open breaker lets one probe through, and no second while it runs", () => {
  const { clock, gate, endpoint } = setUpOpen();
  clock.advance(60_000);
  endpoint.start();
  assert(!gate.open());
  assert(gate.blocking);
});

test("a probe that succeeds closes the breaker, which then counts anew", () => {
  const { clock, gate, endpoint } = setUpOpen();
  clock.advance(60_000);
  endpoint.run(1);
  assert(gate.open());
  assertEquals(gate.reason, undefined);
  endpoint.run(1, failure);
  assert(gate.open(), "one failure is below the active threshold again");
  endpoint.run(1, failure);
  assert(!gate.open());
});

test("a probe that fails opens the breaker again, for a whole interval", () => {
  const { clock, gate, endpoint, changes } = setUpOpen();
  clock.advance(60_000);
  endpoint.run(1, failure);
  assert(!gate.open());
  assertStringIncludes(gate.reason ?? "", "a probe failed");
  clock.advance(59_999);
  assert(!gate.open());
  clock.advance(1);
  assert(gate.open());
  assertEquals(changes(), 2);
});

test("a probe that says nothing of the handler is given back", () => {
  const { clock, gate, endpoint } = setUpOpen();
  clock.advance(60_000);
  assertEquals(endpoint.run(5, failure, false), 5);
  assertStringIncludes(gate.reason ?? "", "half-open");
  endpoint.run(1);
  assertEquals(gate.reason, undefined);
});

test("a probe that fails with an ignored error has reached the handler, and closes the breaker", () => {
  const { clock, gate, endpoint } = setUpOpen({ ignore: [RangeError] });
  clock.advance(60_000);
  endpoint.run(1, new RangeError());
  assertEquals(gate.reason, undefined);
});

test("all of several probes must succeed", () => {
  const { clock, gate, endpoint } = setUpOpen({ probes: 3 });
  clock.advance(60_000);
  const probes = [endpoint.start(), endpoint.start()];
  assert(gate.open());
  probes.push(endpoint.start());
  assert(!gate.open());
  probes[0]?.();
  assert(!gate.open(), "one that passed does not make room for a fourth");
  probes[2]?.();
  assertStringIncludes(gate.reason ?? "", "half-open");
  probes[1]?.();
  assertEquals(gate.reason, undefined);
  assert(gate.open());
});

test("of several probes one that fails opens the breaker, whatever the others do", () => {
  const { clock, gate, endpoint } = setUpOpen({ probes: 3 });
  clock.advance(60_000);
  const probes = [endpoint.start(), endpoint.start(), endpoint.start()];
  probes[0]?.();
  probes[1]?.(failure);
  assert(!gate.open());
  clock.advance(60_000);
  probes[2]?.();
  assertEquals(endpoint.run(2), 2);
  assertStringIncludes(gate.reason ?? "", "half-open", "the late probe of the round before is not of this one");
  endpoint.run(1);
  assertEquals(gate.reason, undefined);
});

test("what started before the breaker opened says nothing any more, however late it finishes", () => {
  const { clock, gate, endpoint, changes } = setUp({ activeThreshold: 2, resetInterval: "30s" });
  const early = Array.from({ length: 8 }, () => endpoint.start());
  early[0]?.(failure);
  early[1]?.(failure);
  assert(!gate.open());
  early[2]?.();
  early[3]?.(failure);
  assert(!gate.open(), "a success while open does not close it");
  assertEquals(clock.waiting, 1, "a failure while open does not open it again");
  clock.advance(30_000);
  early[4]?.();
  assertStringIncludes(gate.reason ?? "", "half-open", "a success of old is no probe's");
  early[5]?.(failure);
  assert(gate.open(), "a failure of old is no probe's");
  const probe = endpoint.start();
  early[6]?.();
  assert(!gate.open(), "one of old does not give a probe's place back");
  probe();
  assertEquals(gate.reason, undefined);
  early[7]?.(failure);
  endpoint.run(1, failure);
  assert(gate.open(), "a failure of old is not counted after closing either");
  assertEquals(changes(), 1);
});

test("the reset interval grows with openings in a row, and starts over once closed", () => {
  const { clock, gate, endpoint } = setUpOpen({ resetInterval: ["1s", "5s", "20s"] });
  for (const interval of [1000, 5000, 20_000, 20_000]) {
    clock.advance(interval - 1);
    assert(!gate.open());
    clock.advance(1);
    assert(gate.open());
    endpoint.run(1, failure);
  }
  clock.advance(20_000);
  endpoint.run(1);
  assertEquals(gate.reason, undefined);
  endpoint.run(2, failure);
  clock.advance(999);
  assert(!gate.open());
  clock.advance(1);
  assert(gate.open());
});

test("a closed gate leaves no timer and says nothing more", () => {
  const { clock, gate, endpoint, changes } = setUpOpen();
  gate.close();
  gate.close();
  assertEquals(clock.waiting, 0);
  clock.advance(3_600_000);
  assertEquals(changes(), 0);

  const late = setUp({ activeThreshold: 1 });
  const finish = late.endpoint.start();
  late.gate.close();
  finish(failure);
  assertEquals(late.clock.waiting, 0);
  assertEquals(endpoint.run(1), 0);
});

test("options that cannot work are refused by name", () => {
  const refused = (options: CircuitBreakerOptions, name: string): void => {
    assertThrows(() => setUp(options), ConfigurationError, name);
  };
  refused({ tripThreshold: 15 }, "{ tripThreshold } of a circuit breaker");
  refused({ tripThreshold: 0 }, "tripThreshold");
  refused({ tripThreshold: NaN }, "tripThreshold");
  refused({ activeThreshold: 0 }, "activeThreshold");
  refused({ probes: 0 }, "probes");
  refused({ probes: 1.5 }, "probes");
  refused({ trackingPeriod: 0 }, "trackingPeriod");
  refused({ resetInterval: 0 }, "resetInterval");
  refused({ resetInterval: [] }, "resetInterval");
  refused({ resetInterval: ["1s", 0] }, "resetInterval");
  refused({ handle: [undefined as never] }, "handle[0] of a circuit breaker");
  assertThrows(() => setUp({ resetInterval: "5 s" as "5s" }), InvalidDurationError);
});
