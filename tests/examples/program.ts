/** Runs examples as their users do: each as a program of its own. */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "../support/runner.ts";
import { runtimeCommand } from "../support/runtimes.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What a program comes to. */
export interface Ended {
  readonly status: unknown;
  /** All that it said. */
  readonly output: string;
}

/** How it is run. */
export interface RunOptions {
  /** Kills it once it has said that. */
  readonly until?: RegExp | undefined;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs `examples/<example>/main.ts`, and gives its status and what it said. */
export async function run(
  example: string,
  args: readonly string[],
  { until, environment = {} }: RunOptions = {},
): Promise<Ended> {
  const [command, ...first] = runtimeCommand(runtime);
  const flags = {
    deno: ["run", "-A", "--no-check"],
    bun: [],
    node: ["--import", "./tests/support/resolve_imports.ts"],
  };
  const child = spawn(command, [...first, ...flags[runtime], `examples/${example}/main.ts`, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let output = "";
  const hear = (text: string): void => {
    output += text;
    if (until?.test(output)) child.kill("SIGKILL");
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  const status = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  return { status, output };
}
