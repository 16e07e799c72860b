/** Measures one case: `run.ts CASE`. @module */
import { abreast, Consumed } from "../support/flow.ts";
import { type Case, runCase, type Work } from "../support/program.ts";
import { temporaryFile } from "../support/stores.ts";
import { bare } from "./bare.ts";
import { type ConsumerOptions, place, startConsumer } from "./consumer.ts";

/** So many publishers, each awaiting its own: more than are handled at once. */
const PUBLISHERS = 256;

function consumer(options: Omit<ConsumerOptions, "path">): () => Promise<Work> {
  return async () => {
    const consumed = new Consumed();
    const bus = await startConsumer({ ...options, path: temporaryFile() }, () => consumed.one());
    return async (count) => {
      const done = consumed.expect(count);
      await abreast(PUBLISHERS, count, () => place(bus));
      await done;
    };
  };
}

const cases: Readonly<Record<string, Case>> = {
  "normal": { count: 30_000, prepare: consumer({ synchronous: "normal", concurrency: 64, group: 1 }) },
  "bare": { count: 50_000, prepare: bare },
  "full": { count: 30_000, prepare: consumer({ synchronous: "full", concurrency: 64, group: 64 }) },
};

await runCase(cases);
