/** How lists travel in statements. */
import { assertEquals } from "@std/assert";
import { listFrom, listOf } from "../../../stores/postgres/statement.ts";
import { test } from "../../support/runner.ts";

test("a list is the text of an array, whatever its texts hold", () => {
  assertEquals(listOf([]), "{}");
  assertEquals(listOf(["a", "", "NULL", "b,c", "{d}"]), '{"a","","NULL","b,c","{d}"}');
  assertEquals(listOf([0, -1.5, 9_007_199_254_740_991]), "{0,-1.5,9007199254740991}");
  assertEquals(listOf(['say "x"', "\\", '\\"', '"\\\\"']), String.raw`{"say \"x\"","\\","\\\"","\"\\\\\""}`);
  assertEquals(listFrom([{ id: 'a"' }, { id: "b" }], ({ id }) => id), String.raw`{"a\"","b"}`);
});
