/** What a measured program does: warms up, works, says one number. @module */
import process from "node:process";

/** Does a piece of work `count` times. */
export type Work = (count: number) => Promise<void>;

/** Something to measure. */
export interface Case {
  /** How many times in a run: enough for about a second. */
  readonly count: number;
  /** What part of that is done before, twice. A tenth, unless that leaves a runtime compiling what is measured. */
  readonly warmUp?: number;
  /** Sets up; what it gives is timed. */
  readonly prepare: () => Promise<Work>;
}

/** The arguments after the program's name, without `--scale`. */
export const args: readonly string[] = process.argv.slice(2).filter((argument) => !argument.startsWith("--scale="));

const scale = Number(process.argv.find((argument) => argument.startsWith("--scale="))?.slice("--scale=".length) ?? 1);

/** A count as the report wants it: `--scale 0.1` makes every run a tenth as long, to see that it works. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * scale));
}

/** Calls per second of one long run, after a warm-up of the same work. */
export async function rate({ count, warmUp = 0.1, prepare }: Case): Promise<number> {
  const work = await prepare();
  const n = scaled(count);
  // Twice and not once: what the first round deoptimizes, the second compiles again.
  await work(Math.ceil(n * warmUp));
  await work(Math.ceil(n * warmUp));
  const begin = performance.now();
  await work(n);
  return n / (performance.now() - begin) * 1000;
}

/** Hands the number to the report, as the last line, and ends: no case has to close what it opened. */
export function finish(value: number): never {
  console.log(JSON.stringify({ value }));
  process.exit(0);
}

/** Runs the case that the first argument names, and says its rate. */
export async function runCase(cases: Readonly<Record<string, Case>>): Promise<void> {
  const name = args[0] ?? "";
  const found = Object.hasOwn(cases, name) ? cases[name] : undefined;
  if (found === undefined) {
    console.error(`There is no case "${name}". Name one of: ${Object.keys(cases).join(", ")}`);
    process.exit(2);
  }
  finish(await rate(found));
}
