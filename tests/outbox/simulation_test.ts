import { assert } from "@std/assert";
import { simulate } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { seeds } from "../support/share.ts";
import { onceEach, storm, submitOrders } from "./crashing_application.ts";

const many = seeds(160);

test(
  `outbox: over ${many} seeds of crashes at any point, each message has one effect and one set of messages`,
  async () => {
    const report = await simulate({ seeds: many }, submitOrders, onceEach);
    assert(report.crashedSeeds >= many / 2, `Only ${report.crashedSeeds} seeds had a crash`);
  },
  { timeoutInMs: 120_000 },
);

test("outbox: over 20 seeds of a storm, too", async () => {
  await simulate({ seeds: 20, faults: storm }, submitOrders, onceEach);
}, { timeoutInMs: 120_000 });
