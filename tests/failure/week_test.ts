/** A week of traffic, hour by hour: what comes and goes leaves no table that grows, nor a file. */
import { assert, assertEquals } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, command, createBus, event, query } from "../../mod.ts";
import type { Store } from "../../src/spi/store.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { postgresTransport } from "../../transports/postgres/mod.ts";
import { sqliteTransport } from "../../transports/sqlite/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { openNative } from "../stores/sqlite/native.ts";
import { PostgresBench, skip } from "../stores/postgres/server.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { LeapingClock } from "./kill/leaping_clock.ts";

interface Item {
  readonly id: number;
}
const Work = command<Item>("week.work");
const Done = event<Item>("week.done", { key: ({ id }) => `key ${id % 3}` });
const Remind = command<Item>("week.remind");
const Idle = command<Item>("week.idle", { to: "queue:idle" });
const Ask = query<Item, Item>("week.ask");

const minute = 60_000;
const perHour = 20;
const hours = Math.max(24, share(7 * 24));

/** Where it all is. */
interface Place<in out Tx> {
  readonly clock: LeapingClock;
  store(): Store<Tx>;
  /** Given the store that a bus has. */
  transport(store: Store<Tx>): Transport;
  /** Lets time pass here. */
  leap(ms: number): Promise<void>;
  /** Of each table, how many rows it has. */
  rows(): Promise<ReadonlyMap<string, number>>;
  /** Of each thing that takes room, how much, in bytes; after what is gone was cleared away. */
  room(): Promise<ReadonlyMap<string, number>>;
}

/** One after the other, each in a time of the place's clock. */
async function week<Tx>(place: Place<Tx>): Promise<void> {
  const { clock } = place;
  const seen = { work: new Set<number>(), done: new Set<number>(), reminders: new Set<number>() };
  const buses: Bus<Tx>[] = [];
  const make = (name: string, at: LeapingClock = clock): Bus<Tx> => {
    const store = place.store();
    const bus = createBus({ name, store, transport: place.transport(store), clock: at });
    buses.push(bus);
    return bus;
  };
  const inboxWindow = "2h";
  const bus = make("week");
  bus.endpoint("work", { outbox: { inboxWindow }, redeliver: ["10m"] }).handle(Work, async ({ id }, ctx) => {
    if (id % 10 === 3 && ctx.attempt === 1) throw new Error("The first attempt fails");
    await ctx.publish(Done, { id });
    seen.work.add(id);
  }).handle(Remind, ({ id }) => void seen.reminders.add(id));
  bus.endpoint("done", { order: "key" }).handle(Done, ({ id }) => void seen.done.add(id));
  bus.endpoint("ask").handle(Ask, (item) => item);
  bus.endpoint("idle").handle(Idle, () => {});
  const real = realTime();
  const until = (what: string, holds: () => boolean): Promise<void> => eventually(real, what, holds, 60_000);
  const dead: LeapingClock[] = [];
  try {
    await bus.deploy("apply");
    await bus.start();
    await bus.pause("idle");
    const rows: ReadonlyMap<string, number>[] = [];
    let middle: ReadonlyMap<string, number> | undefined;
    for (let hour = 0; hour < hours; hour++) {
      const ids = Array.from({ length: perHour }, (_, at) => hour * perHour + at);
      await Promise.all(ids.flatMap((id) => [
        bus.send(Work, { id }),
        bus.send(Idle, { id }, { ttl: "30m" }), // nobody takes it
        ...(id % 5 === 0 ? [bus.schedule(Remind, { id }, { in: "3h" })] : []),
        ...(id % 5 === 1 ? [bus.send(Remind, { id }, { delay: "3h" })] : []),
      ]));
      if (hour % 6 === 0) {
        const visitor = make("visitor", new LeapingClock(clock));
        await visitor.start();
        assertEquals(await visitor.request(Ask, { id: hour }), { id: hour });
        await visitor.stop();
      }
      if (hour % 12 === 1) {
        // One that dies leaves its queue behind.
        const own = new LeapingClock(clock);
        const visitor = make("visitor", own);
        await visitor.start();
        assertEquals(await visitor.request(Ask, { id: hour }), { id: hour });
        own.die();
        dead.push(own);
      }
      const failed = ids.filter((id) => id % 10 === 3).length;
      await until("what does not fail", () => seen.done.size >= ids.length * (hour + 1) - failed);
      await place.leap(15 * minute);
      await until("what comes again", () => seen.done.size === ids.length * (hour + 1));
      await place.leap(45 * minute);
      const reminded = Math.max(0, hour - 2) * perHour * 2 / 5;
      await until("what was due now", () => seen.reminders.size >= reminded);
      rows.push(await place.rows());
      if (hour === hours >> 1) middle = await place.room();
    }
    assertEquals(seen.work.size, hours * perHour);
    const [second, last] = [rows.slice(hours >> 2, hours >> 1), rows.slice(hours - (hours >> 2))];
    const tables = [...rows.at(-1)?.keys() ?? []];
    assert(tables.length >= 8, `Only ${tables} were looked at`);
    const of = (table: string, some: typeof rows): readonly number[] => some.map((each) => each.get(table) ?? 0);
    // What grows has more rows at its best than it had at its worst.
    const grown = tables.filter((table) => Math.min(...of(table, last)) > Math.max(...of(table, second)))
      .map((table) => `${table}: ${of(table, second)}, then ${of(table, last)}`);
    assertEquals(grown, []);
    // Some hours' traffic, of which the inbox keeps two.
    for (const table of tables) {
      assert(Math.max(...of(table, last)) <= 10 * perHour, `${table} has ${of(table, last)} rows`);
    }
    for (const [what, bytes] of await place.room()) {
      const before = middle?.get(what) ?? 0;
      assert(bytes <= before * 1.25 + 65_536, `${what} has grown from ${before} to ${bytes} bytes`);
    }
  } finally {
    for (const each of dead) each.revive();
    for (const each of buses.reverse()) await each.stop({ deadline: 0 });
  }
}

