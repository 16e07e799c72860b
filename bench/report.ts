/**
 * The figures, as JSON: `deno task bench:report [group…] [--runtime deno|bun|node] [--runs n] [--scale fraction]`.
 *
 * A group is a folder's name, the part of a figure's name before the slash, or a whole name; left out: all. Progress
 * goes to stderr; the last line of stdout is `{"runtime", "figures": {"<name>": {"value", "unit", "runs", "min", "max"}}}`.
 * Exits with 1 if a figure could not be measured though what it needs is there.
 *
 * @module
 */
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Figure, median, type Result, type Setting, shown } from "./support/figure.ts";
import type { RuntimeName } from "./support/runtimes.ts";

/** Every folder with a `figures.ts` is a group. */
async function figuresOf(groups: readonly string[]): Promise<readonly Figure[]> {
  const found: Figure[] = [];
  const here = new URL("./", import.meta.url);
  const unknown = new Set(groups);
  for (const folder of readdirSync(here).sort()) {
    const file = new URL(`${folder}/figures.ts`, here);
    if (!existsSync(file)) continue;
    const { figures } = await import(file.href) as { readonly figures: readonly Figure[] };
    for (const figure of figures) {
      const names = [folder, figure.name.split("/")[0] ?? "", figure.name];
      const wanted = names.filter((name) => groups.includes(name));
      for (const name of wanted) unknown.delete(name);
      if (groups.length === 0 || wanted.length > 0) found.push(figure);
    }
  }
  if (unknown.size > 0) fail(`There is no group or figure ${[...unknown].map((name) => `"${name}"`).join(", ")}`);
  return found;
}

async function measured(figure: Figure, setting: Setting, runs: number): Promise<Result> {
  const values: number[] = [];
  for (let run = 1; run <= runs; run++) {
    const { value, sides } = await figure.run(setting);
    values.push(value);
    console.error(
      `${figure.name} ${run}/${runs}: ${shown(value)} ${figure.unit}${sides === undefined ? "" : ` (${sides})`}`,
    );
  }
  const rounded = (value: number) => Number(value.toPrecision(6));
  return {
    value: rounded(median(values)),
    unit: figure.unit,
    runs,
    min: rounded(Math.min(...values)),
    max: rounded(Math.max(...values)),
  };
}

async function reasonToSkip(figure: Figure, runtime: RuntimeName): Promise<string | undefined> {
  for (const requirement of figure.needs) {
    const reason = await requirement(runtime);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string", default: "deno" },
    runs: { type: "string" },
    scale: { type: "string", default: "1" },
  },
});
const runtime = (["deno", "bun", "node"] as const).find((name) => name === options.runtime) ??
  fail(`There is no runtime "${options.runtime}": give deno, bun or node`);
const scale = Number(options.scale);
if (!(scale > 0)) fail(`Cannot scale by "${options.scale}": give a fraction above 0`);
const asked = options.runs === undefined ? undefined : Number(options.runs);
if (asked !== undefined && !(Number.isInteger(asked) && asked > 0)) fail(`Cannot run "${options.runs}" times`);

const results: Record<string, Result> = {};
for (const figure of await figuresOf(positionals)) {
  const reason = await reasonToSkip(figure, runtime);
  if (reason !== undefined) {
    console.error(`${figure.name} skipped: ${reason}`);
    continue;
  }
  try {
    results[figure.name] = await measured(figure, { runtime, scale }, asked ?? figure.runs ?? 5);
  } catch (error) {
    console.error(`${figure.name} failed: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
console.log(JSON.stringify({ runtime, figures: results }));
