import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError } from "../../src/errors/configuration.ts";
import { type Duration, formatDuration, milliseconds } from "../../src/values/duration.ts";
import { test } from "../support/runner.ts";

test("a duration is read in each unit", () => {
  const expected: [Duration, number][] = [
    [0, 0],
    [-0, 0],
    [1500, 1500],
    ["0ms", 0],
    ["250ms", 250],
    ["5s", 5000],
    ["1m", 60_000],
    ["2h", 7_200_000],
    ["7d", 604_800_000],
    ["1.5h", 5_400_000],
    ["180d", 15_552_000_000],
  ];
  for (const [duration, wanted] of expected) assertEquals(milliseconds(duration), wanted, String(duration));
});

test("a duration is rounded up to whole milliseconds, and never by a rounding error of doubles", () => {
  assertEquals(milliseconds(0.4), 1);
  assertEquals(milliseconds(1500.7), 1501);
  assertEquals(milliseconds("0.4ms"), 1);
  assertEquals(milliseconds("1.0005s"), 1001);
  assertEquals(milliseconds("0.0011h"), 3960, "0.0011 * 3,600,000 is 3,960.0000000000005 as doubles");
  assertEquals(milliseconds("0.00000000000000000001ms"), 1);
});

test("what is not a duration is refused with what to give instead", () => {
  const wrong: unknown[] = [
    ...[-1, NaN, Infinity, -Infinity, 8.64e15 + 2, 1e300],
    ...[
      "",
      " ",
      "5",
      "5 s",
      " 5s",
      "5s ",
      "5s\n",
      "-5s",
      "+5s",
      "1e3s",
      "0x10s",
      ".5s",
      "5.s",
      "5S",
      "5sec",
      "1h30m",
      "٥s",
    ],
    ...["100000001d", `${"9".repeat(400)}ms`, "NaNs", "Infinityms"],
    ...[undefined, null, true, 5n, Symbol("s"), {}, [5], new Date(), () => 5],
  ];
  for (const value of wrong) {
    const error = assertThrows(() => milliseconds(value as Duration), InvalidDurationError, "Give milliseconds");
    assertInstanceOf(error, ConfigurationError);
    assertEquals(error.code, "HERO_INVALID_DURATION");
    assertEquals(error.details.value, value);
  }
  assertThrows(() => milliseconds(NaN), InvalidDurationError, "Cannot use NaN as a duration: it is not finite");
  assertThrows(() => milliseconds(-1), InvalidDurationError, "Cannot use -1 as a duration: it is negative");
  assertThrows(() => milliseconds("5 s" as Duration), InvalidDurationError, `"5 s"`);
});

test("the longest duration is as long as a Date reaches", () => {
  assertEquals(milliseconds(8.64e15), 8.64e15);
  assertEquals(milliseconds("100000000d"), 8.64e15);
});

test("a formatted duration is short and reads back as the same", () => {
  assertEquals(formatDuration(0), "0ms");
  assertEquals(formatDuration(90_000), "90s");
  assertEquals(formatDuration(60_000), "1m");
  for (const duration of [0, 1, 999, 1000, 1001, 61_000, 3_600_000, 86_400_000, 8.64e15, 123_456_789]) {
    assertEquals(milliseconds(formatDuration(duration)), duration);
  }
});