test(
  `${hours} hours of traffic leave nothing that grows in a SQLite file`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "hero-week-"));
    const path = join(folder, "week.db");
    const clock = new LeapingClock();
    try {
      await week({
        clock,
        store: () => sqlite({ path, synchronous: "normal" }),
        transport: (store) => sqliteTransport(store),
        leap: (ms) => Promise.resolve(clock.leap(ms)),
        rows: () =>
          openNative(path, (database) => {
            const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
            return new Map(tables.map(({ name }) => {
              const found = database.prepare(`SELECT count(*) AS n FROM "${name}"`).get();
              return [String(name), Number(found?.["n"])] as const;
            }));
          }),
        room: () =>
          openNative(path, (database) => {
            const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
            return new Map([["the file", pages * 4_096]]);
          }),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  { timeoutInMs: 600_000 },
);

test(
  `${hours} hours of traffic leave nothing that grows in PostgreSQL`,
  async () => {
    const bench = new PostgresBench();
    const { sql, schema, url } = bench;
    const clock = new LeapingClock();
    const tables = async (): Promise<readonly string[]> =>
      (await sql`SELECT tablename AS name FROM pg_tables WHERE schemaname = ${schema}`).map(({ name }) => String(name));
    try {
      // The database leaps as well: what asks for the time there finds this function first.
      await sql.unsafe(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".ahead AS SELECT 0::bigint AS ms;
        CREATE FUNCTION "${schema}".clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.clock_timestamp() + (SELECT ms FROM "${schema}".ahead) * interval ''1 millisecond'''`);
      const connection = { synchronous_commit: false, search_path: `"${schema}", pg_catalog` };
      await week({
        clock,
        store: () => postgres({ url, schema, max: 6, connection: { connection } }),
        transport: (store) => postgresTransport(store),
        leap: async (ms) => {
          await sql.unsafe(`UPDATE "${schema}".ahead SET ms = ms + ${ms}`);
          clock.leap(ms);
        },
        rows: async () => {
          const found = new Map<string, number>();
          for (const name of await tables()) {
            const [row] = await sql.unsafe(`SELECT count(*) AS n FROM "${schema}"."${name}"`);
            found.set(name, Number(row?.["n"]));
          }
          return found;
        },
        room: async () => {
          const found = new Map<string, number>();
          for (const name of await tables()) {
            await sql.unsafe(`VACUUM "${schema}"."${name}"`);
            const [row] = await sql`SELECT pg_relation_size(c.oid) AS table_bytes, pg_indexes_size(c.oid) AS index_bytes
              FROM pg_class c WHERE c.oid = ${`"${schema}"."${name}"`}::regclass`;
            found.set(name, Number(row?.["table_bytes"]));
            found.set(`indexes of ${name}`, Number(row?.["index_bytes"]));
          }
          return found;
        },
      });
    } finally {
      await bench[Symbol.asyncDispose]();
    }
  },
  { skip, timeoutInMs: 600_000 },
);
