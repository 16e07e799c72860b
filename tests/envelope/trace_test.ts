import { assertEquals } from "@std/assert";
import { traceOf } from "../../src/envelope/trace.ts";
import type { NativeValue } from "../../src/spi/frame.ts";
import { test } from "../support/runner.ts";

const [trace, span] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
const good = `00-${trace}-${span}-01`;

test("trace context and baggage are passed on as they came", () => {
  const headers = { traceparent: good, tracestate: "vendor=1,other=2", baggage: "user=42;p=1,tenant=acme" };
  assertEquals(traceOf(headers), headers);
});

test("a message without any has none", () => {
  assertEquals(traceOf({ tenant: "acme" }), undefined);
});

const bad: readonly [string, NativeValue][] = [
  ["a zero trace id", `00-${"0".repeat(32)}-${span}-01`],
  ["a zero span id", `00-${trace}-${"0".repeat(16)}-01`],
  ["version ff", `ff-${trace}-${span}-01`],
  ["upper-case hex", good.toUpperCase()],
  ["more than its version has", `${good}-extra`],
  ["three fields", `00-${trace}-${span}`],
  ["nothing in it", ""],
  ["a number", 42],
  ["a line break behind it", `${good}\n`],
  ["a line break in what a later version adds", `cc-${trace}-${span}-01-a\nb`],
];
for (const [what, traceparent] of bad) {
  test(`a traceparent with ${what} is left out, with its tracestate; the baggage goes on`, () => {
    assertEquals(traceOf({ traceparent, tracestate: "a=1", baggage: "user=42" }), {
      traceparent: undefined,
      tracestate: undefined,
      baggage: "user=42",
    });
    assertEquals(traceOf({ traceparent, tracestate: "a=1" }), undefined);
  });
}

test("a traceparent of a later version may say more", () => {
  for (const later of [`cc-${trace}-${span}-01-what`, `01-${trace}-${span}-01`]) {
    assertEquals(traceOf({ traceparent: later })?.traceparent, later);
  }
});

test("bytes are decoded as text", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  assertEquals(traceOf({ traceparent: bytes(good), baggage: bytes("a=é") }), {
    traceparent: good,
    tracestate: undefined,
    baggage: "a=é",
  });
});

test("what is longer than W3C asks to pass on, or would break a header, is dropped and harms nothing", () => {
  const of = (tracestate: string, baggage: string) => traceOf({ traceparent: good, tracestate, baggage });
  const alone = { traceparent: good, tracestate: undefined, baggage: undefined };
  assertEquals(of("a".repeat(513), "b".repeat(8193)), alone);
  assertEquals(of("a=\u0000", "b=1\r\nx: y"), alone);
  assertEquals(of("", ""), alone);
  assertEquals(of("a".repeat(512), "b".repeat(8192))?.baggage?.length, 8192);
  assertEquals(of("a", "a=1,,=x,b=2")?.baggage, "a=1,,=x,b=2");
});
