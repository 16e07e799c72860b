import { assert, assertEquals } from "@std/assert";
import { type ExceptionInfo, exceptionInfo } from "../../src/errors/exception_info.ts";
import { ConflictError } from "../../src/errors/store.ts";
import { test } from "../support/runner.ts";

class OrderError extends Error {}
const none = { stack: 0 };
const depthOf = (info: ExceptionInfo): number => info.cause === undefined ? 0 : 1 + depthOf(info.cause);

test("an error is told with its class, message, stack and causes", () => {
  const info = exceptionInfo(new OrderError("a", { cause: new TypeError("b", { cause: "c" }) }));
  assertEquals([info.type, info.message], ["OrderError", "a"]);
  assert(info.stack?.includes("exception_info_test"));
  assertEquals([info.cause?.type, info.cause?.message], ["TypeError", "b"]);
  assertEquals(info.cause?.cause, { type: "string", message: "c" });
  assertEquals(exceptionInfo(new ConflictError("x"), none).type, "ConflictError");
});

test("the name that an error gives itself comes before its class", () => {
  assertEquals(exceptionInfo(Object.assign(new OrderError("a"), { name: "Special" }), none).type, "Special");
  assertEquals(exceptionInfo(new DOMException("a", "AbortError"), none).type, "AbortError");
  assertEquals(exceptionInfo(Object.assign(new Error("a"), { name: "" }), none).type, "Error");
});

test("an aggregate error is told with its first error as the cause", () => {
  const info = exceptionInfo(new AggregateError([new TypeError("a"), new Error("b")], "two"), none);
  assertEquals(info, { type: "AggregateError", message: "two", cause: { type: "TypeError", message: "a" } });
  assertEquals(exceptionInfo(new AggregateError([], "none"), none), { type: "AggregateError", message: "none" });
});

test("anything that is thrown can be told", () => {
  const expected: [unknown, string, string][] = [
    ["text", "string", "text"],
    [5, "number", "5"],
    [5n, "bigint", "5"],
    [undefined, "undefined", "undefined"],
    [null, "null", "null"],
    [Symbol("s"), "symbol", "Symbol(s)"],
    [() => {}, "function", "a function"],
    [{ a: 1 }, "Object", `an object with the keys "a"`],
    [Object.create(null), "Error", "an object with the keys (none)"],
    [{ message: "m" }, "Object", "m"],
  ];
  for (const [thrown, type, message] of expected) assertEquals(exceptionInfo(thrown, none), { type, message });
});

test("long texts are cut, and say so", () => {
  const error = new Error("m".repeat(10_000));
  const info = exceptionInfo(error);
  assertEquals([info.message.length, info.stack?.length], [2048, 4096]);
  assert(info.message.endsWith("…") && info.stack?.endsWith("…"));
  assertEquals(exceptionInfo(error, { message: 10, stack: 20 }).message, "mmmmmmmmm…");
  assertEquals(exceptionInfo(new Error("12345"), { message: 5, stack: 0 }).message, "12345");
});

test("lone surrogates, also those that cutting makes, become U+FFFD", () => {
  assertEquals(exceptionInfo(new Error("a\ud800b"), none).message, "a\ufffdb");
  assertEquals(exceptionInfo(new Error("ab😀cd"), { message: 4, stack: 0 }).message, "ab\ufffd…");
  assertEquals(exceptionInfo(new Error("a\u0000b"), none).message, "a\u0000b");
});

test("chains of causes are followed to a depth, and cycles end", () => {
  let chain = new Error("0");
  for (let level = 1; level < 20; level++) chain = new Error(String(level), { cause: chain });
  assertEquals(depthOf(exceptionInfo(chain)), 5);
  assertEquals(depthOf(exceptionInfo(chain, { causes: 0 })), 0);
  const cyclic = new Error("a");
  cyclic.cause = new Error("b", { cause: cyclic });
  assertEquals(depthOf(exceptionInfo(cyclic)), 1);
  const own = new Error("own");
  own.cause = own;
  assertEquals(depthOf(exceptionInfo(own)), 0);
});

test("what throws when it is looked at is told as far as it goes", () => {
  const throwing = new Proxy(new Error("hidden"), {
    get() {
      throw new Error("no");
    },
    ownKeys() {
      throw new Error("no");
    },
    getPrototypeOf() {
      throw new Error("no");
    },
  });
  assertEquals(exceptionInfo(throwing), { type: "Error", message: "an object" });
  assertEquals(exceptionInfo(new Error("a", { cause: throwing }), none).cause?.message, "an object");
  assertEquals(exceptionInfo(new AggregateError([throwing], "a"), none).message, "a");
});
