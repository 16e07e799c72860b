/** Measures one case: `run.ts CASE`. @module */
import { abreast, Consumed } from "../support/flow.ts";
import { type Case, runCase, type Work as Doing } from "../support/program.ts";
import { temporaryFile } from "../support/stores.ts";
import { job, startBus, Work } from "./work.ts";

/** So many senders, each awaiting its own. */
const SENDERS = 500;

function throughput(synchronous: "full" | "normal"): () => Promise<Doing> {
  return async () => {
    const consumed = new Consumed();
    const bus = await startBus(temporaryFile(), () => consumed.one(), synchronous);
    return async (count) => {
      const done = consumed.expect(count);
      await abreast(SENDERS, count, (i) => bus.send(Work, job(i)));
      await done;
    };
  };
}

const cases: Readonly<Record<string, Case>> = {
  "full": { count: 60_000, prepare: throughput("full") },
  "normal": { count: 60_000, prepare: throughput("normal") },
};

await runCase(cases);
