import { assertEquals } from "@std/assert";
import { test } from "../support/runner.ts";

interface Macrotask {
  readonly macrotask: (run: () => void) => void;
}

/** The module anew, while the global is `descriptor`. */
async function withGlobal(
  descriptor: PropertyDescriptor | undefined,
  run: (module: Macrotask) => Promise<void>,
  name: string,
): Promise<void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, "setImmediate");
  try {
    if (descriptor === undefined) Reflect.deleteProperty(globalThis, "setImmediate");
    else Object.defineProperty(globalThis, "setImmediate", { configurable: true, ...descriptor });
    await run(await import(`../../src/runtime/macrotask.ts?${name}`) as Macrotask);
  } finally {
    if (before !== undefined) Object.defineProperty(globalThis, "setImmediate", before);
  }
}
const turn = ({ macrotask }: Macrotask): Promise<void> => new Promise((resolve) => macrotask(resolve));

test("nothing of the runtime is read before the first turn, and then once", async () => {
  const real = (globalThis as { readonly setImmediate?: (run: () => void) => unknown }).setImmediate;
  let reads = 0;
  await withGlobal(
    { get: () => (reads++, real) },
    async (module) => {
      assertEquals(reads, 0);
      await turn(module);
      await turn(module);
      assertEquals(reads, 1);
    },
    "read",
  );
});

test("fake timers that a test runner puts in place later stop no turn", async () => {
  const real = (globalThis as { readonly setImmediate?: (run: () => void) => unknown }).setImmediate;
  await withGlobal(
    { get: () => real },
    async (module) => {
      let faked = 0;
      Object.defineProperty(globalThis, "setImmediate", { configurable: true, value: () => faked++ });
      await turn(module);
      assertEquals(faked, 0);
    },
    "fake",
  );
});

test("a turn comes after all microtasks, also where there is no setImmediate", async () => {
  await withGlobal(
    undefined,
    async (module) => {
      const order: string[] = [];
      const turned = turn(module).then(() => order.push("turn"));
      await Promise.resolve().then(() => Promise.resolve()).then(() => order.push("microtask"));
      await turned;
      assertEquals(order, ["microtask", "turn"]);
    },
    "none",
  );
});
