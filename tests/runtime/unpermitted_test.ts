import { assertStringIncludes } from "@std/assert";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runtime, test } from "../support/runner.ts";
import { runtimeCommand } from "../support/runtimes.ts";

const program = fileURLToPath(new URL("unpermitted_program.ts", import.meta.url));
const skip = runtime === "deno" ? undefined : "only Deno asks for permissions";

/** What the program says when Deno grants no more than `flags`. */
function said(plugin: string, flags: readonly string[]): string {
  const [deno, ...first] = runtimeCommand("deno");
  const { stdout, stderr } = spawnSync(
    deno,
    [...first, "run", "--no-prompt", "--no-check", ...flags, program, plugin],
    {
      encoding: "utf8",
      timeout: 30_000,
    },
  );
  return `${stdout}${stderr}`;
}

for (
  const [plugin, given, missing, wanted] of [
    ["sqlite store", [], `Requires read access to "orders.db"`, "--allow-read and --allow-write"],
    ["sqlite store", ["--allow-read"], `Requires write access to "orders.db"`, "--allow-read and --allow-write"],
    ["sqlite transport", [], `Requires read access to "queues.db"`, "--allow-read and --allow-write"],
    ["postgres store", [], "Requires env access", "--allow-net and --allow-env"],
    ["postgres transport", ["--allow-env"], `Requires net access to "127.0.0.1:1"`, "--allow-net and --allow-env"],
    ["rabbitmq transport", [], `Requires net access to "127.0.0.1:1"`, "--allow-net"],
  ] as const
) {
  test(`${plugin}, with ${given.join(" ") || "no permission"}: the start ends, and says what to permit`, () => {
    const text = said(plugin, given);
    assertStringIncludes(text, "HERO_CONFIGURATION: ");
    assertStringIncludes(text, missing);
    assertStringIncludes(text, `takes ${wanted}`);
  }, { skip });
}
