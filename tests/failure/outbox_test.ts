import { assert } from "@std/assert";
import { simulate } from "../../src/testing/mod.ts";
import { onceEach, storm, submitOrders } from "../outbox/crashing_application.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";

const timeoutInMs = 600_000;

const seeds = share(5000);
test(`outbox: ${seeds} seeds of a service in two processes that crash at any point`, async () => {
  const report = await simulate({ seeds }, submitOrders, onceEach);
  assert(report.crashedSeeds >= seeds / 2, `Only ${report.crashedSeeds} seeds had a crash`);
}, { timeoutInMs });

const storms = share(2000);
test(`outbox: ${storms} seeds of it in a storm`, async () => {
  await simulate({ seeds: storms, faults: storm }, submitOrders, onceEach);
}, { timeoutInMs });
