/** How long a row takes to be claimed and deleted, behind and before others: `flat.ts STORE ROWS`, in µs. @module */
import client from "postgres";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../../src/spi/store.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { args, finish, scaled } from "../support/program.ts";
import { busName, writeOutbox } from "../support/rows.ts";
import { removeSchema, schema, temporaryFile, url } from "../support/stores.ts";

const ROWS_AT_ONCE = 200;
const LEASE_MS = 30_000;
const MEASURED = 20_000;
/** How rows become many: by the database itself, as units would take an hour. */
const columns =
  `bus, id, unit, destination, content_type, headers, body, written_due_at, due_at, free_at, waits, parked`;

/** Ids as a bus makes them, in the order of time: of a day before, 20 in a millisecond; those that are parked are older. */
function idOf(parked: boolean, hexOf: (value: string, digits: number) => string): string {
  const time = `(${Date.now() - 86_400_000 * (parked ? 2 : 1)} + i / 20)`;
  return `${hexOf(`${time} >> 16`, 8)} || '-' || ${hexOf(`${time} & 65535`, 4)} || '-7000-8000-' || ${hexOf("i", 12)}`;
}

async function open(store: Store<unknown>): Promise<void> {
  await store.open({ bus: busName, clock: systemClock, signal: new AbortController().signal, status: () => {} });
  await store.deploy("apply");
}

async function inSqlite(rows: number): Promise<Store<unknown>> {
  const path = temporaryFile();
  const store = sqlite({ path, synchronous: "normal" });
  await open(store);
  const database = new DatabaseSync(path);
  database.exec("PRAGMA synchronous = OFF");
  for (const parked of [0, 1]) {
    const id = idOf(parked === 1, (value, digits) => `printf('%0${digits}x', ${value})`);
    database.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO hero_outbox (${columns}) ` +
        `SELECT '${busName}', ${id}, 'u', 'queue:sink', 'application/json', x'5b5d', ` +
        `zeroblob(100), 0, ?, ?, 0, ${parked} FROM n`,
    ).run(rows, Date.now(), Date.now());
  }
  // The disk has all of it before anything is measured: SQLite asks it to where there is something to bring in.
  database.exec("PRAGMA synchronous = NORMAL; PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return store;
}

async function inPostgres(rows: number): Promise<Store<unknown>> {
  await removeSchema();
  const store = postgres({ url, schema });
  await open(store);
  const sql = client(url, { max: 1 });
  for (const parked of [false, true]) {
    const id = idOf(parked, (value, digits) => `lpad(to_hex(${value}), ${digits}, '0')`);
    await sql.unsafe(
      `INSERT INTO "${schema}"."hero_outbox" (${columns}) SELECT '${busName}', ${id}, 'u', ` +
        `'queue:sink', 'application/json', '[]', decode(repeat('00', 100), 'hex'), 0, ${Date.now()}, ${Date.now()}, ` +
        `false, ${parked} FROM generate_series(1, ${rows}) AS i`,
    );
  }
  await sql.unsafe(`VACUUM ANALYZE "${schema}"."hero_outbox"`);
  await sql.unsafe("CHECKPOINT");
  await sql.end();
  return store;
}

/** Behind a backlog of its own: as many as it takes come to it, so that the backlog stays as long as it is. */
async function drain(store: Store<unknown>, count: number): Promise<number> {
  await writeOutbox(store, count);
  const begin = performance.now();
  for (let left = count; left > 0;) {
    const rows = await store.outbox.claim(busName, Math.min(ROWS_AT_ONCE, left), LEASE_MS);
    if (rows.length === 0) throw new Error(`The store has no more rows, though ${left} are due`);
    await store.outbox.done(rows);
    left -= rows.length;
  }
  return (performance.now() - begin) / count * 1000;
}

const [name, rows] = args;
const many = Number(rows) === 1 ? 1 : scaled(Number(rows));
const store = await (name === "sqlite" ? inSqlite(many) : inPostgres(many));
await drain(store, scaled(MEASURED));
finish(await drain(store, scaled(MEASURED)));
