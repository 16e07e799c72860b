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
  /** Line starts of the summary, with the number as first group. */
  readonly passed: RegExp;
  readonly failed: RegExp;
  readonly skipped: RegExp;
}
/** So many processes at once: one more than there are cores, as one of them mostly waits for a server. */
const atOnce = availableParallelism() + 1;
/** So many files share a process, at most: to start one and to load the sources takes as long as most files. */
const filesEach = 12;
/** A process that does not end by then is ended: something that a test has left keeps it. */
const mostMinutesEach = 60;
const runners: Readonly<Record<"bun" | "node", Runner>> = {
  bun: {
    args: ["test"], // bunfig.toml names what is loaded first
    passed: /^ *(\d+) pass$/gm,
    failed: /^ *(\d+) fail$/gm,
    skipped: /^ *(\d+) skip$/gm,
  },
  node: {
    // A process for each file would spend twice as much on loading the sources as on the tests.
    args: ["--expose-gc", "--import", "./tests/support/resolve_imports.ts", "--test", "--test-isolation=none"],
    passed: /^\D{1,2}pass (\d+)$/gm,
    failed: /^\D{1,2}(?:fail|cancelled) (\d+)$/gm,
    skipped: /^\D{1,2}(?:skipped|todo) (\d+)$/gm,
  },
};

/** Runs it, shows what it has said when it has ended, and gives that back. */
function run(command: readonly [string, ...string[]]): Promise<{ readonly status: number; readonly said: string }> {
  const [program, ...args] = command;
  const ended = Promise.withResolvers<{ readonly status: number; readonly said: string }>();
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => void (said += text));
  }
  const late = setTimeout(() => {
    said += `\nIt did not end within ${mostMinutesEach} minutes and was ended: ${command.join(" ")}\n`;
    child.kill("SIGKILL");
  }, mostMinutesEach * 60_000);
  child.on("error", ended.reject);
  child.on("close", (status) => {
    clearTimeout(late);
    process.stdout.write(said);
    ended.resolve({ status: status ?? 1, said });
  });
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

/**
 * In shares for a process each, in order. They are taken from both ends: what needs a server stands at one end, and
 * mostly waits, so that it has the other core's work beside it.
 */
function shares(files: readonly string[]): readonly (readonly string[])[] {
  const each = Math.min(filesEach, Math.ceil(files.length / atOnce));
  return Array.from({ length: Math.ceil(files.length / each) }, (_, at) => files.slice(at * each, (at + 1) * each));
}

const [name, ...chosen] = process.argv.slice(2);
if (name !== "bun" && name !== "node") throw new Error('Say on what to run the suite: "bun" or "node"');
const files = chosen.length > 0
  ? chosen
  : globSync("tests/**/*_test.ts").filter((file) => !/^tests[\\/]failure[\\/]/.test(file)).sort();
const runner = runners[name];
const command = [...runtimeCommand(name), ...runner.args] as const;
const left = [...shares(files)];
const runs: { readonly status: number; readonly said: string }[] = [];
await Promise.all(Array.from({ length: atOnce }, async (_, worker) => {
  for (;;) {
    const share = worker % 2 === 0 ? left.shift() : left.pop();
    if (share === undefined) return;
    runs.push(await run([...command, ...share.map((file) => `./${file}`)]));
  }
}));
const tallies = runs.map(({ said }) => tally(said, runner));
const sum = (what: keyof Tally) => tallies.reduce((total, each) => total + each[what], 0);
console.log(`\n${name}: ${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
const ranNone = sum("passed") === 0;
if (ranNone) console.log(`No test passed on ${name}: the suite did not run`);
const status = runs.find(({ status }) => status !== 0)?.status ?? 0;
process.exit(status !== 0 || sum("failed") > 0 || ranNone ? status || 1 : 0);
