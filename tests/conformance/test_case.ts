/** Conformance cases as data, so that any runner can run them. */
import { test } from "../support/runner.ts";

/** A case: its name is a claim. */
export interface TestCase {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * Turns the claims that are known not to hold around: each must fail.
 *
 * @param deviations claim → reason
 * @throws if a deviation names no claim
 */
export function withDeviations(
  cases: readonly TestCase[],
  deviations: Readonly<Record<string, string>>,
): readonly TestCase[] {
  const names = new Set(cases.map(({ name }) => name));
  const unknown = Object.keys(deviations).filter((name) => !names.has(name));
  if (unknown.length > 0) throw new Error(`There is no case ${unknown.map((name) => `"${name}"`).join(", ")}`);
  return cases.map((each) => {
    const reason = deviations[each.name];
    if (reason === undefined) return each;
    return {
      name: `${each.name} (deviates: ${reason})`,
      async run() {
        try {
          await each.run();
        } catch {
          return;
        }
        throw new Error(`"${each.name}" holds: take the deviation away (${reason})`);
      },
    };
  });
}

/** Registers cases with whichever runner runs. */
export function register(subject: string, cases: readonly TestCase[]): void {
  for (const { name, run } of cases) test(`${subject}: ${name}`, run);
}
