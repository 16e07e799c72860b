/** What a unit of a delivery hears of its end. */
import { assert, assertEquals } from "@std/assert";
import { DeliveryScope, type ScopeSource } from "../../src/outbox/delivery_scope.ts";
import type { Endable } from "../../src/spi/store.ts";
import { test } from "../support/runner.ts";

/** A source that counts the signals that were made, each with its attempt. */
function source() {
  const made: AbortController[] = [];
  const own: ScopeSource & { aborted: Error | undefined; made: readonly AbortController[] } = {
    made,
    aborted: undefined,
    ending: undefined,
    get signal() {
      made.push(new AbortController());
      return made.at(-1)!.signal; // just made
    },
  };
  return own;
}
const unit = (heard: unknown[]): Endable => ({ end: (cause) => heard.push(cause) });

test("a unit hears of its end with no signal made, at once where that was before", () => {
  const own = source();
  const scope = new DeliveryScope("bus", "p", [], own, 1);
  const heard: unknown[] = [];
  scope.listen(unit(heard));
  assertEquals([heard, own.made.length], [[], 0]);
  own.aborted = new Error("over");
  scope.listen(unit(heard));
  assertEquals([heard, own.made.length], [[own.aborted], 0]);
});

test("a unit that has taken the place of another is not forgotten with that", () => {
  const own = source();
  const scope = new DeliveryScope("bus", "p", [], own, 1);
  const [first, second] = [unit([]), unit([])];
  scope.listen(first);
  scope.listen(second);
  scope.forget(first);
  assertEquals(own.ending, second);
  scope.forget(second);
  assertEquals(own.ending, undefined);
});

test("its signal stays that of its attempt when the next one has another", () => {
  const scope = new DeliveryScope("bus", "p", [], source(), 1);
  const { signal } = scope;
  assert(scope.signal === signal);
});
