import { assert } from "@std/assert";
import { simulate } from "../../src/testing/mod.ts";
import { onceEach, storm, submitOrders } from "../outbox/crashing_application.ts";
import { test } from "../support/runner.ts";

const timeoutInMs = 600_000;

test("outbox: 5,000 seeds of a service in two processes that crash at any point", async () => {
  const report = await simulate({ seeds: 5000 }, submitOrders, onceEach);
  assert(report.crashedSeeds >= 2500, `Only ${report.crashedSeeds} seeds had a crash`);
}, { timeoutInMs });

test("outbox: 2,000 seeds of it in a storm", async () => {
  await simulate({ seeds: 2000, faults: storm }, submitOrders, onceEach);
}, { timeoutInMs });
