/** One test source for Deno, Bun and Node: registers a test with whichever runner runs. */

/** Registers a test. Its name is a claim; `skip` gives the reason why it does not apply here. */
export type Test = (
  name: string,
  run: () => void | Promise<void>,
  options?: { readonly skip?: string | undefined },
) => void;

interface Runtimes {
  readonly Deno?: {
    test(definition: { name: string; fn: () => void | Promise<void>; ignore: boolean }): void;
  };
  readonly Bun?: unknown;
}
const runtimes: Runtimes = globalThis as Runtimes;
/** The runtime that runs the tests. */
export const runtime: "deno" | "bun" | "node" = runtimes.Deno ? "deno" : runtimes.Bun ? "bun" : "node";

async function choose(): Promise<Test> {
  const deno = runtimes.Deno;
  if (deno !== undefined) {
    return (name, run, { skip } = {}) =>
      deno.test({ name: skip === undefined ? name : `${name} (skipped: ${skip})`, fn: run, ignore: skip !== undefined });
  }
  const specifier = runtime === "bun" ? "bun:test" : "node:test";
  const { test } = await import(specifier);
  if (runtime === "bun") {
    return (name, run, { skip } = {}) => {
      if (skip === undefined) test(name, run, 60_000);
      else test.skip(`${name} (skipped: ${skip})`, run);
    };
  }
  return (name, run, { skip } = {}) => test(name, skip === undefined ? {} : { skip }, run);
}
/** Registers a test with the runner at hand. */
export const test: Test = await choose();
