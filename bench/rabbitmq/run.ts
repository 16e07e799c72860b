/** Measures one side: `run.ts SIDE QUANTITY [classic|quorum]`. @module */
import process from "node:process";
import { retainedMegabytes } from "../../tests/support/retained.ts";
import { text } from "../memory/messages.ts";
import { abreast, Consumed } from "../support/flow.ts";
import { args, finish, scaled } from "../support/program.ts";
import type { QueueType } from "./broker.ts";
import { type Side, sides } from "./sides.ts";

/** So many publish at once, each awaiting its own: what the C# program does, where it is one of the two sides. */
const publishers: Readonly<Record<string, number>> = { "hero-published": 100 };
const count = 60_000;
const paced = 10_000;
const pacedPerMillisecond = 1;

const [name = "", quantity = "", type = "classic"] = args;
const connect = Object.hasOwn(sides, name) ? sides[name] : undefined;
if (connect === undefined) throw new Error(`There is no side "${name}". Name one of: ${Object.keys(sides).join(", ")}`);
if (type !== "classic" && type !== "quorum") throw new Error(`There is no type of queues "${type}"`);
const queueType: QueueType = type;

const consumed = new Consumed();
let latencies: number[] | undefined;
const side: Side = await connect(({ stamp }) => {
  latencies?.push(performance.now() - stamp);
  consumed.one();
}, queueType);

async function work(n: number): Promise<void> {
  const done = consumed.expect(n);
  await abreast(publishers[name] ?? 500, n, () => side.publish(text()));
  await done;
  side.finish();
}

/**
 * As much as is measured: JavaScriptCore begins to compile for good after thousands of calls, on threads of its own that
 * count as CPU. Twice and not once: what the first round deoptimizes, the second compiles again.
 */
async function warmUp(n: number): Promise<void> {
  await work(Math.ceil(n / 2));
  await work(Math.ceil(n / 2));
}

/** The time from `publish` to the handler, the shortest first. Paced by the clock: what a late timer missed is caught up with. */
async function paceOf(n: number): Promise<readonly number[]> {
  const taken: number[] = latencies = [];
  const done = consumed.expect(n);
  const published: Promise<unknown>[] = [];
  const begin = performance.now();
  for (let sent = 0; sent < n;) {
    const due = Math.min(n, Math.ceil((performance.now() - begin) * pacedPerMillisecond));
    for (; sent < due; sent++) published.push(side.publish(text(performance.now())));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
  await Promise.all(published);
  side.finish();
  return taken.sort((a, b) => a - b);
}

/**
 * What a runtime compiles while messages are timed holds them up: its threads share the cores with the program. So as
 * many as the rates have go before, at full speed, on all sides.
 */
async function percentile(part: number): Promise<number> {
  await warmUp(scaled(count));
  await paceOf(scaled(paced / 5));
  const taken = await paceOf(scaled(paced));
  return taken[Math.floor(taken.length * part)] ?? NaN;
}

/** What each run says. */
const quantities: Readonly<Record<string, () => Promise<number>>> = {
  /** Messages per second. */
  "rate": async () => {
    const n = scaled(count);
    await warmUp(n);
    const begin = performance.now();
    await work(n);
    return n / (performance.now() - begin) * 1_000;
  },
  /** Microseconds of this process' CPU, user and system, on all its threads, for a message. */
  "cpu": async () => {
    const n = scaled(count);
    await warmUp(n);
    const before = process.cpuUsage();
    await work(n);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / n;
  },
  "p50": () => percentile(0.5),
  "p99": () => percentile(0.99),
  /** Megabytes more in use after a million, collected. */
  "growth": async () => {
    await work(scaled(50_000));
    const before = await retainedMegabytes();
    await work(scaled(1_000_000));
    return await retainedMegabytes() - before;
  },
};
const measure = Object.hasOwn(quantities, quantity) ? quantities[quantity] : undefined;
if (measure === undefined) {
  throw new Error(`"${quantity}" is not measured. Name one of: ${Object.keys(quantities).join(", ")}`);
}
const value = await measure();
await Promise.race([side.close(), new Promise((resolve) => setTimeout(resolve, 5_000))]);
finish(value);
