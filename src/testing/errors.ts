/** Errors of the test harness. @module */
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
