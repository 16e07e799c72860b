/** Who gets a connection, and who is told that there will be none. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Sql } from "postgres";
import { command, createBus, event, StoreBusyError } from "../../../mod.ts";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import { turn } from "../../../src/testing/turn.ts";
import { VirtualClock } from "../../../src/testing/virtual_clock.ts";
import { postgres } from "../../../stores/postgres/mod.ts";
import type { Line } from "../../../stores/postgres/line.ts";
import { LinePool, type Use } from "../../../stores/postgres/line_pool.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { test } from "../../support/runner.ts";
import { SettableClock } from "../../support/settable_clock.ts";
import { onPostgres, type Opened } from "./opened.ts";

/** A pool of connections that lead nowhere, whose clock stands still. */
function pool(max: number) {
  const clock = new VirtualClock();
  return { ...poolBy(clock, max), pass: (ms: number): Promise<void> => clock.advanceTo(clock.now() + ms, turn) };
}

/** The same, by this clock. */
function poolBy(clock: Clock, max: number) {
  const dialled: Sql[] = [];
  const lines = new LinePool(
    () => {
      const sql = { options: {}, end: () => Promise.resolve() } as unknown as Sql; // all that a pool asks of one
      dialled.push(sql);
      return sql;
    },
    max,
    { clock, ms: 1_000, where: "the database" },
    60_000,
  );
  const taken: string[] = [];
  /** Takes one, and notes when it has it. */
  const take = async (name: string, use: Use, signal?: AbortSignal): Promise<Line> => {
    const line = await lines.take(use, signal);
    taken.push(name);
    return line;
  };
  return { lines, taken, take, dialled };
}

test("where transactions have all connections, there is one more for all else", async () => {
  const { lines, taken, take, dialled } = pool(2);
  const first = await take("t1", "transaction");
  await take("t2", "transaction");
  const third = take("t3", "transaction");
  // What the handlers of these wait for has its turn, before the transaction that came first.
  const flight = await take("f1", "flight");
  const shared = [take("s1", "statement"), take("s2", "statement")];
  await turn();
  assertEquals(taken, ["t1", "t2", "f1"]);
  lines.release(flight, "flight");
  for (const line of await Promise.all(shared)) lines.release(line, "statement");
  assertEquals(taken, ["t1", "t2", "f1", "s1", "s2"]);
  lines.release(first, "transaction");
  await third;
  assertEquals([taken.at(-1), dialled.length], ["t3", 3]);
});

test("who waits is told of it after as long as ever, though the clock is set back or on meanwhile", async () => {
  for (const by of [-7_200_000, 7_200_000]) {
    const clock = new SettableClock();
    const { take } = poolBy(clock, 1);
    await take("t1", "transaction");
    const told: string[] = [];
    const wait = (name: string): void => void take(name, "transaction").catch(({ code }) => told.push(name, code));
    wait("t2");
    clock.advance(600);
    wait("t3");
    clock.set(by);
    const pass = async (ms: number): Promise<readonly string[]> => {
      clock.advance(ms);
      await turn();
      return told;
    };
    assertEquals(await pass(399), []);
    assertEquals(await pass(1), ["t2", "HERO_STORE_BUSY"]);
    assertEquals(await pass(599), ["t2", "HERO_STORE_BUSY"]);
    assertEquals(await pass(1), ["t2", "HERO_STORE_BUSY", "t3", "HERO_STORE_BUSY"]);
  }
});

test("as long as transactions do not have all, there are no more connections than there may be", async () => {
  const { lines, taken, take, dialled } = pool(2);
  const held = await take("t1", "transaction");
  const flight = await take("f1", "flight");
  const rest = [take("f2", "flight"), take("s1", "statement")] as const;
  await turn();
  assertEquals([taken, dialled.length], [["t1", "f1"], 2]);
  lines.release(flight, "flight");
  lines.release(await rest[0], "flight");
  lines.release(held, "transaction");
  await Promise.all(rest);
  assertEquals([taken, dialled.length], [["t1", "f1", "f2", "s1"], 2]);
});

test("a transaction that is given up while it waits gives up its turn, wherever it waits", async () => {
  const { lines, taken, take } = pool(1);
  const abort = new AbortController();
  const held = await take("t1", "transaction");
  const given = take("t2", "transaction", abort.signal); // behind the first
  const next = take("t3", "transaction");
  abort.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  lines.release(held, "transaction");
  const third = await next;
  // All are taken by flights: the next transaction may begin, and has no connection yet.
  lines.release(third, "transaction");
  const flight = await take("f1", "flight");
  const again = new AbortController();
  const fourth = take("t4", "transaction", again.signal);
  again.abort(new Error("enough"));
  await assertRejects(() => fourth, Error, "enough");
  lines.release(flight, "flight");
  await take("t5", "transaction");
  assertEquals(taken, ["t1", "t3", "f1", "t5"]);
});

