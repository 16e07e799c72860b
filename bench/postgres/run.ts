/** Measures one case: `run.ts CASE`. @module */
import { abreast, Consumed } from "../support/flow.ts";
import { type Case, runCase, type Work } from "../support/program.ts";
import { type ConsumerOptions, place, startConsumer } from "./consumer.ts";
import { naive } from "./naive.ts";
import { collected, grouped, single } from "./settings.ts";

/** So many publishers, each awaiting its own: more than are handled at once. */
const PUBLISHERS = 256;

async function consumer(options: ConsumerOptions): Promise<Work> {
  const consumed = new Consumed();
  const bus = await startConsumer(options, () => consumed.one());
  return async (count) => {
    const done = consumed.expect(count);
    await abreast(PUBLISHERS, count, () => place(bus));
    await done;
  };
}

/** As many before as are measured, so that what is compiled for good is compiled by then, on either side. */
const warmUp = 0.5;

const cases: Readonly<Record<string, Case>> = {
  "single": { count: 20_000, warmUp, prepare: () => consumer(single) },
  "single-naive": { count: 20_000, warmUp, prepare: () => naive(single) },
  "grouped": { count: 40_000, warmUp, prepare: () => consumer(grouped) },
  "grouped-naive": { count: 20_000, warmUp, prepare: () => naive(grouped) },
  "collected": { count: 40_000, warmUp, prepare: () => consumer(collected) },
  // The naive consumer is one and the same: inbox, row, outbox. Of ours, one that only publishes is to be so much faster
  // than that.
  "collected-naive": { count: 20_000, warmUp, prepare: () => naive(single) },
};

await runCase(cases);
