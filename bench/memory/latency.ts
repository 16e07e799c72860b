/** The 99th percentile of the time from `publish` to the handler, at 10,000 messages a second. @module */
import { createBus, event } from "../../mod.ts";
import { finish, scaled } from "../support/program.ts";
import { type Text, text } from "./messages.ts";

const PER_MILLISECOND = 10;
const TextSent = event<Text>("bench.text-sent");

const bus = createBus({ name: "bench" });
let latencies = new Float64Array(0);
let handled = 0;
let done = () => {};
bus.endpoint("texts").handle(TextSent, ({ stamp }) => {
  latencies[handled++] = performance.now() - stamp;
  if (handled === latencies.length) done();
});
await bus.start();

/** Paced by the clock: what a late timer missed is caught up with, stamped when it is published. */
async function run(count: number): Promise<number> {
  latencies = new Float64Array(count);
  handled = 0;
  const all = new Promise<void>((resolve) => done = resolve);
  const begin = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.ceil((performance.now() - begin) * PER_MILLISECOND));
    for (; sent < due; sent++) bus.publish(TextSent, text(performance.now()));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await all;
  return latencies.sort()[Math.floor(count * 0.99)] ?? NaN;
}

await run(scaled(20_000));
finish(await run(scaled(50_000)));
