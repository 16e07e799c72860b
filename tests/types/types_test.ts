import { assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime, test } from "../support/runner.ts";

const skip = runtime === "deno" ? undefined : "only Deno checks types";
const folder = fileURLToPath(new URL(".", import.meta.url));

/** What the compiler has against some files; empty: nothing. */
function complaints(...files: readonly string[]): string {
  const { status, stderr } = spawnSync(process.execPath, ["check", ...files], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return status === 0 ? "" : stderr;
}

test("an application without casts compiles", () => {
  assertEquals(complaints("must_compile.ts", "must_compile_sagas.ts"), "");
}, { skip, timeoutInMs: 300_000 });

test("each typical mistake is refused by the compiler", () => {
  assertEquals(complaints("must_not_compile.ts", "must_not_compile_sagas.ts"), "");
}, { skip, timeoutInMs: 300_000 });
