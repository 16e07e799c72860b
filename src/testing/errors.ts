/** Errors of the test harness and of simulations. @module */
import { HeroError } from "../errors/hero_error.ts";

/** `settled()` has waited long enough, in real time, for something that does not end. */
export class HarnessTimeoutError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_HARNESS_TIMEOUT";
  /**
   * Puts it into words.
   *
   * @param waitedInMs how long, in real time
   * @param unfinished what does not end, one entry each
   * @param timeline what has happened, as a table
   */
  constructor(waitedInMs: number, unfinished: readonly string[], timeline: string) {
    super(
      `The harness did not settle within ${waitedInMs} ms of real time:\n${
        unfinished.map((each) => `- ${each}`).join("\n")
      }\nLet what waits go on, advance the clock where it waits for a time that is not its own, ` +
        `or give settled() a longer timeout\n\n${timeline}`,
      { details: { waitedInMs, unfinished } },
    );
  }
}

/** What a test expected of the messages of a contract is not so. */
export class HarnessAssertionError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_HARNESS_ASSERTION";
  /**
   * Puts it into words.
   *
   * @param expected as in `one published "orders.submitted"`
   * @param found how many there are
   * @param timeline what has happened, as a table
   */
  constructor(expected: string, found: number, timeline: string) {
    super(
      `Expected ${expected}, and there ${found === 1 ? "is 1" : `are ${found}`}. ` +
        `Look for it in what has happened, or await settled() first\n\n${timeline}`,
      { details: { expected, found } },
    );
  }
}

/** An instance of a simulated application has crashed: what it still does has no effect. */
export class InstanceCrashedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INSTANCE_CRASHED";
  /**
   * Puts it into words.
   *
   * @param instance its name
   * @param at what it was about to do, or had just done
   */
  constructor(instance: string, at: string) {
    super(`The instance "${instance}" has crashed at "${at}": it has no effect any more. Let it throw`, {
      details: { instance, at },
    });
  }
}

/** A simulation has come to what must not be. */
export class SimulationError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_SIMULATION";
  /** With it alone, `simulate({ seeds: [seed] }, …)` shows the same again. */
  readonly seed: number;
  /**
   * Puts it into words.
   *
   * @param problem what must not be
   * @param timeline what has happened, as a table
   */
  constructor(seed: number, problem: string, timeline: string, options?: ErrorOptions) {
    super(
      `Seed ${seed}: ${problem}\nRun it alone with simulate({ seeds: [${seed}], … })\n\n${timeline}`,
      { ...options, details: { seed, problem } },
    );
    this.seed = seed;
  }
}

/** What must always hold does not, after steps in some order. */
export class ExplorationError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_EXPLORATION";
  /** The steps, by name: no shorter order fails. */
  readonly order: readonly string[];
  /**
   * Puts it into words.
   *
   * @param order the steps that were taken, by name
   * @param problem what must not be
   * @param timeline what has happened, as a table
   */
  constructor(order: readonly string[], problem: string, timeline: string, options?: ErrorOptions) {
    super(
      `${problem}, after ${order.join(" → ") || "nothing"}\nNo shorter order fails. Take these steps in a test of ` +
        `their own to see why\n\n${timeline}`,
      { ...options, details: { order, problem } },
    );
    this.order = order;
  }
}
