import { assert, assertEquals, assertRejects } from "@std/assert";
import { KeyedLocks } from "../../src/values/keyed_locks.ts";
import { test } from "../support/runner.ts";

const { signal: never } = new AbortController();

test("a lock is held by one at a time, and names do not meet", async () => {
  const locks = new KeyedLocks();
  assert(locks.tryAcquire("a"));
  assert(!locks.tryAcquire("a"));
  await locks.acquire("b", never);
  assertEquals(locks.size, 2);
  locks.release("a");
  assert(locks.tryAcquire("a"));
});

test("who asked first has it first", async () => {
  const locks = new KeyedLocks();
  const order: number[] = [];
  await locks.acquire("a", never);
  const waits = [1, 2, 3].map(async (each) => {
    await locks.acquire("a", never);
    order.push(each);
    locks.release("a");
  });
  assertEquals(order, []);
  locks.release("a");
  await Promise.all(waits);
  assertEquals(order, [1, 2, 3]);
});

test("a name that nobody holds is kept no longer", async () => {
  const locks = new KeyedLocks();
  await locks.acquire("a", never);
  const other = locks.acquire("a", never);
  locks.release("a");
  await other;
  assertEquals(locks.size, 1);
  locks.release("a");
  assertEquals(locks.size, 0);
});

test("a wait that is given up holds nothing and lets others go on", async () => {
  const locks = new KeyedLocks();
  const abort = new AbortController();
  const reason = new Error("given up");
  await locks.acquire("a", never);
  const given = locks.acquire("a", abort.signal);
  const kept = locks.acquire("a", never);
  abort.abort(reason);
  assertEquals(await assertRejects(() => given), reason);
  assertEquals(await assertRejects(() => locks.acquire("b", abort.signal)), reason);
  locks.release("a");
  await kept;
  assertEquals(locks.size, 1);
  locks.release("a");
  assertEquals(locks.size, 0);
});
