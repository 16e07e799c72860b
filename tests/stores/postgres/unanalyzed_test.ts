/** What is due is found by the order of an index, also while the planner takes it for a few rows. */
import { assert, assertEquals } from "@std/assert";
import { DueTable } from "../../../stores/postgres/due_table.ts";
import { Names } from "../../../stores/postgres/names.ts";
import type { Statement } from "../../../stores/postgres/statement.ts";
import { onPostgres, type Opened } from "./opened.ts";
import { planOf, readBy } from "./plans.ts";

const size = 20_000;
const limit = 100;

/** Rows that are due, of one bus or of some, in a table that nobody analyzes. */
async function fill({ bench: { sql, schema } }: Opened, bus: string, free = "1"): Promise<void> {
  await sql.unsafe(
    `INSERT INTO "${schema}".hero_outbox (bus, id, unit, destination, content_type, headers, body, written_due_at, ` +
      `due_at, free_at) SELECT ${bus}, n, 'u', 'queue:q', 't', repeat('h', 200), '', 0, 1, ${free} ` +
      `FROM generate_series(1, ${size}) n`,
  );
}

function unanalyzed(name: string, run: (opened: Opened, table: DueTable<never>) => Promise<void>): void {
  onPostgres(name, async (opened) => {
    await opened.store();
    const { bench: { sql, schema } } = opened;
    await sql.unsafe(`ALTER TABLE "${schema}".hero_outbox SET (autovacuum_enabled = false)`);
    await run(opened, new DueTable(new Names(schema, "hero_"), "outbox"));
  });
}

/** Both ways to claim. */
function claims(table: DueTable<never>): readonly Statement[] {
  return [table.claim("app", limit, 1_000), table.claim("app", limit, 1_000, true)];
}

/** What each reads, planned for its values and for any. */
async function mostReadBy({ bench: { sql } }: Opened, statements: readonly Statement[]): Promise<readonly number[]> {
  const read: number[] = [];
  for (const each of statements) {
    for (const kept of [true, false]) read.push(Math.max(...(await planOf(sql, each, kept)).map(readBy)));
  }
  return read;
}

unanalyzed("a claim reads no more than it gives of a table that has grown since it was made", async (opened, table) => {
  await fill(opened, "'app'");
  assertEquals(await mostReadBy(opened, claims(table)), Array(4).fill(limit));
});

unanalyzed("a claim reads no more than it gives where many buses share a table", async (opened, table) => {
  await fill(opened, "CASE n % 10 WHEN 0 THEN 'app' ELSE 'bus' || n % 100 END");
  await opened.bench.sql.unsafe(`ANALYZE "${opened.bench.schema}".hero_outbox`);
  assertEquals(await mostReadBy(opened, claims(table)), Array(4).fill(limit));
});

unanalyzed("a claim passes over nothing that is put off, however much that is", async (opened, table) => {
  const { bench: { sql, schema } } = opened;
  await fill(opened, "'app'", "9e14");
  await sql.unsafe(`UPDATE "${schema}".hero_outbox SET again_at = free_at`);
  await sql.unsafe(
    `INSERT INTO "${schema}".hero_outbox (bus, id, unit, destination, content_type, headers, body, written_due_at, ` +
      `due_at, free_at, again_at) SELECT 'app', 'due' || n, 'u', 'queue:q', 't', '[]', '', 0, 2, 2, ` +
      `CASE WHEN n > ${limit / 2} THEN 2 END FROM generate_series(1, ${limit}) n`,
  );
  const read = await mostReadBy(opened, claims(table));
  assert(read.every((rows) => rows <= 2 * limit), String(read));
});

unanalyzed("when the next is due is found without sorting what is leased", async (opened, table) => {
  await fill(opened, "'app'", "9e14");
  for (const kept of [true, false]) {
    const plans = await planOf(opened.bench.sql, table.next("app"), kept);
    assertEquals(plans.filter((plan) => plan["Node Type"] === "Sort"), []);
  }
});
