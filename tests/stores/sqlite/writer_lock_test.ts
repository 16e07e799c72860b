import { assert, assertEquals, assertRejects } from "@std/assert";
import { WriterHeldError } from "../../../src/errors/store.ts";
import { elapsing } from "../../../src/values/elapsing.ts";
import { WriterLock } from "../../../stores/sqlite/writer_lock.ts";
import { turn } from "../../../src/testing/turn.ts";
import { type TestClock, virtualTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { SettableClock } from "../../support/settable_clock.ts";

const { signal } = new AbortController();

/** A lock, what it has said of those who hold it, and virtual time. */
function made(): { lock: WriterLock; told: (string | undefined)[]; clock: TestClock } {
  const lock = new WriterLock("orders.db");
  const told: (string | undefined)[] = [];
  lock.listeners.add((held) => void told.push(held?.message.replace(/ If .*/, "")));
  return { lock, told, clock: virtualTime() };
}

/** What becomes of a wait. */
function outcome(wait: Promise<void>): { is: "waits" | "has it" | WriterHeldError } {
  const found: ReturnType<typeof outcome> = { is: "waits" };
  wait.then(() => found.is = "has it", (error) => found.is = error);
  return found;
}

test("a transaction that keeps others waiting is told of, and in the end those who have waited too long are", async () => {
  const { lock, told, clock } = made();
  const limit = { clock, lockTimeoutMs: 5_000 };
  await lock.acquire(signal, limit);
  lock.holdFor({ who: `a handler of "in"`, keepsSince: clock.now() });
  const first = outcome(lock.acquire(signal, limit));
  await clock.pass(2_000);
  const said = `Cannot write to "sqlite": a handler of "in" has kept "orders.db" to itself for`;
  assertEquals(told, [`${said} 1000 ms.`]);
  const second = outcome(lock.acquire(signal, limit));
  await clock.pass(2_999);
  assertEquals([first.is, second.is], ["waits", "waits"]);
  await clock.pass(1);
  assert(first.is instanceof WriterHeldError);
  assertEquals(first.is.message.startsWith(`${said} 5000 ms.`), true);
  assertEquals(second.is, "waits");
  lock.release();
  await clock.pass(0);
  assertEquals([second.is, told.length, told[1]], ["has it", 2, undefined]);
  lock.release();
  assert(!lock.isHeld);
});

test("as long as turns come, everybody waits for theirs, and nobody is told of", async () => {
  const { lock, told, clock } = made();
  const limit = { clock, lockTimeoutMs: 1_500 };
  const turn = async (): Promise<void> => {
    await lock.acquire(signal, limit);
    lock.holdFor({ who: "each", keepsSince: clock.now() });
    await new Promise<void>((resolve) => clock.at(clock.now() + 900, resolve));
    lock.release();
  };
  let done = 0;
  for (let turns = 0; turns < 10; turns++) void turn().then(() => done++);
  await clock.pass(9_000);
  assertEquals([done, told], [10, []]);
});

test("what ends by itself is waited for without a timer, and who has no limit is told nothing", async () => {
  const { lock, told, clock } = made();
  assert(lock.tryAcquire());
  assert(!lock.tryAcquire());
  const first = outcome(lock.acquire(signal, { clock, lockTimeoutMs: 10 }));
  const endless = outcome(lock.acquire(signal));
  assertEquals(clock.pending, 0);
  await clock.pass(60_000);
  assertEquals([first.is, endless.is, lock.isAwaited], ["waits", "waits", true]);
  lock.release();
  await clock.pass(0);
  lock.holdFor({ who: "it", keepsSince: clock.now() });
  const third = outcome(lock.acquire(signal, { clock, lockTimeoutMs: 10 }));
  await clock.pass(60_000);
  assert(third.is instanceof WriterHeldError);
  assertEquals([endless.is, told.length], ["waits", 1]);
  lock.close();
  assertEquals(clock.pending, 0);
  lock.release();
  await clock.pass(0);
  assertEquals(endless.is, "has it");
  const abort = new AbortController();
  const given = lock.acquire(abort.signal);
  const reason = new Error("given up");
  abort.abort(reason);
  assertEquals(await assertRejects(() => given), reason);
  assertEquals(await assertRejects(() => lock.acquire(abort.signal)), reason);
});

test("a transaction that is waited for is told of after as long as ever, though the clock is set back or on", async () => {
  for (const by of [-7_200_000, 7_200_000]) {
    const { lock, told } = made();
    const clock = new SettableClock();
    const limit = { clock: elapsing(clock), lockTimeoutMs: 5_000 };
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await turn();
    };
    await lock.acquire(signal, limit);
    lock.holdFor({ who: `a handler of "in"`, keepsSince: limit.clock.now() });
    const first = outcome(lock.acquire(signal, limit));
    await pass(500);
    clock.set(by);
    await pass(499);
    assertEquals(told.length, 0);
    await pass(1);
    assertEquals(told.length, 1);
    const second = outcome(lock.acquire(signal, limit));
    clock.set(-by);
    await pass(3_999);
    assertEquals([first.is, second.is], ["waits", "waits"]);
    await pass(1);
    assert(first.is instanceof WriterHeldError);
    assertEquals(first.is.details["heldInMs"], 5_000);
    await pass(999);
    assertEquals(second.is, "waits");
    await pass(1);
    assert(second.is instanceof WriterHeldError);
    lock.release();
    lock.close();
  }
});
