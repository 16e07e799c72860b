/** Timeouts over restarts: they keep their time, by the clock and not by when a process began. */
import { assertEquals } from "@std/assert";
import type { Bus } from "../../../src/bus/bus.ts";
import { type OnFile, sqliteTrial } from "../../support/sqlite_trial.ts";
import { Cancelled, OrderSaga, Paid, Submitted } from "./orders.ts";

const minute = 60_000;

async function started(file: OnFile, cancelled: string[]): Promise<Bus<unknown>> {
  const bus = file.bus() as Bus<unknown>;
  bus.add(OrderSaga);
  bus.endpoint("told").handle(Cancelled, ({ id }) => void cancelled.push(id));
  await bus.start();
  return bus;
}

// Case 43.
sqliteTrial("a timeout keeps its time, however often the process is restarted meanwhile", async (t, file) => {
  const cancelled: string[] = [];
  const begun = t.clock.now();
  let bus = await started(file, cancelled);
  await bus.publish(Submitted, { id: "1", total: 1 });
  await t.settled();
  for (const at of [10, 12, 14]) {
    await t.pass(begun + at * minute - t.clock.now());
    await bus.stop();
    bus = await started(file, cancelled);
  }
  await t.pass(begun + 15 * minute - 1 - t.clock.now());
  assertEquals(cancelled, []);
  await t.pass(1);
  assertEquals(cancelled, ["1"]);
  await t.pass(60 * minute);
  assertEquals(cancelled, ["1"]);
});

sqliteTrial(
  "one that came due while nothing ran fires at once when it runs again, and one that was taken back does not",
  async (t, file) => {
    const cancelled: string[] = [];
    let bus = await started(file, cancelled);
    await bus.publish(Submitted, { id: "1", total: 1 });
    await bus.publish(Submitted, { id: "2", total: 1 });
    await t.pass(minute);
    await bus.publish(Paid, { id: "2" });
    await t.pass(9 * minute);
    await bus.stop();
    await t.pass(30 * minute);
    assertEquals(cancelled, []);
    bus = await started(file, cancelled);
    await t.settled();
    assertEquals(cancelled, ["1"]);
    await t.pass(60 * minute);
    assertEquals(cancelled, ["1"]);
    assertEquals((await bus.sagas(OrderSaga).get("2"))?.state, "paid");
  },
);
