/** How PostgreSQL finds the rows: what waits or is parked costs nothing. */
import { assert, assertEquals } from "@std/assert";
import { Cancelled } from "../../../stores/postgres/cancelled.ts";
import { DueTable } from "../../../stores/postgres/due_table.ts";
import { FreeRows } from "../../../stores/postgres/free_rows.ts";
import { Inbox } from "../../../stores/postgres/inbox.ts";
import { JoinedRows } from "../../../stores/postgres/joined_rows.ts";
import { Names } from "../../../stores/postgres/names.ts";
import { UsualRow } from "../../../stores/postgres/usual_row.ts";
import { Sagas } from "../../../stores/postgres/sagas.ts";
import type { Statement } from "../../../stores/postgres/statement.ts";
import type { OutboxRow, ScheduleRow } from "../../../src/spi/rows.ts";
import { onPostgres, type Opened } from "./opened.ts";
import { isWhole, listOf, type Plan, planOf, readBy, stepsOf } from "./plans.ts";

const size = 20_000;

/** Many rows of every kind: due, behind others of a hot key, leased, not yet due, parked, put off. */
async function fill({ bench: { sql, schema } }: Opened): Promise<void> {
  const columns = "bus, id, unit, key, destination, content_type, headers, body, written_due_at, due_at, free_at, " +
    "waits, parked, again_at";
  const kinds = [
    ["due", "NULL", "1", "1", "false", "false", "NULL"],
    ["hot", "'hot'", "1", "1", "n > 1", "false", "NULL"],
    ["leased", "NULL", "1", "9e14", "false", "false", "NULL"],
    ["later", "'k' || n", "9e14", "9e14", "false", "false", "NULL"],
    ["parked", "'k' || n", "1", "1", "false", "true", "NULL"],
    ["failed", "'k' || n", "0", "9e14", "false", "false", "9e14"],
  ] as const;
  for (const [table, more, value] of [["outbox", "", ""], ["schedules", ", token", ", n"]] as const) {
    for (const [kind, key, due, free, waits, parked, again] of kinds) {
      await sql.unsafe(
        `INSERT INTO "${schema}".hero_${table} (${columns}${more}) SELECT 'app', '${kind}' || n, 'u', ${key}, 'queue:q', ` +
          `'t', '[]', 'x', 0, ${due}, ${free}, ${waits}, ${parked}, ${again}${
            value === "" ? "" : `, '${kind}' || n`
          } ` +
          `FROM generate_series(1, ${kind === "leased" ? 200 : size}) n`,
      );
    }
  }
  await sql.unsafe(
    `INSERT INTO "${schema}".hero_inbox SELECT 'app', 'e', 'm' || n, n FROM generate_series(1, ${size}) n`,
  );
  await sql.unsafe(
    `INSERT INTO "${schema}".hero_cancelled SELECT 'app', 't' || n, 'u', n FROM generate_series(1, ${size}) n`,
  );
  await sql.unsafe(
    `INSERT INTO "${schema}".hero_sagas SELECT 'app', 'order', 'id' || n, 'i', 1, 1, 's', '', NULL, '[]' FROM generate_series(1, ${size}) n`,
  );
  await sql.unsafe(
    `INSERT INTO "${schema}".hero_saga_indexes SELECT 'app', 'order', 'customer', 'c' || (n % 100), 'id' || n FROM generate_series(1, ${size}) n`,
  );
  // Of a bus that has none with keys, among those of one that has.
  for (const [table, more, value] of [["outbox", "", ""], ["schedules", ", token", ", n"]] as const) {
    await sql.unsafe(
      `INSERT INTO "${schema}".hero_${table} (${columns}${more}) SELECT 'other', 'due' || n, 'u', NULL, 'queue:q', 't', ` +
        `'[]', 'x', 0, 1, 1, false, false, NULL${value} FROM generate_series(1, ${size}) n`,
    );
  }
}

/** Has the planner know all. */
async function analyze({ bench: { sql, schema } }: Opened, storage?: string): Promise<void> {
  for (const table of ["outbox", "schedules", "inbox", "sagas", "saga_indexes", "cancelled"]) {
    if (storage !== undefined) await sql.unsafe(`ALTER TABLE "${schema}".hero_${table} SET (${storage})`);
    await sql.unsafe(`VACUUM ANALYZE "${schema}".hero_${table}`);
  }
}

