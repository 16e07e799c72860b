/** The 99th percentile from `publish` to the confirmation's handler, one transition after another: `latency.ts STORE`. @module */
import { args, finish, scaled } from "../support/program.ts";
import { emptyStore } from "../support/stores.ts";
import { startSwitches, Submitted, Toggled } from "./switches.ts";

const name = args[0] === "postgres" ? "postgres" : "sqlite";
let handled: () => void = () => {};
const { bus, consumed } = await startSwitches({
  store: await emptyStore(name),
  concurrency: 1,
  confirms: true,
  confirmed: () => handled(),
});
const instances = 100;
const begun = consumed.expect(instances);
for (let id = 0; id < instances; id++) await bus.publish(Submitted, { id: String(id), stamp: 0 });
await begun;

async function measure(count: number): Promise<number> {
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    const done = new Promise<void>((resolve) => handled = resolve);
    const begin = performance.now();
    await bus.publish(Toggled, { id: String(i % instances), stamp: begin });
    await done;
    latencies.push(performance.now() - begin);
  }
  latencies.sort((a, b) => a - b);
  return latencies[Math.floor(latencies.length * 0.99)] ?? NaN;
}

await measure(scaled(3_000));
await finish(await measure(scaled(10_000)));
