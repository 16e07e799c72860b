import { assert, assertEquals } from "@std/assert";
import { type Faults, simulate } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { ordersAreComplete, submitOrders } from "../testing/orders_application.ts";
import { parcelsAreDone, sendParcels } from "../testing/parcels_application.ts";

/** Far more than usual: hardly a message comes through at once. */
const storm: Faults = { drop: 0.01, duplicate: 0.05, delay: 0.3, reorder: 0.5, crash: 0.005, fail: 0.05 };
const timeoutInMs = 600_000;

const seeds = share(10_000);
test(`simulation: ${seeds} seeds of two buses, three endpoints and fifty messages, with every fault`, async () => {
  const report = await simulate({ seeds }, (world) => submitOrders(world), ordersAreComplete);
  assertEquals(report.seeds, seeds);
  assert(report.crashedSeeds >= seeds / 5, `Only ${report.crashedSeeds} seeds had a crash`);
}, { timeoutInMs });

const storms = share(2000);
test(`simulation: ${storms} seeds of it in a storm`, async () => {
  await simulate({ seeds: storms, faults: storm }, (world) => submitOrders(world), ordersAreComplete);
}, { timeoutInMs });

const upgrades = share(1000);
test(`simulation: ${upgrades} seeds of all that endpoints can, while instances are upgraded`, async () => {
  await simulate({ seeds: upgrades }, (world) => sendParcels(world), parcelsAreDone);
}, { timeoutInMs });

const upgradesInStorms = share(500);
test(`simulation: ${upgradesInStorms} seeds of it in a storm`, async () => {
  await simulate({ seeds: upgradesInStorms, faults: storm }, (world) => sendParcels(world), parcelsAreDone);
}, { timeoutInMs });
