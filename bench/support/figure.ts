/** What a figure is, and how its runs are taken. @module */
import { commandOf, execute, lastLine, type Program, type RuntimeName } from "./runtimes.ts";

/** How the report was asked to measure. */
export interface Setting {
  readonly runtime: RuntimeName;
  /** Fraction of each program's work. 1 but for trying the benches out. */
  readonly scale: number;
}
/** One run: a fresh process, one number. */
export type Measure = (setting: Setting) => Promise<number>;
/** Gives the reason why what needs it is skipped; `undefined`: it is there now. */
export type Requirement = (runtime: RuntimeName) => Promise<string | undefined>;

/** A figure of the report. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly needs: readonly Requirement[];
  /** 5 where left out: each is a fresh process, or one of each side. */
  readonly runs?: number;
  /** Of one run, with the sides' own values for the reader of the progress. */
  readonly run: (setting: Setting) => Promise<{ readonly value: number; readonly sides?: string }>;
}

/** A figure as it stands in the report. */
export interface Result {
  /** The median. */
  readonly value: number;
  readonly unit: string;
  readonly runs: number;
  readonly min: number;
  readonly max: number;
}

/** The number that a program of ours says on the runtime under test. */
export function program(file: URL, args: readonly string[] = [], v8: readonly string[] = []): Measure {
  return async ({ runtime, scale }) => {
    const one: Program = { file, args: scale === 1 ? args : [...args, `--scale=${scale}`], v8 };
    const { stdout } = await execute(commandOf(runtime, one));
    const line = lastLine(stdout) as { readonly value?: unknown }; // checked below
    if (typeof line.value !== "number" || !Number.isFinite(line.value)) {
      throw new Error(`${file.pathname} ${args.join(" ")} said no number: ${stdout}`);
    }
    return line.value;
  };
}

/** A figure of one side. */
export function single(name: string, unit: string, measure: Measure, needs: readonly Requirement[] = []): Figure {
  return { name, unit, needs, run: async (setting) => ({ value: await measure(setting) }) };
}

/** A figure of two sides, measured one after the other in each run. */
export function compared(
  name: string,
  unit: string,
  ours: Measure,
  theirs: Measure,
  combine: (ours: number, theirs: number) => number,
  needs: readonly Requirement[] = [],
): Figure {
  return {
    name,
    unit,
    needs,
    run: async (setting) => {
      const a = await ours(setting);
      const b = await theirs(setting);
      return { value: combine(a, b), sides: `${shown(a)} against ${shown(b)}` };
    },
  };
}

/** How many times the rate of theirs ours is. */
export function ratio(name: string, ours: Measure, theirs: Measure, needs: readonly Requirement[] = []): Figure {
  return compared(name, "ratio", ours, theirs, (a, b) => a / b, needs);
}

/** The middle of several runs. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
  return (upper + lower) / 2;
}

/** A number with four digits that count. */
export function shown(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}
