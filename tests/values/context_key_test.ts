import { assertEquals } from "@std/assert";
import { contextKey } from "../../src/values/context_key.ts";
import { test } from "../support/runner.ts";

test("two keys of one name are two keys", () => {
  const values = new Map<object, string>([[contextKey<string>("tenant"), "a"], [contextKey<string>("tenant"), "b"]]);
  assertEquals(values.size, 2);
  assertEquals(contextKey<string>("tenant").name, "tenant");
});
