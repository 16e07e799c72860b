/** Proof that memory is given back. */

interface Collecting {
  /** V8's, where its flag says so: the tasks of deno.json do. */
  readonly gc?: () => void;
  readonly Bun?: { gc(synchronous: boolean): void };
}
const { gc, Bun: bun }: Collecting = globalThis as Collecting;
/** Asks the collector to run, where it can be asked: on a busy machine it may else not come to it. */
const collect: () => void = bun === undefined ? gc ?? (() => {}) : () => bun.gc(true);

/** Whether all of the objects go away, while memory is used up to make the collector run; gives up after a while. */
export async function collected(references: readonly WeakRef<object>[]): Promise<boolean> {
  // Collectors mark on threads of their own, which get little of a busy machine: one round or two at best, hundreds there.
  for (let round = 0; round < 1_500; round++) {
    // A turn of its own: what a WeakRef gave stays until the turn ends.
    await new Promise((resolve) => setTimeout(resolve, 0));
    collect();
    // Large and young in one, so that old objects are looked at, too.
    const ballast: unknown[] = [];
    for (let count = 0; count < 50; count++) ballast.push(new Array(20_000).fill(count));
    if (ballast.length === 50 && references.every((reference) => reference.deref() === undefined)) return true;
  }
  return false;
}
