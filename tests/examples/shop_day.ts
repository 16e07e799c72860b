/** A day of the shop, as a program of its own. */
import { assertEquals, assertMatch } from "@std/assert";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runtime } from "../support/runner.ts";
import { runtimeCommand } from "../support/runtimes.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs the program, and gives its status and what it said. */
export function day(...args: readonly string[]): Promise<Day> {
  return dayUntil(undefined, ...args);
}

/** What a day comes to. */
export interface Day {
  readonly status: unknown;
  readonly output: string;
}

/** The same; kills the program once it has said that. */
export async function dayUntil(said: RegExp | undefined, ...args: readonly string[]): Promise<Day> {
  const [command, ...first] = runtimeCommand(runtime);
  const flags = {
    deno: ["run", "-A", "--no-check"],
    bun: [],
    node: ["--import", "./tests/support/resolve_imports.ts"],
  };
  const options = [...first, ...flags[runtime], "examples/orders/main.ts", "--orders", "60", ...args];
  const child = spawn(command, options, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const hear = (text: string): void => {
    output += text;
    if (said?.test(output)) child.kill("SIGKILL");
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  const status = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  return { status, output };
}

/** That it went as it should. */
export function balances({ status, output }: { readonly status: unknown; readonly output: string }): void {
  assertMatch(output, /the worker is killed, \d+ of 60[^]*every order has its outcome[^]*it balances to the cent/);
  assertEquals(status, 0);
}
