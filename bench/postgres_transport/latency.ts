/** The 99th percentile from sending to handling at 200 jobs a second: `latency.ts SIDE`. @module */
import { Consumed } from "../support/flow.ts";
import { args, finish, scaled } from "../support/program.ts";
import { graphileWorker, pgBoss } from "./peers.ts";
import { job, ours, type StartSide } from "./work.ts";

const PER_MILLISECOND = 0.2;

const sides: Readonly<Record<string, StartSide>> = { ours, "pg-boss": pgBoss, "graphile-worker": graphileWorker };
const start = sides[args[0] ?? ""];
if (start === undefined) throw new Error(`There is no side "${args[0]}"`);

const consumed = new Consumed();
let latencies: number[] = [];
const side = await start(({ stamp }) => {
  latencies.push(performance.now() - stamp);
  consumed.one();
});

/** Paced by the clock: what a late timer missed is caught up with. */
async function paced(count: number): Promise<void> {
  const done = consumed.expect(count);
  const begin = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.ceil((performance.now() - begin) * PER_MILLISECOND));
    for (; sent < due; sent++) void side.send([job(sent)]);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
}

await paced(scaled(600));
latencies = [];
await paced(scaled(2_000));
latencies.sort((a, b) => a - b);
finish(latencies[Math.floor(latencies.length * 0.99)] ?? NaN);
