/** What is scheduled, in a store: `run.ts insert|poll|fire|lateness STORE [PENDING]`. @module */
import { createBus } from "../../mod.ts";
import { median } from "../support/figure.ts";
import { Consumed } from "../support/flow.ts";
import { args, finish, scaled } from "../support/program.ts";
import { busName, Drained, writeSchedules } from "../support/rows.ts";
import { openStore, settle, type StoreName } from "../support/stores.ts";

const LEASE_MS = 30_000;
const ROWS_AT_ONCE = 200;
const PER_SECOND = 500;
const STRETCHES = 20;
const dayMs = 86_400_000;

const [what, name, given = "1000000"] = args;
const pending = given === "1" ? 1 : scaled(Number(given));
const store = await openStore(name as StoreName, busName);
/** None of them becomes due while this runs. */
const later = (i: number): number => Date.now() + dayMs + i;

async function insert(): Promise<number> {
  await writeSchedules(store, scaled(20_000), later);
  const begin = performance.now();
  await writeSchedules(store, pending, later);
  return pending / (performance.now() - begin) * 1000;
}

/**
 * In µs: the middle of some stretches. The million was written just before: collecting what that left behind falls into
 * some of them, and is not what a poll costs.
 */
async function poll(): Promise<number> {
  await writeSchedules(store, pending, later);
  await settle(name as StoreName);
  // Where nothing has to be asked, 5,000 would be over in two milliseconds.
  const polls = scaled(name === "memory" ? 100_000 : 250);
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const rows = await store.schedules.claim(busName, ROWS_AT_ONCE, LEASE_MS);
      if (rows.length > 0) throw new Error("The store gave what is not due");
    }
  };
  await run(polls * STRETCHES);
  const times: number[] = [];
  for (let stretch = 0; stretch < STRETCHES; stretch++) {
    const begin = performance.now();
    await run(polls);
    times.push((performance.now() - begin) / polls * 1000);
  }
  return median(times);
}

async function fire(): Promise<number> {
  const count = scaled(50_000);
  await writeSchedules(store, pending, later);
  await writeSchedules(store, count, () => Date.now() - 1);
  const consumed = new Consumed();
  const bus = createBus({ name: busName, store });
  bus.endpoint("sink", { concurrency: 256 }).handle(Drained, () => consumed.one());
  const measured = Math.floor(count * 0.8);
  // Looked at in the very turn: `start` may come back when all has been sent.
  const begin = consumed.until(measured).then(() => performance.now());
  const end = consumed.expect(count).then(() => performance.now());
  await bus.start();
  return measured / (await end - await begin) * 1000;
}

/** In ms. */
async function lateness(): Promise<number> {
  const count = scaled(10_000);
  await writeSchedules(store, pending, later);
  await settle(name as StoreName);
  const consumed = new Consumed();
  const late: number[] = [];
  const bus = createBus({ name: busName, store });
  bus.endpoint("sink", { concurrency: 256 }).handle(Drained, ({ dueAt }) => {
    late.push(Date.now() - dueAt);
    consumed.one();
  });
  await bus.start();
  const all = consumed.expect(count);
  const first = Date.now() + 2000 + count / 10; // by then all are written
  await writeSchedules(store, count, (i) => first + Math.floor(i * 1000 / PER_SECOND));
  await all;
  const steady = late.slice(Math.floor(count * 0.2)).sort((a, b) => a - b); // what compiling takes is no part of it
  return steady[Math.floor(steady.length * 0.99)] ?? NaN;
}

switch (what) {
  case "insert":
    finish(await insert());
    break;
  case "poll":
    finish(await poll());
    break;
  case "fire":
    finish(await fire());
    break;
  case "lateness":
    finish(await lateness());
    break;
  default:
    throw new Error(`There is no case "${what}"`);
}
