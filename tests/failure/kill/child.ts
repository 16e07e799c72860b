/** Processes of the runtime at hand. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runtime } from "../../support/runner.ts";
import { runtimeCommand } from "../../support/runtimes.ts";

const [command, ...first] = runtimeCommand(runtime);
const flags = runtime === "deno" ? ["run", "-A", "--no-check"] : [];

/** A process, and how it ends. */
export interface Child {
  readonly process: ChildProcess;
  /** The signal that has killed it; else `"well"`, or its status and what it said. */
  readonly ended: Promise<string>;
}

/** Starts a program of this folder. */
export function start(program: string, options: readonly (string | number)[]): Child {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(command, [...first, ...flags, path, ...options.map(String)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  child.stdout.resume();
  const ended = new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve(signal ?? (status === 0 ? "well" : `${status} ${errors}`)));
  });
  return { process: child, ended };
}
