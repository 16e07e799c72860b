/** How long a message takes where there is half as much to do as could be done. @module */
import { macrotask } from "../../src/runtime/macrotask.ts";
import { abreast, Consumed } from "./flow.ts";
import { finish, scaled } from "./program.ts";

/** What is measured. */
export interface HalfLoad {
  /** Sets up: `handled` is to be called with a message's stamp when it has come all the way. */
  readonly start: (handled: (stamp: number) => void) => Promise<(stamp: number) => Promise<unknown>>;
  /** How many to find out what can be done, twice; and to warm up at half of that; and to measure. */
  readonly counts: { readonly fast: number; readonly warm: number; readonly measured: number };
  /**
   * Whether a message is published when it is due, one by one, and its time counted from then: the time is looked at in
   * every turn of the event loop. That takes a processor, which a server elsewhere on the machine may need. Left out: by
   * timers, which gather what becomes due in 1 to 2 ms, as they do on each runtime, and which count from the publishing.
   */
  readonly evenly?: boolean;
}

/** Says the 99th percentile at half of the rate that the work reaches, and ends. */
export async function halfLoad({ start, counts, evenly = false }: HalfLoad): Promise<never> {
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
  /** Paced by the clock: what was missed is caught up with. */
  const paced = async (count: number, perMillisecond: number): Promise<void> => {
    const done = consumed.expect(count);
    const begin = performance.now();
    for (let sent = 0; sent < count;) {
      const due = Math.min(count, Math.ceil((performance.now() - begin) * perMillisecond));
      for (; sent < due; sent++) void place(evenly ? begin + sent / perMillisecond : performance.now());
      await new Promise<void>((resolve) => void (evenly ? macrotask(resolve) : setTimeout(resolve, 1)));
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