test("where nobody's turn comes for too long, all who have waited so long are told so, and no others", async () => {
  const { lines, taken, take, pass } = pool(2);
  const held = [await take("t1", "transaction"), await take("t2", "transaction")];
  const late = [take("t3", "transaction"), take("t4", "transaction")].map((each) => each.catch((error) => error));
  await pass(500);
  const later = take("t5", "transaction");
  // Flights go on meanwhile: they are not what these wait for.
  for (let at = 0; at < 4; at++) {
    lines.release(await take("f", "flight"), "flight");
    await pass(100);
  }
  await pass(99);
  let pending = true;
  void Promise.all(late).then(() => pending = false);
  await turn();
  assert(pending);
  await pass(1);
  for (const error of await Promise.all(late)) {
    assert(error instanceof StoreBusyError);
    assertEquals(error.details, { store: "postgres", where: "the database", connections: 2, waitedInMs: 1_000 });
  }
  lines.release(held[0]!, "transaction");
  await later;
  // They have given up their turns with that: there is room for as many as before.
  lines.release(held[1]!, "transaction");
  await take("t6", "transaction");
  assertEquals(taken.filter((name) => name !== "f"), ["t1", "t2", "t5", "t6"]);
});

test("as long as it goes on, everybody's turn comes, however long that takes", async () => {
  const { lines, take, pass } = pool(1);
  let held = await take("t0", "transaction");
  const rest = Array.from({ length: 10 }, (_, at) => take(`t${at + 1}`, "transaction"));
  for (const each of rest) {
    await pass(900);
    lines.release(held, "transaction");
    held = await each;
  }
});

test("a pool that ends turns away whoever waits", async () => {
  const { lines, take } = pool(1);
  await take("t1", "transaction");
  const waiting = [take("t2", "transaction"), take("f1", "flight").then(() => take("f2", "flight"))];
  await turn();
  await lines.end();
  for (const each of waiting) await assertRejects(() => each, Error, "closed");
  await assertRejects(() => take("s1", "statement"), Error, "closed");
});

test("an impatience that is none is refused", () => {
  assertThrows(() => postgres({ url: "postgres://localhost/a", poolTimeout: 0 }), ConfigurationError, "poolTimeout");
});

const Work = command<{ readonly id: number }>("pool.work");
const Told = event<{ readonly id: number }>("pool.told");

/** A bus whose queues share its store's connections. */
function busOn({ bench }: Opened, max: number, poolTimeout: "1m" | "200ms") {
  const store = bench.store({ max, poolTimeout });
  return createBus({ name: "pool", store, transport: postgresTransport(store) });
}

onPostgres(
  "more handlers with ctx.tx than connections wait for one another, and all have their effect",
  async (opened) => {
    const bus = busOn(opened, 2, "1m");
    const done: number[] = [];
    let [running, most] = [0, 0];
    bus.endpoint("work", { outbox: true, concurrency: 16 }).handle(Work, async ({ id }, ctx) => {
      await ctx.tx`SELECT pg_sleep(0.002)`;
      most = Math.max(most, ++running);
      // What is sent past the transaction needs a connection that these do not have.
      await bus.publish(Told, { id });
      running--;
      done.push(id);
    });
    try {
      await bus.deploy("apply");
      await bus.start();
      await Promise.all(Array.from({ length: 60 }, (_, id) => bus.send(Work, { id })));
      await opened.until("all to be done", () => done.length >= 60, 50_000);
      assertEquals(done.toSorted((a, b) => a - b), Array.from({ length: 60 }, (_, id) => id));
      assert(most === 2, `${most} at once`);
    } finally {
      await bus.stop();
    }
  },
);

onPostgres(
  "handlers that begin a second transaction in the first, and so wait for one another, are told so",
  async (opened) => {
    const bus = busOn(opened, 2, "200ms");
    const failed: unknown[] = [];
    const done: number[] = [];
    const inside = Promise.withResolvers<void>();
    bus.endpoint("work", { outbox: true, concurrency: 2 }).handle(Work, async ({ id }, ctx) => {
      await ctx.tx`SELECT 1`;
      if (id < 2) {
        // Both have begun their first.
        if (id === 1) inside.resolve();
        else await inside.promise;
        await bus.transaction((tx) => tx`SELECT 1`);
      }
      done.push(id);
    });
    bus.observe({ faulted: ({ error }) => void failed.push(error) });
    try {
      await bus.deploy("apply");
      await bus.start();
      await Promise.all([bus.send(Work, { id: 0 }), bus.send(Work, { id: 1 })]);
      await opened.until("one of them to be told", () => failed.length > 0, 30_000);
      assert(failed[0] instanceof StoreBusyError, String(failed[0]));
      await bus.send(Work, { id: 2 });
      await opened.until("the next to be done", () => done.includes(2), 30_000);
    } finally {
      await bus.stop();
    }
  },
);

test("a transaction that has to wait for nothing is given a connection at once, and counts as any other", async () => {
  const { lines, taken, take } = pool(2);
  const [first, second] = [lines.free(), lines.free()];
  assert(first !== undefined && second !== undefined && first !== second);
  assertEquals(lines.free(), undefined); // as many as there may be, though there is one more connection for all else
  const third = take("t3", "transaction");
  lines.release(first, "transaction");
  assertEquals((await third, taken), ["t3"]);
});

test("none is given at once where all are taken, and nothing counts for it", async () => {
  const { lines, taken, take } = pool(2);
  const flights = [await take("f1", "flight"), await take("f2", "flight")] as const;
  const third = take("f3", "flight");
  for (let tries = 0; tries < 3; tries++) assertEquals(lines.free(), undefined);
  lines.release(flights[0], "flight");
  lines.release(flights[1], "flight");
  assert(lines.free() !== undefined);
  lines.release(await third, "flight");
  assert(lines.free() !== undefined);
  assertEquals([taken, lines.free()], [["f1", "f2", "f3"], undefined]);
});
