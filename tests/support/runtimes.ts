/** Finds the runtimes: what is installed, else what npm brings. */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** A runtime to run something on. */
export type RuntimeName = "deno" | "bun" | "node";

/** The oldest that runs the sources as they are; npm's name of one that does. */
const wanted: Readonly<Record<RuntimeName, { readonly major: number; readonly minor: number; readonly npm: string }>> =
  {
    deno: { major: 2, minor: 9, npm: "deno@2" },
    bun: { major: 1, minor: 3, npm: "bun@1" },
    // 22.18 takes types away without being asked.
    node: { major: 22, minor: 18, npm: "node@24" },
  };

/**
 * The words that start a runtime: what is on the path if it is new enough, else through npm, which installs it on first
 * use.
 *
 * @example
 * ```ts
 * const [program, ...first] = runtimeCommand("node");
 * ```
 */
export function runtimeCommand(name: RuntimeName): readonly [string, ...string[]] {
  const { major, minor, npm } = wanted[name];
  const { status, stdout } = spawnSync(name, ["--version"], { encoding: "utf8" });
  const found = status === 0 ? /(\d+)\.(\d+)\./.exec(stdout) : null;
  if (found !== null) {
    const [foundMajor, foundMinor] = [Number(found[1]), Number(found[2])];
    if (foundMajor > major || (foundMajor === major && foundMinor >= minor)) return [name];
  }
  return [process.platform === "win32" ? "npx.cmd" : "npx", "-y", "-p", npm, "--", name];
}
