/** What the unit of an attempt hears of its end. */
import { assert, assertEquals } from "@std/assert";
import type { Storage } from "../../src/outbox/storage.ts";
import { Attempt } from "../../src/outbox/unit_stage.ts";
import type { Consumption } from "../../src/pipeline/consumption.ts";
import type { Endable } from "../../src/spi/store.ts";
import { test } from "../support/runner.ts";

/** A delivery that counts the signals that were made, each for its attempt. */
function delivery() {
  const made: AbortController[] = [];
  return {
    services: { look: { now: () => 0 } },
    definition: { kind: "query" },
    attempt: 1,
    made,
    aborted: undefined as Error | undefined,
    ending: undefined as Endable | undefined,
    get signal() {
      made.push(new AbortController());
      return made.at(-1)!.signal; // just made
    },
  };
}
/** It reads nothing else of its delivery, and nothing of its storage. */
function attemptAt(own: ReturnType<typeof delivery>): Attempt {
  return new Attempt(own as unknown as Consumption, {} as Storage);
}
const unit = (heard: unknown[]): Endable => ({ end: (cause) => heard.push(cause) });

test("a unit hears of its end with no signal made, at once where that was before", () => {
  const own = delivery();
  const attempt = attemptAt(own);
  const heard: unknown[] = [];
  attempt.listen(unit(heard));
  assertEquals([heard, own.made.length], [[], 0]);
  own.aborted = new Error("over");
  attempt.listen(unit(heard));
  assertEquals([heard, own.made.length], [[own.aborted], 0]);
});

test("a unit that has taken the place of another is not forgotten with that", () => {
  const own = delivery();
  const attempt = attemptAt(own);
  const [first, second] = [unit([]), unit([])];
  attempt.listen(first);
  attempt.listen(second);
  attempt.forget(first);
  assertEquals(own.ending, second);
  attempt.forget(second);
  assertEquals(own.ending, undefined);
});

test("its signal stays that of its attempt when the next one has another", () => {
  const attempt = attemptAt(delivery());
  const { signal } = attempt;
  assert(attempt.signal === signal);
});
