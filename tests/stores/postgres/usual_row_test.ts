/** Rows whose ids were made for them are written without a look whether they are there; others with one. */
import { assertEquals, assertRejects } from "@std/assert";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import { onPostgres, type Opened } from "./opened.ts";

type Store = Awaited<ReturnType<Opened["store"]>>;

/** Commits rows with a transaction that was used; gives the ids of those that were written. */
async function commit(opened: Opened, store: Store, outbox: readonly OutboxRow[]): Promise<readonly string[]> {
  const unit = await store.begin(opened.scope());
  await unit.tx`SELECT 1`;
  return (await unit.commit(opened.changes({ outbox }))).map(({ row: { id } }) => id);
}
/** Which of what has written rows looks whether they are there, in the order in which it was first used. */
async function looks(opened: Opened, store: Store): Promise<readonly boolean[]> {
  const unit = await store.begin(opened.scope());
  const found = await unit.tx`SELECT statement LIKE '%ON CONFLICT%' AS looks, statement FROM pg_prepared_statements
    WHERE statement LIKE '%hero_outbox%' AND from_sql ORDER BY prepare_time`;
  await unit.rollback();
  return found.map((row) => row["looks"]);
}

for (const count of [1, 3]) {
  onPostgres(`${count} fresh, and given: what is there is left out of those that may be`, async (opened) => {
    const store = await opened.store({ max: 1 });
    const rows = (fresh: boolean | undefined) => Array.from({ length: count }, () => ({ ...opened.row(), fresh }));
    const ids = (some: readonly OutboxRow[]) => some.map(({ id }) => id);
    const [fresh, given] = [rows(true), rows(undefined)];
    assertEquals(await commit(opened, store, fresh), ids(fresh));
    assertEquals(await looks(opened, store), [false]);
    assertEquals(await commit(opened, store, given), ids(given));
    assertEquals(await looks(opened, store), [false, true]);
    const again = fresh.map((row) => ({ ...row, fresh: false }));
    assertEquals(await commit(opened, store, again), []);
    if (count > 1) {
      const mixed = [...rows(true), given[0]!];
      assertEquals(await commit(opened, store, mixed), ids(mixed.slice(0, -1)));
    }
    assertEquals(await looks(opened, store), [false, true]);
    // What was said of its id was not so: nothing of its transaction is there.
    const { code } = await assertRejects(() => commit(opened, store, fresh)) as { code?: string };
    assertEquals(code, "23505");
  });
}