/** All statements of the tables, with rows that are there. */
async function statementsOf(opened: Opened): Promise<Readonly<Record<string, Statement>>> {
  const { bench: { sql, schema }, bus } = opened;
  const names = new Names(schema, "hero_");
  const [inbox, sagas, cancelled] = [new Inbox(names), new Sagas(names), new Cancelled(names)];
  const statements: Record<string, Statement> = {
    "inbox: find": inbox.find([{ ...opened.key("m1"), endpoint: "e", bus }]),
    "inbox: record": inbox.record([{ ...opened.key("new"), endpoint: "e", bus }]),
    "inbox: sweep": inbox.sweep(100),
    "cancelled: add": cancelled.add(bus, [{ token: "due7", group: "u" }, { token: "none", group: "u" }])[0]!,
    "cancelled: sweep": cancelled.sweep(100),
    "sagas: load": sagas.load(bus, "order", "id7", true),
    "sagas: find": sagas.find(bus, "order", { customer: "c7" }, "id3", 10),
  };
  for (const name of ["outbox", "schedules"] as const) {
    const table = new DueTable<OutboxRow>(names, name);
    const hot = opened.row({ id: "hot1", key: "hot" });
    const [marked] = await sql.unsafe(
      `UPDATE "${schema}".hero_${name} SET fence = 1 WHERE id = 'hot1' RETURNING place`,
    );
    const place = marked?.["place"] ?? 0; // of a table that is empty
    const leased = table.inserted([hot], [[place, 1, "hot1", 0]], 0);
    const done = table.done(leased);
    const later = table.later(leased.map((each) => ({ leased: each, dueAt: 0, error: "", park: true })), 0);
    const free = table.inserted([opened.row({ id: "hot1" })], [[place, 1, "hot1", 0]], 0);
    Object.assign(statements, {
      [`${name}: insert`]: table.insert(bus, [opened.schedule({ key: "hot" })], 1_000, true),
      [`${name}: claim`]: table.claim(bus, 100, 1_000),
      [`${name}: claim free`]: table.claim("other", 100, 1_000, true),
      [`${name}: next`]: table.next(bus),
      [`${name}: parked`]: table.parked(bus, "parked5", 10),
      [`${name}: unpark`]: table.unpark(bus, ["parked7"]),
      [`${name}: discard`]: table.discard(bus, ["parked7"]),
      [`${name}: lock`]: done[0]!,
      [`${name}: done`]: done[1]!,
      [`${name}: promote`]: done[2]!,
      [`${name}: done alone`]: table.done(free)[0]!,
      [`${name}: later`]: later[1]!,
    });
  }
  const free = new FreeRows(names, inbox, sagas);
  const unit = { bus, key: { ...opened.key("free"), bus }, change: undefined, rows: [opened.row()], leaseMs: 1_000 };
  statements["free rows: one"] = free.write(unit);
  statements["usual row"] = new UsualRow(names).write(bus, opened.row(), 30_000)!; // it is one
  statements["free rows: many"] = free.write({ ...unit, key: undefined, rows: [opened.row(), opened.row()] });
  statements["free rows: shared"] = free.share([unit, { ...unit, key: undefined }, { ...unit, rows: [] }]);
  const was = (id: string) => opened.saga({ saga: "order", id, incarnation: "i", version: 1, schema: 1, state: "s" });
  const changes = [
    { before: undefined, after: was("new") },
    { before: was("id7"), after: { ...was("id7"), version: 2 } },
    { before: was("id8"), after: undefined },
  ];
  statements["free rows: shared, with instances"] = free.share(
    changes.map((change, at) => ({ ...unit, key: { ...unit.key, messageId: `free${at}` }, change })),
  );
  statements["free rows: several, with an instance"] = free.write({
    ...unit,
    change: changes[1],
    rows: [opened.row(), opened.row()],
  });
  const rows = new JoinedRows(names, sagas);
  const joined = { part: { queries: "nothing AS (SELECT)", select: "SELECT 1 WHERE false", columns: 1 }, values: [] };
  const keys = changes.map((_, at) => ({ ...unit.key, messageId: `joined${at}` }));
  statements["joined rows"] = rows.write([{ bus, keys, changes }], joined)!;
  const schedules = new DueTable<ScheduleRow>(names, "schedules");
  schedules.remove(bus, ["due7"]).slice(0, 2).forEach((each, at) => statements[`schedules: remove ${at}`] = each);
  return statements;
}

/** What reads a table from end to end, or much more than it gives. */
function tooMuch(name: string, plans: readonly Plan[]): readonly string[] {
  const found = plans.filter((plan) => isWhole(plan) || readBy(plan) > 6_000);
  return found.map((plan) => `${name}: ${plan["Node Type"]} of ${plan["Relation Name"]}, ${readBy(plan)} rows`);
}

