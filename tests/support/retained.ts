/** How much memory is really held: after collections that a test asks for, on every runtime. */
import process from "node:process";

interface Host {
  readonly Bun?: { gc(force: boolean): void };
}

async function collector(): Promise<() => void> {
  const { Bun } = globalThis as Host;
  if (Bun !== undefined) return () => Bun.gc(true);
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([import("node:v8"), import("node:vm")]);
  // The flag counts for contexts that are made afterwards.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("This runtime does not let a test collect its garbage");
  return () => collect();
}
const collect = await collector();

/** Bytes of the heap that are still in use, in MB of 2^20. */
export async function retainedMegabytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    // A turn of its own: what a WeakRef or a job keeps alive is let go between turns.
    await new Promise((resolve) => setTimeout(resolve, 0));
    collect();
  }
  return process.memoryUsage().heapUsed / 2 ** 20;
}
