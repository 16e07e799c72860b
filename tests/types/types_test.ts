import { assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { runtime, test } from "../support/runner.ts";

const skip = runtime === "deno" ? undefined : "only Deno checks types";

/** What the compiler has against a file; empty: nothing. */
function complaints(file: string): string {
  const path = new URL(file, import.meta.url).pathname;
  const { status, stderr } = spawnSync(process.execPath, ["check", path], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return status === 0 ? "" : stderr;
}

test("an application without casts compiles", () => {
  assertEquals(complaints("must_compile.ts"), "");
}, { skip, timeoutInMs: 300_000 });

test("each typical mistake is refused by the compiler", () => {
  assertEquals(complaints("must_not_compile.ts"), "");
}, { skip, timeoutInMs: 300_000 });
