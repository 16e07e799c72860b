/** How long a message takes where there is half as much to do as could be done. @module */
import { abreast, Consumed } from "./flow.ts";
import { finish, scaled } from "./program.ts";

/** What is measured. */
export interface HalfLoad {
  /** Sets up: `handled` is to be called with a message's stamp when it has come all the way. */
  readonly start: (handled: (stamp: number) => void) => Promise<(stamp: number) => Promise<unknown>>;
  /** How many to find out what can be done, twice; and to warm up at half of that; and to measure. */
  readonly counts: { readonly fast: number; readonly warm: number; readonly measured: number };
}

/** Says the 99th percentile at half of the rate that the work reaches, and ends. */
export async function halfLoad({ start, counts }: HalfLoad): Promise<never> {
  const consumed = new Consumed();
  let latencies: number[] = [];
  const place = await start((stamp) => {
    latencies.push(performance.now() - stamp);
    consumed.one();
  });

  /** All at once; gives how many it did in a millisecond. */
  const fast = async (count: number): Promise<number> => {
    const done = consumed.expect(count);
    const begin = performance.now();
    await abreast(256, count, () => place(performance.now()));
    await done;
    return count / (performance.now() - begin);
  };
  /** Paced by the clock: what a late timer missed is caught up with, stamped when it is published. */
  const paced = async (count: number, perMillisecond: number): Promise<void> => {
    const done = consumed.expect(count);
    const begin = performance.now();
    for (let sent = 0; sent < count;) {
      const due = Math.min(count, Math.ceil((performance.now() - begin) * perMillisecond));
      for (; sent < due; sent++) void place(performance.now());
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await done;
  };

  await fast(scaled(counts.fast));
  const half = await fast(scaled(counts.fast)) / 2;
  await paced(scaled(counts.warm), half);
  latencies = [];
  await paced(scaled(counts.measured), half);
  latencies.sort((a, b) => a - b);
  return finish(latencies[Math.floor(latencies.length * 0.99)] ?? NaN);
}
