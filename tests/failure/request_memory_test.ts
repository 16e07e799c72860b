import { assert, assertEquals } from "@std/assert";
import { retainedMegabytes } from "../support/retained.ts";
import { RequestStorm } from "../support/request_storm.ts";
import { trial } from "../support/trial.ts";

const many = 1_000_000;

trial(`${many} requests with timeouts and signals leave nothing in memory`, async (trial) => {
  const storm = new RequestStorm(trial);
  await storm.start();
  await storm.run(20_000);
  const before = await retainedMegabytes();
  const sum = await storm.run(many);
  assertEquals(sum, { answered: many * 0.8, timedOut: many / 10, aborted: many / 10 });
  const grown = await retainedMegabytes() - before;
  // A byte or two a request: nothing that is kept for one is so small.
  assert(grown < 2, `${many} requests hold ${grown.toFixed(1)} MB`);
}, { timeoutInMs: 1_800_000 });
