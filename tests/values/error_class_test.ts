import { assertEquals } from "@std/assert";
import { ConflictError } from "../../src/errors/store.ts";
import { HeroError } from "../../src/errors/hero_error.ts";
import { matches } from "../../src/values/error_class.ts";
import { test } from "../support/runner.ts";

class TransientError extends Error {}
class NetworkError extends TransientError {}

test("an error matches its class and that class' bases", () => {
  assertEquals(matches(new NetworkError(), [NetworkError]), true);
  assertEquals(matches(new NetworkError(), [TypeError, TransientError]), true);
  assertEquals(matches(new TransientError(), [NetworkError]), false);
  assertEquals(matches(new ConflictError("saga"), [HeroError]), true);
  assertEquals(matches(new NetworkError(), []), false);
});

test("an error matches by what caused it, at any depth", () => {
  const root = new NetworkError();
  assertEquals(matches(new Error("a", { cause: new Error("b", { cause: root }) }), [TransientError]), true);
  assertEquals(matches(new Error("a", { cause: new Error("b") }), [TransientError]), false);
  assertEquals(matches({ cause: root }, [TransientError]), true);
});

test("endless chains of causes, throwing getters and non-errors do no harm", () => {
  const cyclic = new Error("a");
  cyclic.cause = new Error("b", { cause: cyclic });
  assertEquals(matches(cyclic, [TransientError]), false);
  const throwing = Object.defineProperty(new Error("a"), "cause", {
    get() {
      throw new Error("no");
    },
  });
  assertEquals(matches(throwing, [TransientError]), false);
  for (const value of [undefined, null, "text", 5, 5n, {}, () => {}]) assertEquals(matches(value, [Error]), false);
});
