/** Jobs over queues in a SQLite file, and what is sent and handled. @module */
import { type Bus, command, createBus } from "../../mod.ts";
import { sqliteTransport } from "../../transports/sqlite/mod.ts";

/** A job: about 150 bytes as JSON, as the peers' one. */
export interface Job {
  readonly id: number;
  readonly customer: string;
  readonly total: number;
  readonly note: string;
  /** When it was sent, as `performance.timeOrigin + performance.now()` had it. */
  readonly stamp: number;
}

/** The contract. */
export const Work = command<Job>("bench.work");

const note = "x".repeat(100);

/** A job that is sent now. */
export function job(id: number): Job {
  return { id, customer: "c-42", total: 29.9, note, stamp: now() };
}

/** The time that all processes of a machine share, in milliseconds. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Starts a bus on a file; with a handler, it takes. Commits survive a power cut, unless said otherwise. */
export async function startBus(
  path: string,
  handle?: (job: Job) => void | Promise<void>,
  synchronous: "full" | "normal" = "full",
): Promise<Bus> {
  const bus = createBus({ name: "bench", transport: sqliteTransport(path, { synchronous }) });
  if (handle !== undefined) bus.endpoint("work", { concurrency: 64, prefetch: 1_000 }).handle(Work, handle);
  await bus.start();
  return bus;
}
