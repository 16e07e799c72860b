/** Which instances a message has for itself. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { InstanceBusyError, Reservation } from "../../../src/sagas/runtime/reservation.ts";
import { KeyedLocks } from "../../../src/values/keyed_locks.ts";
import { test } from "../../support/runner.ts";

const never = new AbortController().signal;

test("who waits for several instances in vain holds none of them", async () => {
  const locks = new KeyedLocks();
  const one = new Reservation(locks, ["b"]);
  assertEquals(one.tryTake(), true);
  const both = new Reservation(locks, ["a", "b"]);
  assertEquals(both.tryTake(), false);
  assertEquals(locks.size, 1);
  const stop = new AbortController();
  const taking = both.take(stop.signal);
  await Promise.resolve();
  stop.abort(new Error("stopped"));
  await assertRejects(() => taking, Error, "stopped");
  assertEquals(locks.size, 1);
  one.release();
  assertEquals(locks.size, 0);
});

test("messages that want the same instances in any order all get them, one after the other", async () => {
  const locks = new KeyedLocks();
  const order: number[] = [];
  await Promise.all(Array.from({ length: 20 }, async (_, at) => {
    const reservation = new Reservation(locks, at % 2 === 0 ? ["a", "b"] : ["b", "a"]);
    if (!reservation.tryTake()) await reservation.take(never);
    order.push(at);
    await Promise.resolve();
    reservation.release();
  }));
  assertEquals(order.length, 20);
  assertEquals(locks.size, 0);
});

test("what is found out later is taken if it is free, and waited for from the beginning if it is not", async () => {
  const locks = new KeyedLocks();
  const busy = new Reservation(locks, ["c"]);
  busy.tryTake();
  const reservation = new Reservation(locks, ["a"]);
  reservation.tryTake();
  reservation.add(["a", "b"]);
  assertEquals(locks.size, 3);
  assertThrows(() => reservation.add(["c"]), InstanceBusyError);
  reservation.release();
  assertEquals(locks.size, 1);
  const taking = reservation.take(never);
  busy.release();
  await taking;
  assertEquals(locks.size, 3, "all that it has asked for by now");
  reservation.release();
});
