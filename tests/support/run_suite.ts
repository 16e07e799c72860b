/**
 * Runs the suite on Bun or Node and counts: `run_suite.ts bun|node [file…]`. Ends with `bun: 412 passed, 0 failed, 3
 * skipped`; fails if a test fails, or if none ran.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import { runtimeCommand } from "./runtimes.ts";

/** What a run came to. */
interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}
/** How a runtime is told to run tests, and how it says what came of them. */
interface Runner {
  readonly args: readonly string[];
  /** Whether it runs one file after the other, and is started several times to do more. */
  readonly oneByOne: boolean;
  /** Line starts of the summary, with the number as first group. */
  readonly passed: RegExp;
  readonly failed: RegExp;
  readonly skipped: RegExp;
}
/** So many files at once, as `deno test --parallel` has it. */
const atOnce = availableParallelism();
const runners: Readonly<Record<"bun" | "node", Runner>> = {
  bun: {
    args: ["test"], // bunfig.toml names what is loaded first
    oneByOne: true,
    passed: /^ *(\d+) pass$/gm,
    failed: /^ *(\d+) fail$/gm,
    skipped: /^ *(\d+) skip$/gm,
  },
  node: {
    // A file that never ends is ended, as its runner waits for it.
    args: [
      "--expose-gc",
      "--import",
      "./tests/support/resolve_imports.ts",
      "--test",
      "--test-timeout=600000",
      `--test-concurrency=${atOnce}`,
    ],
    oneByOne: false,
    passed: /^\D{1,2}pass (\d+)$/gm,
    failed: /^\D{1,2}(?:fail|cancelled) (\d+)$/gm,
    skipped: /^\D{1,2}(?:skipped|todo) (\d+)$/gm,
  },
};

/** Runs it, shows what it says, and gives that back. */
function run(command: readonly [string, ...string[]]): Promise<{ readonly status: number; readonly said: string }> {
  const [program, ...args] = command;
  const ended = Promise.withResolvers<{ readonly status: number; readonly said: string }>();
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  let said = "";
  for (const [stream, out] of [[child.stdout, process.stdout], [child.stderr, process.stderr]] as const) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      said += text;
      out.write(text);
    });
  }
  child.on("error", ended.reject);
  child.on("close", (status) => ended.resolve({ status: status ?? 1, said }));
  return ended.promise;
}

/** The last number that matches of each kind; several kinds of one are added. */
function tally(said: string, runner: Runner): Tally {
  // The summary stands at the end: a test's own output cannot come after it.
  const end = said.slice(-2_000_000);
  const sum = (pattern: RegExp) => {
    const last = new Map<string, number>();
    for (const match of end.matchAll(pattern)) last.set(match[0].replace(/\d+/, "#"), Number(match[1]));
    return [...last.values()].reduce((total, value) => total + value, 0);
  };
  return { passed: sum(runner.passed), failed: sum(runner.failed), skipped: sum(runner.skipped) };
}

/** In turn, so that neighbours, which take about as long, are apart. */
function dealt(files: readonly string[], hands: number): readonly (readonly string[])[] {
  return Array.from({ length: hands }, (_, hand) => files.filter((_, at) => at % hands === hand));
}

const [name, ...chosen] = process.argv.slice(2);
if (name !== "bun" && name !== "node") throw new Error('Say on what to run the suite: "bun" or "node"');
const files = chosen.length > 0
  ? chosen
  : globSync("tests/**/*_test.ts").filter((file) => !/^tests[\\/]failure[\\/]/.test(file)).sort();
const runner = runners[name];
const command = [...runtimeCommand(name), ...runner.args] as const;
const shares = runner.oneByOne ? dealt(files, Math.min(atOnce, files.length)) : [files];
const runs = await Promise.all(shares.map((share) => run([...command, ...share.map((file) => `./${file}`)])));
const tallies = runs.map(({ said }) => tally(said, runner));
const sum = (what: keyof Tally) => tallies.reduce((total, each) => total + each[what], 0);
console.log(`\n${name}: ${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
const ranNone = sum("passed") === 0;
if (ranNone) console.log(`No test passed on ${name}: the suite did not run`);
const status = runs.find(({ status }) => status !== 0)?.status ?? 0;
process.exit(status !== 0 || sum("failed") > 0 || ranNone ? status || 1 : 0);
