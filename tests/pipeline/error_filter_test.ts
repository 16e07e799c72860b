import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { HeroError } from "../../src/errors/hero_error.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import { createErrorFilter, type RetryFilter } from "../../src/pipeline/error_filter.ts";
import { test } from "../support/runner.ts";

class CardError extends Error {}
class CardExpiredError extends CardError {}

function counts(filter: RetryFilter, error: Error): boolean {
  return createErrorFilter(filter, "a test")(error);
}

test("without handle and ignore every error counts", () => {
  assert(counts({}, new Error()));
  assert(counts({}, new CardError()));
});

test("handle lets its classes and their subclasses count, and nothing else", () => {
  assert(counts({ handle: [CardError] }, new CardError()));
  assert(counts({ handle: [CardError] }, new CardExpiredError()));
  assert(!counts({ handle: [CardError] }, new Error()));
  assert(!counts({ handle: [CardExpiredError] }, new CardError()));
  assert(counts({ handle: [Error] }, new CardError()), "built-in classes are classes, not predicates");
  assert(!counts({ handle: [] }, new Error()), "an empty list lets nothing count");
});

test("ignore wins over handle", () => {
  const filter = { handle: [CardError], ignore: [CardExpiredError] };
  assert(counts(filter, new CardError()));
  assert(!counts(filter, new CardExpiredError()));
});

test("an error is what its causes are, too", () => {
  const wrapped = new Error("outer", { cause: new Error("middle", { cause: new CardExpiredError() }) });
  assert(counts({ handle: [CardError] }, wrapped));
  assert(!counts({ ignore: [CardError] }, wrapped));
  assert(counts({ handle: [(error) => error.message === "middle"] }, wrapped));
});

test("a cause that is the error itself ends the search", () => {
  const error = new Error("round");
  error.cause = error;
  assert(!counts({ handle: [CardError] }, error));
});

test("a predicate is asked of errors only, not of causes that are something else", () => {
  const asked: unknown[] = [];
  const error = new Error("outer", { cause: "a text" });
  const predicate = (each: Error) => {
    asked.push(each);
    return false;
  };
  assert(!counts({ handle: [predicate] }, error));
  assertEquals(asked, [error]);
});

test("a predicate may be a function of any kind", () => {
  const byFunction = function (error: Error): boolean {
    return error.message === "yes";
  };
  assert(counts({ handle: [byFunction] }, new Error("yes")));
  assert(!counts({ handle: [byFunction] }, new Error("no")));
  assert(counts({ handle: [byFunction.bind(undefined)] }, new Error("yes")));
});

test("a class of an old compiler, a plain function, is a class", () => {
  // deno-lint-ignore no-explicit-any -- what such compilers emit has no types
  const Old: any = function OldError(this: object) {};
  Old.prototype = Object.create(Error.prototype);
  assert(counts({ handle: [Old] }, new Old()));
  assert(!counts({ handle: [Old] }, new Error()));
});

test("a class that does not inherit from this realm's Error is a class, and is not called", () => {
  abstract class FromElsewhere implements Error {
    abstract readonly name: string;
    abstract readonly message: string;
    static [Symbol.hasInstance](value: unknown): boolean {
      return value instanceof Error && value.name === "FromElsewhere";
    }
  }
  assert(counts({ handle: [FromElsewhere] }, Object.assign(new Error(), { name: "FromElsewhere" })));
  assert(!counts({ handle: [FromElsewhere] }, new Error()));
});

test("errors of the library count by their base", () => {
  assert(counts({ handle: [HeroError] }, new UnroutableError("a", "queue:a")));
  assert(!counts({ handle: [HeroError] }, new Error()));
});

test("a predicate that throws has said false", () => {
  const throwing = () => {
    throw new Error("in the filter");
  };
  assert(!counts({ handle: [throwing] }, new Error()));
  assert(counts({ ignore: [throwing] }, new Error()));
});

test("what is neither class nor function is refused by name", () => {
  const error = assertThrows(
    () => createErrorFilter({ ignore: [Error, undefined as never] }, "retry.immediate"),
    ConfigurationError,
  );
  assertStringIncludes(error.message, "ignore[1] of retry.immediate");
  assertThrows(() => createErrorFilter({ handle: CardError as never }, "a test"), ConfigurationError, "not a list");
});
