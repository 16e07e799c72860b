/** Time in a conformance suite: virtual or real, waited for in the same way. */
import { systemClock } from "../../src/runtime/system_clock.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { turn } from "../../src/testing/turn.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";

/** A clock on which a suite can wait. */
export interface TestClock extends Clock {
  /** Whether time passes at no cost, so that a case may wait for years. */
  readonly virtual: boolean;
  /** Lets time pass, in milliseconds, and what is ready go on; 0: only the latter. */
  pass(ms: number): Promise<void>;
  /** How many timers there are; `undefined`: not known. */
  readonly pending: number | undefined;
}

/** For what keeps no time but the clock's. */
export function virtualTime(clock: VirtualClock = new VirtualClock()): TestClock {
  return {
    virtual: true,
    now: () => clock.now(),
    at: (time, run) => clock.at(time, run),
    background: clock.background,
    pass: (ms) => clock.advanceTo(clock.now() + ms, turn),
    get pending() {
      return clock.pending;
    },
  };
}

/** For real brokers. */
export function realTime(): TestClock {
  return {
    virtual: false,
    now: () => systemClock.now(),
    at: (time, run) => systemClock.at(time, run),
    pass: (ms) => ms === 0 ? turn() : new Promise((resolve) => systemClock.at(systemClock.now() + ms, resolve)),
    pending: undefined,
  };
}

/**
 * Lets time pass until `condition` holds, looking often.
 *
 * @param within milliseconds; then it throws, naming `what` was awaited
 */
export async function eventually(
  clock: TestClock,
  what: string,
  condition: () => boolean | Promise<boolean>,
  within = 10_000,
): Promise<void> {
  const step = 20;
  for (let waited = 0;; waited += step) {
    await clock.pass(0);
    if (await condition()) return;
    if (waited >= within) throw new Error(`Waited ${within} ms in vain: ${what}`);
    await clock.pass(step);
  }
}
