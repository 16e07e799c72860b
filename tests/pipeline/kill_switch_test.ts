import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError } from "../../src/errors/configuration.ts";
import type { Gate } from "../../src/pipeline/gate.ts";
import { createKillSwitch, type KillSwitchOptions } from "../../src/pipeline/kill_switch.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { GateDriver } from "../support/gate_driver.ts";
import { test } from "../support/runner.ts";

const failure = new Error("the disk is full");

function setUp(
  options: KillSwitchOptions = {},
): { readonly clock: FakeClock; readonly gate: Gate; readonly endpoint: GateDriver; readonly changes: () => number } {
  const clock = new FakeClock();
  let changes = 0;
  const gate = createKillSwitch(options, clock, () => changes++);
  return { clock, gate, endpoint: new GateDriver(gate), changes: () => changes };
}

test("a kill switch trips at a hundred messages of which 15 % failed, if not told otherwise", () => {
  const { gate, endpoint } = setUp();
  endpoint.run(85);
  endpoint.run(14, failure);
  assert(gate.open());
  assertEquals(gate.reason, undefined);
  endpoint.run(1, failure);
  assert(!gate.open());
  assert(gate.blocking);
  assertStringIncludes(gate.reason ?? "", "15 of 100 messages failed, the last with Error: the disk is full");
  assertStringIncludes(gate.reason ?? "", "restarts after 1m");
});

test("a fraction is reached exactly, also where binary fractions are not", () => {
  const { gate, endpoint } = setUp({ tripThreshold: 0.07 });
  endpoint.run(93);
  endpoint.run(7, failure);
  assert(!gate.open());
});

test("a kill switch does not trip below its fraction", () => {
  const { gate, endpoint } = setUp();
  endpoint.run(500);
  assertEquals(endpoint.run(88, failure), 88);
  assert(gate.open());
});

test("failures older than the tracking period do not count", () => {
  const { clock, gate, endpoint } = setUp({ activationThreshold: 10 });
  endpoint.run(9, failure);
  clock.advance(60_000);
  endpoint.run(9, failure);
  assert(gate.open());
});

test("after the restart timeout everything may start again, counted anew", () => {
  const { clock, gate, endpoint, changes } = setUp({ activationThreshold: 10, restartTimeout: "30s" });
  endpoint.run(100, failure);
  clock.advance(29_999);
  assert(!gate.open());
  assertEquals(changes(), 0);
  clock.advance(1);
  assert(gate.open());
  assert(!gate.blocking);
  assertEquals(gate.reason, undefined);
  assertEquals(changes(), 1);
  assertEquals(endpoint.run(100, failure), 10);
});

test("twenty that fail and twenty that do not are all handled in the end", () => {
  const { clock, gate, endpoint } = setUp({ activationThreshold: 5, restartTimeout: "1s" });
  let failed = 0;
  let trips = 0;
  while (failed < 20) {
    failed += endpoint.run(20 - failed, failure);
    if (!gate.open()) {
      trips++;
      assert(gate.reason !== undefined);
      clock.advance(1000);
    }
  }
  assertEquals(trips, 4);
  assertEquals(endpoint.run(20), 20);
  assertEquals(gate.reason, undefined);
});

test("what started before the switch tripped is not counted, however late it finishes", () => {
  const { clock, gate, endpoint } = setUp({ activationThreshold: 2, restartTimeout: "1s" });
  const early = Array.from({ length: 6 }, () => endpoint.start());
  early[0]?.(failure);
  early[1]?.(failure);
  early[2]?.(failure);
  assertEquals(clock.waiting, 1);
  clock.advance(1000);
  early[3]?.(failure);
  early[4]?.(failure);
  early[5]?.(failure);
  assert(gate.open());
});

test("errors that the filter leaves out, and messages that say nothing of the handler, are no failures", () => {
  const { gate, endpoint } = setUp({ activationThreshold: 2, handle: [TypeError] });
  endpoint.run(50, new RangeError());
  endpoint.run(50, new TypeError(), false);
  assert(gate.open());
  endpoint.run(50, new TypeError());
  assert(!gate.open());
});

test("a closed gate leaves no timer and says nothing more", () => {
  const { clock, gate, endpoint, changes } = setUp({ activationThreshold: 1 });
  endpoint.run(1, failure);
  gate.close();
  gate.close();
  assertEquals(clock.waiting, 0);
  clock.advance(3_600_000);
  assertEquals(changes(), 0);
});

test("options that cannot work are refused by name", () => {
  const refused = (options: KillSwitchOptions, name: string): void => {
    assertThrows(() => setUp(options), ConfigurationError, name);
  };
  refused({ activationThreshold: 0 }, "{ activationThreshold } of a kill switch");
  refused({ tripThreshold: 1.1 }, "tripThreshold");
  refused({ trackingPeriod: 0 }, "trackingPeriod");
  refused({ restartTimeout: 0 }, "restartTimeout");
  refused({ ignore: [3 as never] }, "ignore[0] of a kill switch");
  assertThrows(() => setUp({ restartTimeout: "-1s" }), InvalidDurationError);
});
