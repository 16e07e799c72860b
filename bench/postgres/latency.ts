/** The 99th percentile from `publish` to the confirmation's handler, at half of what the consumer can do. @module */
import { abreast, Consumed } from "../support/flow.ts";
import { finish, scaled } from "../support/program.ts";
import { place, startConsumer } from "./consumer.ts";
import { single } from "./settings.ts";

const consumed = new Consumed();
let latencies: number[] = [];
const bus = await startConsumer(single, ({ stamp }) => {
  latencies.push(performance.now() - stamp);
  consumed.one();
});

/** All at once; gives how many it did in a millisecond. */
async function fast(count: number): Promise<number> {
  const done = consumed.expect(count);
  const begin = performance.now();
  await abreast(256, count, () => place(bus, performance.now()));
  await done;
  return count / (performance.now() - begin);
}

/** Paced by the clock: what a late timer missed is caught up with, stamped when it is published. */
async function paced(count: number, perMillisecond: number): Promise<void> {
  const done = consumed.expect(count);
  const begin = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.ceil((performance.now() - begin) * perMillisecond));
    for (; sent < due; sent++) void place(bus, performance.now());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
}

await fast(scaled(5_000));
const half = await fast(scaled(5_000)) / 2;
await paced(scaled(3_000), half);
latencies = [];
await paced(scaled(10_000), half);
latencies.sort((a, b) => a - b);
finish(latencies[Math.floor(latencies.length * 0.99)] ?? NaN);
