/** Jobs over queues in PostgreSQL, and what is sent and handled. @module */
import { type Bus, command, createBus } from "../../mod.ts";
import { postgresTransport } from "../../transports/postgres/mod.ts";
import { removeSchema, schema, url } from "../support/stores.ts";

/** A job: about 150 bytes as JSON. */
export interface Job {
  readonly id: number;
  readonly customer: string;
  readonly total: number;
  readonly note: string;
  /** When it was sent, as `performance.now()` had it. */
  readonly stamp: number;
}

/** A side: sends some jobs, resolving when all are kept. Each is handled in the same process. */
export interface Side {
  send(jobs: readonly Job[]): Promise<unknown>;
}
/** To be called with each job. */
export type Handled = (job: Job) => void;
/** Starts one. */
export type StartSide = (handled: Handled) => Promise<Side>;

const Work = command<Job>("bench.work");
const note = "x".repeat(100);

/** A job that is sent now. */
export function job(id: number): Job {
  return { id, customer: "c-42", total: 29.9, note, stamp: performance.now() };
}

/** A bus on an empty schema. */
export async function startBus(handled: Handled): Promise<Bus> {
  await removeSchema();
  const bus = createBus({ name: "bench", transport: postgresTransport({ url, schema }) });
  bus.endpoint("work", { concurrency: 64, prefetch: 1_000 }).handle(Work, handled);
  await bus.deploy("apply");
  await bus.start();
  return bus;
}

/** Ours: each job is a `send` of its own. */
export async function ours(handled: Handled): Promise<Side> {
  const bus = await startBus(handled);
  return { send: (jobs) => Promise.all(jobs.map((each) => bus.send(Work, each))) };
}
