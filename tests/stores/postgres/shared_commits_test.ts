/** Units that share a commit are told their own outcomes. */
import { assertEquals, assertRejects } from "@std/assert";
import { DuplicateError, TransactionEndedError } from "../../../src/errors/store.ts";
import type { Changes, InboxKey, OutboxRow } from "../../../src/spi/rows.ts";
import type { Leased, Store } from "../../../src/spi/store.ts";
import { onPostgres, type Opened } from "./opened.ts";

/** Units that are all begun, to be committed at once. */
async function begun(
  opened: Opened,
  store: Pick<Store<unknown>, "begin">,
  inboxes: readonly (readonly InboxKey[])[],
): Promise<readonly ((some: Partial<Changes>) => Promise<readonly Leased<OutboxRow>[]>)[]> {
  const units = await Promise.all(inboxes.map((inbox) => store.begin(opened.scope({ inbox }))));
  return units.map((unit) => (some) => unit.commit(opened.changes(some)));
}

/** What is in the outbox. */
async function ids(opened: Opened): Promise<readonly string[]> {
  const { sql, schema } = opened.bench;
  return (await sql.unsafe(`SELECT id FROM "${schema}".hero_outbox ORDER BY place`)).map(({ id }) => id as string);
}

onPostgres("of units that share a commit, one that was handled elsewhere is refused alone", async (opened) => {
  const store = await opened.store();
  const other = await opened.store();
  const keys = Array.from({ length: 12 }, (_, n) => opened.key(`m${n}`));
  const commits = await begun(opened, store, keys.map((key) => [key]));
  const [theirs] = await begun(opened, other, [[keys[5]!]]);
  await theirs!({});
  const rows = keys.map(() => [opened.row(), opened.row()]);
  const outcomes = await Promise.allSettled(commits.map((commit, at) => commit({ outbox: rows[at]! })));
  for (const [at, outcome] of outcomes.entries()) {
    if (at === 5) {
      assertEquals(outcome.status === "rejected" && outcome.reason instanceof DuplicateError, true);
      continue;
    }
    const leased = outcome.status === "fulfilled" ? outcome.value : [];
    assertEquals(leased.map(({ row }) => row.id), rows[at]!.map(({ id }) => id), `unit ${at}`);
    await store.outbox.done(leased);
  }
  assertEquals(await ids(opened), []);
  const again = await store.begin(opened.scope({ inbox: keys }));
  assertEquals(again.duplicates, keys.map(() => true));
  await again.rollback();
});

onPostgres("what cannot be written fails alone, and those that shared its commit are written", async (opened) => {
  const store = await opened.store();
  const keys = Array.from({ length: 8 }, (_, n) => opened.key(`m${n}`));
  const commits = await begun(opened, store, keys.map((key) => [key]));
  const outcomes = await Promise.allSettled(commits.map((commit, at) =>
    // An index takes no such entry.
    commit({
      outbox: [opened.row(at === 3 ? { id: Array.from({ length: 500 }, () => crypto.randomUUID()).join("") } : {})],
    })
  ));
  assertEquals(outcomes.map(({ status }) => status), keys.map((_, at) => at === 3 ? "rejected" : "fulfilled"));
  assertEquals((await ids(opened)).length, 7);
  const again = await store.begin(opened.scope({ inbox: keys }));
  assertEquals(again.duplicates, keys.map((_, at) => at !== 3));
  await again.rollback();
});

onPostgres("one row that two units write at once is one, and is given to one of them", async (opened) => {
  const store = await opened.store();
  const commits = await begun(opened, store, Array.from({ length: 6 }, () => []));
  const row = opened.row();
  const leased = await Promise.all(commits.map((commit) => commit({ outbox: [row] })));
  assertEquals(leased.flat().map(({ row: { id } }) => id), [row.id]);
});

onPostgres("texts of every kind, times and ends travel with what shares a commit", async (opened) => {
  const store = await opened.store();
  const texts = [`"quoted" \\ {a,b} NULL`, "", "line\nbreak\ttab", "NUL \0, \x1a and 😀", "NULL", "{}"];
  const rows = texts.map((text, at) => ({
    ...opened.row({
      id: `${at} ${text}`,
      group: text,
      to: `queue:${text}` as const,
      expiresAt: at === 0 ? undefined : 9e12 + at,
    }),
    frame: { contentType: text, headers: { [text]: text }, body: new TextEncoder().encode(text) },
  }));
  const commits = await begun(opened, store, texts.map((text) => [opened.key(text)]));
  const leased = await Promise.all(rows.map((row, at) => commits[at]!({ outbox: [row] })));
  const found = leased.flat();
  assertEquals(found.map(({ row }) => row.id), rows.map(({ id }) => id));
  await store.outbox.later(found.map((each) => ({ leased: each, dueAt: 0, error: "", park: false })));
  const claimed = (await store.outbox.claim(opened.bus, 100, 30_000)).map(({ row }) => row);
  const byId = new Map(claimed.map((row) => [row.id, row]));
  for (const row of rows) assertEquals(byId.get(row.id), row);
  for (const text of texts) {
    const unit = await store.begin(opened.scope({ inbox: [opened.key(text)] }));
    assertEquals(unit.duplicates, [true], text);
    await unit.rollback();
  }
});

onPostgres("a unit that is given up before its commit is on its way writes nothing", async (opened) => {
  const store = await opened.store();
  const abort = new AbortController();
  const key = opened.key("m");
  const unit = await store.begin(opened.scope({ inbox: [key], signal: abort.signal }));
  const reason = new Error("no more");
  const committing = unit.commit(opened.changes({ outbox: [opened.row()] }));
  abort.abort(reason);
  assertEquals((await assertRejects(() => committing, TransactionEndedError)).cause, reason);
  assertEquals(await ids(opened), []);
});
