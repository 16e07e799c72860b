/** The queue in a file: jobs done by three processes of which one is killed, and what shows where it does not balance. */
import { assertEquals, assertMatch } from "@std/assert";
import { type Found, table, unbalanced } from "../../examples/queue/balance.ts";
import { failures, idOf, jobs } from "../../examples/queue/jobs.ts";
import { test } from "../support/runner.ts";
import { type Ended, run } from "./program.ts";

/** Runs the program, and gives its status and what it said. */
const demo = (...args: readonly string[]): Promise<Ended> => run("queue", args);

test("each of 300 jobs is done once or given up once, though one of three workers is killed", async () => {
  const { status, output } = await demo("--jobs", "300");
  assertMatch(output, /worker 1 is killed: \d+ of 300[^]*every job has its end[^]*it balances/);
  assertMatch(output, /^all +300 +294 +6$/m);
  assertEquals(status, 0);
}, { timeoutInMs: 180_000 });

test("a number of jobs that is none is refused", async () => {
  const { status, output } = await demo("--jobs", "many");
  assertMatch(output, /--jobs many is no whole number from 1/);
  assertEquals(status === 0, false);
});

const all = jobs(100);

/** What is found where all went as it was to. */
function well(): Found {
  const [good, broken] = [all.filter(({ fate }) => fate !== "broken"), all.filter(({ fate }) => fate === "broken")];
  return {
    done: good.map(({ job, fate }) => ({ job, worker: "worker 1", attempt: failures[fate] + 1 })),
    givenUp: broken.map(({ job }) => idOf(job)),
    left: { waiting: 0, active: 0, delayed: 0 },
  };
}

test("jobs do not balance with one lost, doubled, done too soon, not given up, foreign, or still there", () => {
  const { done, givenUp, left } = well();
  assertEquals(unbalanced(all, { done, givenUp, left }), []);
  const [first] = done;
  const [broken = "", ...others] = givenUp;
  assertEquals(unbalanced(all, { done: done.slice(1), givenUp, left }).length, 1);
  assertEquals(unbalanced(all, { done: [...done, ...done.slice(0, 1)], givenUp, left }), [
    `job ${first?.job} is ${all[first?.job ?? 0]?.fate}, and was done 2 times`,
  ]);
  const hasty = done.map((each) => ({ ...each, attempt: 1 }));
  assertEquals(unbalanced(all, { done: hasty, givenUp, left }).length, 10);
  assertEquals(unbalanced(all, { done, givenUp: others, left }), [`${broken} is broken, and was given up 0 times`]);
  assertEquals(unbalanced(all, { done, givenUp: [...givenUp, broken], left }), [
    `${broken} is broken, and was given up 2 times`,
  ]);
  assertEquals(unbalanced(all, { done: [...done, { job: 100, worker: "worker 1", attempt: 1 }], givenUp, left }), [
    "job 100 was done, and never sent",
  ]);
  assertEquals(unbalanced(all, { done, givenUp, left: { waiting: 1, active: 2, delayed: 3 } }), [
    "6 messages are still in the queue",
  ]);
});

test("the table of the jobs sums up their fates", () => {
  const lines = table(all, well()).split("\n").map((line) => line.trim().split(/\s{2,}/));
  assertEquals(lines, [
    ["sent", "done", "error queue"],
    ["at once", "88", "88", "0"],
    ["by a retry", "6", "6", "0"],
    ["by a later try", "4", "4", "0"],
    ["never", "2", "0", "2"],
    ["all", "100", "98", "2"],
  ]);
});
