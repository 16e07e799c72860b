import { assertEquals } from "@std/assert";
import { isPromise } from "../../src/values/awaitable.ts";
import { test } from "../support/runner.ts";

test("promises and what has a then to call are awaited", () => {
  const thenable = Object.assign(() => {}, { then: () => {} });
  for (
    const value of [Promise.resolve(), { then: () => {} }, thenable, new (class extends Promise<void> {})(() => {})]
  ) {
    assertEquals(isPromise<unknown>(value), true);
  }
});

test("plain values are not awaited", () => {
  for (const value of [undefined, null, 0, "then", true, 5n, Symbol("s"), {}, [], { then: 5 }, () => {}]) {
    assertEquals(isPromise<unknown>(value), false);
  }
});
