import { assert, assertEquals } from "@std/assert";
import { type Faults, simulate } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { ordersAreComplete, submitOrders } from "../testing/orders_application.ts";
import { parcelsAreDone, sendParcels } from "../testing/parcels_application.ts";

/** Far more than usual: hardly a message comes through at once. */
const storm: Faults = { drop: 0.01, duplicate: 0.05, delay: 0.3, reorder: 0.5, crash: 0.005, fail: 0.05 };
const timeoutInMs = 600_000;

test("simulation: 10,000 seeds of two buses, three endpoints and fifty messages, with every fault", async () => {
  const seeds = 10_000;
  const report = await simulate({ seeds }, (world) => submitOrders(world), ordersAreComplete);
  assertEquals(report.seeds, seeds);
  assert(report.crashedSeeds >= seeds / 5, `Only ${report.crashedSeeds} seeds had a crash`);
}, { timeoutInMs });

test("simulation: 2,000 seeds of it in a storm", async () => {
  await simulate({ seeds: 2000, faults: storm }, (world) => submitOrders(world), ordersAreComplete);
}, { timeoutInMs });

test("simulation: 1,000 seeds of all that endpoints can, while instances are upgraded", async () => {
  await simulate({ seeds: 1000 }, (world) => sendParcels(world), parcelsAreDone);
}, { timeoutInMs });

test("simulation: 500 seeds of it in a storm", async () => {
  await simulate({ seeds: 500, faults: storm }, (world) => sendParcels(world), parcelsAreDone);
}, { timeoutInMs });
