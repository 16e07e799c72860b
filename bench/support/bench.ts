/** Shows cases with `deno bench`; on Bun and Node, the same in small. @module */
import { type Case, rate } from "./program.ts";

interface BenchRunner {
  bench(definition: { name: string; group: string; baseline: boolean; n?: number; fn: () => Promise<void> }): void;
}
const runner: BenchRunner | undefined = (globalThis as { readonly Deno?: BenchRunner }).Deno;

/** In one iteration: small enough for many iterations, large enough for the iteration itself to cost nothing. */
const BATCH = 1000;

/**
 * Registers every case of a group; the first is the one that the others are compared with. An iteration is a thousand
 * calls.
 *
 * @param unavailable cases that cannot be run here, with the reason
 */
export async function benchCases(
  group: string,
  cases: Readonly<Record<string, Case>>,
  unavailable: Readonly<Record<string, string>> = {},
): Promise<void> {
  let baseline = true;
  for (const [name, one] of Object.entries(cases)) {
    if (unavailable[name] !== undefined) {
      console.error(`${group}: ${name} skipped: ${unavailable[name]}`);
      continue;
    }
    if (runner === undefined) {
      console.log(`${group}: ${name}: ${Math.round(await rate(one)).toLocaleString("en")} per second`);
      continue;
    }
    const work = await one.prepare();
    // Written as an async function: the runner goes by that, and would not await another's promise.
    runner.bench({ name: `${name} × ${BATCH}`, group, baseline, fn: async () => await work(BATCH) });
    baseline = false;
  }
}