onPostgres("no statement reads a table from end to end, nor much more than it gives", async (opened) => {
  await opened.store();
  await fill(opened);
  await analyze(opened);
  const wrong: string[] = [];
  for (const [name, statement] of Object.entries(await statementsOf(opened))) {
    wrong.push(...tooMuch(name, await planOf(opened.bench.sql, statement)));
  }
  assertEquals(wrong, []);
}, 120_000);

/** Of plans that were kept from when tables were empty: what is asked for so rarely may read much, until it is analyzed. */
const rare = /unpark|discard|sagas: find/;

onPostgres("no plan that was kept from when tables were empty reads much more than it gives", async (opened) => {
  await opened.store();
  await analyze(opened, "autovacuum_enabled = false");
  const { bench: { sql } } = opened;
  // Those without values are planned each time.
  const prepared = async () =>
    Object.entries(await statementsOf(opened)).filter(([name, { values }]) => values.length > 0 && !rare.test(name));
  const wrong: string[] = [];
  await sql.begin(async (tx) => {
    await tx`SET LOCAL plan_cache_mode = force_generic_plan`;
    await tx`SELECT set_config('hero.freed', '[["app","hot"]]', true)`;
    for (const [at, [, { text, values }]] of (await prepared()).entries()) {
      await tx.unsafe(`PREPARE kept${at} AS ${text}`);
      await tx.unsafe(`EXPLAIN EXECUTE kept${at}${listOf(values)}`);
    }
    await fill(opened);
    for (const [at, [name, { values }]] of (await prepared()).entries()) {
      await tx`SAVEPOINT each`;
      const [row] = await tx.unsafe(`EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE kept${at}${listOf(values)}`);
      await tx`ROLLBACK TO SAVEPOINT each`;
      wrong.push(...tooMuch(name, stepsOf(row?.["QUERY PLAN"])));
    }
    await tx`DEALLOCATE ALL`;
  });
  assertEquals(wrong, []);
}, 120_000);

onPostgres("a hot key's backlog that nobody could mark is looked at once, and not with every claim", async (opened) => {
  const store = await opened.store();
  const { bench: { sql, schema }, bus } = opened;
  // As joined transactions leave them.
  for (let unit = 0; unit < 3; unit++) {
    await sql.begin(async (tx) => {
      const rows = Array.from({ length: 500 }, () => opened.row({ key: "hot" }));
      await store.join(tx, opened.scope()).commit(opened.changes({ outbox: rows }));
    });
  }
  const [first] = await store.outbox.claim(bus, 1, 60_000);
  assert(first !== undefined);
  const other = opened.row();
  await sql.begin(async (tx) => void await store.join(tx, opened.scope()).commit(opened.changes({ outbox: [other] })));
  assertEquals((await store.outbox.claim(bus, 100, 60_000)).map(({ row }) => row.id), [other.id]);
  const waits = async () =>
    (await sql.unsafe(`SELECT count(*) FILTER (WHERE waits)::int AS n FROM "${schema}".hero_outbox`))[0]?.["n"];
  assertEquals(await waits(), 1_499);
  await store.outbox.done([first]);
  assertEquals(await waits(), 1_498);
  const next = await store.outbox.claim(bus, 1_000, 60_000);
  assertEquals(next.length, 1_000);
  await store.outbox.done(next);
  assertEquals((await store.outbox.claim(bus, 1_000, 60_000)).length, 499);
});

onPostgres(
  "rows behind the first of their key are known to wait from the start, so that no claim looks",
  async (opened) => {
    const store = await opened.store();
    const { bench: { sql, schema } } = opened;
    for (let unit = 0; unit < 3; unit++) {
      const rows = [opened.row({ key: "hot" }), opened.row({ key: `own ${unit}` })];
      await (await store.begin(opened.scope({ leaseMs: 0 }))).commit(opened.changes({ outbox: rows }));
    }
    const waiting = await sql.unsafe(`SELECT "key" FROM "${schema}".hero_outbox WHERE waits`);
    assertEquals(waiting.map(({ key }) => key), ["hot", "hot"]);
  },
);

