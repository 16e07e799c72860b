import { assertEquals, assertThrows } from "@std/assert";
import { InvalidInstantError } from "../../src/errors/configuration.ts";
import { epochMilliseconds, type Instant } from "../../src/values/instant.ts";
import { test } from "../support/runner.ts";

test("a Date, and anything with epochMilliseconds, is an instant", () => {
  assertEquals(epochMilliseconds(new Date(1_735_689_600_000)), 1_735_689_600_000);
  assertEquals(epochMilliseconds({ epochMilliseconds: -5 }), -5);
  assertEquals(epochMilliseconds({ epochMilliseconds: 5.2 }), 6);
  assertEquals(epochMilliseconds({ epochMilliseconds: -0.5 }), 0);
  assertEquals(epochMilliseconds(new Date(8.64e15)), 8.64e15);
});

test("an instant of Temporal fits where the runtime has it", () => {
  const { Temporal } = globalThis as { Temporal?: { Instant: { from(text: string): Instant } } };
  if (Temporal === undefined) return;
  assertEquals(epochMilliseconds(Temporal.Instant.from("2025-01-01T00:00:00Z")), 1_735_689_600_000);
});

test("what is not an instant is refused with what to give instead", () => {
  const wrong: unknown[] = [
    ...[new Date(NaN), { epochMilliseconds: NaN }, { epochMilliseconds: Infinity }, { epochMilliseconds: 8.64e15 + 2 }],
    ...[
      { epochMilliseconds: "5" },
      { epochMilliseconds: 5n },
      {},
      [],
      5,
      "2025-01-01",
      undefined,
      null,
      5n,
      Symbol("s"),
    ],
  ];
  for (const value of wrong) {
    const error = assertThrows(() => epochMilliseconds(value as Instant), InvalidInstantError, "Give a valid Date");
    assertEquals(error.code, "HERO_INVALID_INSTANT");
  }
  assertThrows(() => epochMilliseconds(new Date(NaN)), InvalidInstantError, "an invalid Date");
});
