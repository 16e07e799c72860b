/** Starts programs on a runtime, each in a process of its own. @module */
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeCommand, type RuntimeName } from "../../tests/support/runtimes.ts";

export type { RuntimeName };

const executables = new Map<RuntimeName, string>();

/** The runtime's own executable: a launcher before it (`npx`) would be measured, too. */
function executable(runtime: RuntimeName): string {
  let path = executables.get(runtime);
  if (path === undefined) {
    const [command, ...first] = runtimeCommand(runtime);
    const evaluate = runtime === "deno"
      ? ["eval", "console.log(Deno.execPath())"]
      : ["-e", "console.log(process.execPath)"];
    const { status, stdout, stderr } = spawnSync(command, [...first, ...evaluate], { encoding: "utf8" });
    path = stdout.trim().split("\n").at(-1) ?? "";
    if (status !== 0 || path === "") {
      throw new Error(`Cannot start ${runtime}: install it, or let npx do so\n${stderr}`);
    }
    executables.set(runtime, path);
  }
  return path;
}

/** A program of the benches. */
export interface Program {
  readonly file: URL;
  readonly args?: readonly string[];
  /** For V8, so for Deno and Node alone. */
  readonly v8?: readonly string[];
}

/** The command that runs a program. */
export function commandOf(runtime: RuntimeName, { file, args = [], v8 = [] }: Program): readonly [string, ...string[]] {
  const path = fileURLToPath(file);
  switch (runtime) {
    case "deno": {
      const flags = v8.length === 0 ? [] : [`--v8-flags=${v8.join(",")}`];
      // The peers have a node_modules of their own, which Deno looks into only where npm keeps it ("manual").
      return [executable("deno"), "run", "-A", "--quiet", "--node-modules-dir=manual", ...flags, path, ...args];
    }
    case "node":
      return [executable("node"), "--disable-warning=ExperimentalWarning", ...v8, path, ...args];
    case "bun":
      return [executable("bun"), path, ...args];
  }
}

/** What a process said, and when it said the first word. */
export interface Output {
  readonly stdout: string;
  /** From the start of the process to the first byte it wrote. */
  readonly firstByteMs: number;
}

/**
 * Runs a command to its end.
 *
 * @throws {Error} with what it wrote to stderr, if it does not exit with 0 or takes longer than ten minutes
 */
export function execute(
  [command, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Promise<Output> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    let firstByteMs = NaN;
    let stdout = "";
    let stderr = "";
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 600_000,
      env: { ...process.env, ...env },
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout === "") firstByteMs = performance.now() - begin;
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve({ stdout, firstByteMs });
      else reject(new Error(`${[command, ...args].join(" ")} ended with ${signal ?? code}\n${stderr}`));
    });
  });
}

/** The last line of what was said, as JSON. */
export function lastLine(stdout: string): unknown {
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}