onPostgres("a claim of rows without keys writes each in its page, and no index", async (opened) => {
  const store = await opened.store();
  const { bench: { sql, schema }, bus } = opened;
  const rows = Array.from({ length: 500 }, (_, at) => opened.row({ id: `row-${1000 + at}` }));
  await (await store.begin(opened.scope({ leaseMs: 0 }))).commit(opened.changes({ outbox: rows }));
  const pages = async () => {
    const found = await sql.unsafe(
      `SELECT id, (ctid::text::point)[0]::int AS page FROM "${schema}".hero_outbox ORDER BY id`,
    );
    return found.map((row) => [row["id"], row["page"]]);
  };
  const indexes = async () =>
    (await sql.unsafe(
      `SELECT sum(pg_relation_size(indexrelid))::int AS n FROM pg_index ` +
        `WHERE indrelid = '"${schema}".hero_outbox'::regclass`,
    ))[0]?.["n"];
  const [before, size] = [await pages(), await indexes()];
  assert(new Set(before.map(([, page]) => page)).size > 10);
  assertEquals((await store.outbox.claim(bus, 500, 60_000)).length, 500);
  assertEquals([await pages(), await indexes()], [before, size]);
  // A second time it does only once what was before is cleared away, which others' transactions hold up.
});

/** Schedules of which none is due for long. */
async function fillLater({ bench: { sql, schema } }: Opened, count: number, length: number): Promise<void> {
  await sql.unsafe(
    `INSERT INTO "${schema}".hero_schedules (bus, id, unit, destination, content_type, headers, body, written_due_at, ` +
      `due_at, free_at, token) SELECT 'app', 'later' || n, 'u', 'queue:q', 't', '[]', ` +
      `convert_to(repeat('x', ${length}), 'UTF8'), 0, 9e14 + n, 9e14 + n, n ` +
      `FROM generate_series(1, ${count}) n`,
  );
  await sql.unsafe(`VACUUM ANALYZE "${schema}".hero_schedules`);
}

onPostgres("when the next of many is due is found without reading all of them", async (opened) => {
  await opened.store();
  await fillLater(opened, size, 1000);
  const { bench: { sql, schema } } = opened;
  const table = new DueTable<ScheduleRow>(new Names(schema, "hero_"), "schedules");
  const plans = await planOf(sql, table.next(opened.bus));
  assertEquals(plans.filter((plan) => plan["Node Type"].endsWith("Seq Scan")), []);
}, 120_000);

onPostgres("claims from a long backlog keep their plan", async (opened) => {
  await opened.store();
  const { bench: { sql, schema } } = opened;
  await fillLater(opened, 5 * size, 1);
  const table = new DueTable<ScheduleRow>(new Names(schema, "hero_"), "schedules");
  const claims = [table.claim("app", 200, 1_000), table.claim("app", 200, 1_000, true)];
  await sql.begin(async (tx) => {
    for (const [at, { text, values }] of claims.entries()) {
      await tx.unsafe(`PREPARE claim${at} AS ${text}`);
      for (let times = 0; times < 8; times++) await tx.unsafe(`EXECUTE claim${at}${listOf(values)}`);
    }
    const kept = await tx`SELECT generic_plans::int AS kept FROM pg_prepared_statements WHERE name LIKE 'claim_'`;
    // Five are made to compare with.
    assertEquals(kept.map((row) => row["kept"]), [3, 3]);
    await tx.unsafe("DEALLOCATE claim0; DEALLOCATE claim1");
  });
}, 120_000);

/** As the deliverer claims. */
const atOnce = 1_000;
/** What the planner takes for dearer is compiled before it is run, each time, for longer than it runs: `jit_above_cost`. */
const compiledAbove = 100_000;

for (const keys of [10, 1_000, 5 * size]) {
  onPostgres(`a claim from a backlog of ${keys} keys locks what it takes, and is not compiled`, async (opened) => {
    await opened.store();
    const { bench: { sql, schema } } = opened;
    await sql.unsafe(
      `INSERT INTO "${schema}".hero_outbox (bus, id, unit, "key", destination, content_type, headers, body, ` +
        `written_due_at, due_at, free_at, waits) SELECT 'app', 'r' || n, 'u', 'k' || (n % ${keys}), 'queue:q', 't', '[]', ` +
        `'x', 0, n, n, n > ${keys} FROM generate_series(1, ${5 * size}) n`,
    );
    await sql.unsafe(`VACUUM ANALYZE "${schema}".hero_outbox`);
    const table = new DueTable<OutboxRow>(new Names(schema, "hero_"), "outbox");
    for (const kept of [true, false]) {
      const [whole, ...steps] = await planOf(sql, table.claim(opened.bus, atOnce, 30_000), kept);
      assert(whole !== undefined);
      assertEquals(whole["Actual Rows"], atOnce);
      const locked = steps.filter((step) => step["Node Type"] === "LockRows").map((step) => step["Actual Rows"]);
      assert(locked.length > 0 && locked.reduce((sum, each) => sum + each) <= 2 * atOnce, String(locked));
      assert(whole["Total Cost"] < compiledAbove, String(whole["Total Cost"]));
    }
  }, 120_000);
}
