import { assertEquals, assertThrows } from "@std/assert";
import process from "node:process";
import { skipUnlessRequired } from "./required.ts";
import { test } from "./runner.ts";

function where<Result>(required: string | undefined, run: () => Result): Result {
  const before = process.env["HERO_SERVICES"];
  const set = (value: string | undefined) => {
    if (value === undefined) delete process.env["HERO_SERVICES"];
    else process.env["HERO_SERVICES"] = value;
  };
  set(required);
  try {
    return run();
  } finally {
    set(before);
  }
}

test("what is missing skips tests by its name, and fails a run that must have all", () => {
  assertEquals(where(undefined, () => skipUnlessRequired("no broker")), "no broker");
  assertThrows(() => where("required", () => skipUnlessRequired("no broker")), Error, "no broker");
  for (const required of [undefined, "required"]) {
    assertEquals(where(required, () => skipUnlessRequired(undefined)), undefined);
  }
});
