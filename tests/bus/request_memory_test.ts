import { assert, assertEquals } from "@std/assert";
import { retainedMegabytes } from "../support/retained.ts";
import { RequestStorm } from "../support/request_storm.ts";
import { trial } from "../support/trial.ts";

const many = 50_000;
/** A listener, a timer or a pending request that stayed would take a hundred bytes and more each. */
const allowedMegabytes = 1;

trial(
  `${many} requests with timeouts and signals leave nothing in memory, and what they left would be seen`,
  async (trial) => {
    const storm = new RequestStorm(trial);
    await storm.start();
    await storm.run(20_000); // caches, pools and compiled code
    const timers = trial.clock.pending;
    const before = await retainedMegabytes();
    assertEquals(await storm.run(many), { answered: many * 0.8, timedOut: many / 10, aborted: many / 10 });
    const after = await retainedMegabytes();
    assert(after - before < allowedMegabytes, `${many} requests hold ${(after - before).toFixed(1)} MB`);
    assertEquals(trial.clock.pending, timers);
    await storm.run(many, true);
    const planted = await retainedMegabytes() - after;
    assertEquals(storm.leaked.length, many * 0.8);
    assert(planted > 2 * allowedMegabytes, `a planted leak is measured as ${planted.toFixed(1)} MB only`);
  },
  { timeoutInMs: 300_000 },
);
