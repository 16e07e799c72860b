import { assert, assertEquals } from "@std/assert";
import { DueLoop } from "../../src/outbox/due_loop.ts";
import type { Due, Leased } from "../../src/spi/store.ts";
import { turn } from "../../src/testing/turn.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { test } from "../support/runner.ts";

interface Row {
  readonly id: string;
}

/** Rows as a test says, and a loop over them. */
function looking(
  claim: (time: number) => readonly Row[],
  next: (signal: AbortSignal) => Promise<number>,
  pollInMs = Infinity,
  ahead: () => boolean = () => false,
) {
  const clock = new VirtualClock();
  const claims: number[] = [];
  const taken: string[] = [];
  const due = {
    claim: (_bus: string, _limit: number, leaseMs: number) => {
      claims.push(clock.now());
      const rows = claim(claims.length);
      return Promise.resolve(rows.map((row) => ({ row, fence: 1, attempts: 0, until: clock.now() + leaseMs })));
    },
    next: (_bus: string, signal: AbortSignal) => next(signal),
  };
  const loop = new DueLoop<Row>({
    bus: "app",
    due: due as unknown as Due<Row>, // it asks for no more than that
    clock,
    random: () => 0.5,
    limit: 10,
    leaseMs: 1000,
    pollInMs,
    take: (rows: readonly Leased<Row>[]) => Promise.resolve(void taken.push(...rows.map(({ row }) => row.id))),
    ahead,
    idle: () => {},
  });
  const pass = (ms: number) => clock.advanceTo(clock.now() + ms, turn);
  return { clock, claims, taken, loop, pass };
}

/** Until it is given up. */
const never = (signal: AbortSignal) =>
  new Promise<number>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

test("DueLoop claims as long as there is something, and then waits without looking", async () => {
  const { claims, taken, loop, pass, clock } = looking((time) => time < 4 ? [{ id: `row ${time}` }] : [], never);
  loop.start();
  await pass(86_400_000);
  assertEquals(taken, ["row 1", "row 2", "row 3"]);
  assertEquals(claims.length, 4);
  await loop.stop();
  assertEquals(clock.pending, 0);
});

test("DueLoop lets others have their turn between the batches of a backlog", async () => {
  const batch = Array.from({ length: 10 }, (_, place) => ({ id: `row ${place}` }));
  const { claims, loop } = looking((time) => time <= 1000 ? batch : [], never);
  loop.start();
  await turn();
  assert(claims.length < 1000);
  await loop.stop();
});

/** As many turns as a backlog of a few batches takes. */
const turns = async () => {
  for (let count = 0; count < 20; count++) await turn();
};
const batchOf = (time: number) => Array.from({ length: 10 }, (_, place) => ({ id: `row ${time}.${place}` }));

test("DueLoop has the next batch of a backlog claimed while it takes one, and takes them in order", async () => {
  const told: number[] = [];
  const { claims, taken, loop, clock } = looking(
    (time) => time <= 3 ? batchOf(time) : [],
    never,
    Infinity,
    () => {
      told.push(taken.length);
      return claims.length < 3;
    },
  );
  loop.start();
  await turns();
  assertEquals(taken, [1, 2, 3].flatMap((time) => batchOf(time).map(({ id }) => id)));
  // With the first and the second, the next was claimed before they were taken; the third came when all was.
  assertEquals([told, claims.length], [[0, 10, 20], 4]);
  await loop.stop();
  assertEquals(clock.pending, 0);
});

test("DueLoop takes what was claimed ahead also when it is stopped, and claims no more", async () => {
  const { claims, taken, loop } = looking(batchOf, never, Infinity, () => true);
  loop.start();
  await turn();
  await loop.stop();
  const { length } = claims;
  assertEquals(taken, Array.from({ length }, (_, at) => batchOf(at + 1).map(({ id }) => id)).flat());
  await turn();
  assertEquals(claims.length, length);
});

test("DueLoop goes on after a claim ahead that failed", async () => {
  const { taken, loop, pass } = looking(
    (time) => {
      if (time === 2) throw new Error("connection refused");
      return time <= 3 ? batchOf(time) : [];
    },
    never,
    Infinity,
    () => true,
  );
  loop.start();
  await turns();
  await pass(10_000);
  await turns();
  assertEquals(taken, [1, 3].flatMap((time) => batchOf(time).map(({ id }) => id)));
  assertEquals(loop.error, undefined);
  await loop.stop();
});

test("DueLoop looks when the store says that something is due, and not before", async () => {
  const clock = { start: 0 };
  const { claims, loop, pass } = looking(
    () => [],
    (signal) => claims.length === 1 ? Promise.resolve(clock.start + 5000) : never(signal),
  );
  clock.start = Date.UTC(2026, 0, 1);
  loop.start();
  await pass(4999);
  assertEquals(claims.length, 1);
  await pass(1);
  assertEquals(claims.length, 2);
  await loop.stop();
});

test("DueLoop asks a store less and less often that says there is something and gives nothing", async () => {
  const { claims, loop, pass, clock } = looking(() => [], () => Promise.resolve(0));
  loop.start();
  await pass(60_000);
  assert(claims.length < 30, `It looked ${claims.length} times in a minute`);
  await loop.stop();
  assertEquals(clock.pending, 0);
});

test("DueLoop looks now and then though it hears nothing, and at once when it is woken", async () => {
  const { claims, loop, pass, clock } = looking(() => [], never, 1000);
  loop.start();
  await pass(3500);
  assertEquals(claims.length, 4);
  loop.wake();
  await turn();
  assertEquals(claims.length, 5);
  await loop.stop();
  assertEquals(clock.pending, 0);
});

test("DueLoop goes on after a store that could not be asked, and says meanwhile that it cannot", async () => {
  let away = true;
  const { taken, loop, pass } = looking((time) => {
    if (away) throw new Error("connection refused");
    return taken.length === 0 ? [{ id: `row ${time}` }] : [];
  }, never);
  loop.start();
  await pass(60_000);
  assertEquals(loop.error?.message, "connection refused");
  away = false;
  await pass(10_000);
  assertEquals([taken.length, loop.error], [1, undefined]);
  await loop.stop();
});
