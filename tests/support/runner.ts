/** One test source for Deno, Bun and Node: registers a test with whichever runner runs. */

/** How a test differs from the rest. */
export interface TestOptions {
  /** Why it does not apply here: the test is then skipped, and its reason shown. */
  readonly skip?: string | undefined;
  /** Fails the test after this time: one that hangs is named. Left out: a minute. */
  readonly timeoutInMs?: number | undefined;
}
/** Registers a test. Its name is a claim. */
export type Test = (name: string, run: () => void | Promise<void>, options?: TestOptions) => void;

/** What tells the runtimes apart. */
interface Runtimes {
  readonly Deno?: {
    test(definition: { name: string; fn: () => Promise<void>; ignore: boolean }): void;
  };
  readonly Bun?: unknown;
}
const runtimes: Runtimes = globalThis as Runtimes;
/** The runtime that runs the tests. */
export const runtime: "deno" | "bun" | "node" = runtimes.Deno ? "deno" : runtimes.Bun ? "bun" : "node";

const defaultTimeoutInMs = 60_000;

/** Runners wait differently for a promise that never settles, Deno and Node for ever: so the bound is ours. */
function bounded(name: string, run: () => void | Promise<void>, timeoutInMs: number): () => Promise<void> {
  return async () => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(
        new Error(`"${name}" did not end within ${timeoutInMs} ms: look for what never settles, or set timeoutInMs`),
      );
    }, timeoutInMs);
    try {
      await Promise.race([run(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** A runner's own way to take a test; `skip` is its reason, or `undefined`. */
type Register = (name: string, run: () => Promise<void>, skip: string | undefined, timeoutInMs: number) => void;

async function choose(): Promise<Register> {
  const deno = runtimes.Deno;
  if (deno !== undefined) {
    return (name, run, skip) => deno.test({ name, fn: run, ignore: skip !== undefined });
  }
  const specifier = runtime === "bun" ? "bun:test" : "node:test";
  const { test } = await import(specifier);
  if (runtime === "bun") {
    return (name, run, skip, timeoutInMs) => {
      // Bun's own bound of 5 s must not come before ours.
      if (skip === undefined) test(name, run, timeoutInMs + 5_000);
      else test.skip(name, run);
    };
  }
  return (name, run, skip) => test(name, skip === undefined ? {} : { skip }, run);
}
const register = await choose();

/** Registers a test with the runner at hand. */
export const test: Test = registerTest;

function registerTest(name: string, run: () => void | Promise<void>, options: TestOptions = {}): void {
  const { skip, timeoutInMs = defaultTimeoutInMs } = options;
  const title = skip === undefined ? name : `${name} (skipped: ${skip})`;
  register(title, bounded(name, run, timeoutInMs), skip, timeoutInMs);
}
