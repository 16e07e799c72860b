/** Units that change an instance each share a commit, and are told their own outcomes. */
import { assert, assertEquals } from "@std/assert";
import { ConflictError, DuplicateError } from "../../../src/errors/store.ts";
import type { InboxKey, OutboxRow, SagaChange, SagaRow } from "../../../src/spi/rows.ts";
import type { Store } from "../../../src/spi/store.ts";
import { onPostgres, type Opened } from "./opened.ts";

/** What one unit is to do. */
interface Work {
  readonly key: InboxKey;
  readonly change: SagaChange;
  readonly outbox?: readonly OutboxRow[];
}
type AnyStore = Pick<Store<unknown>, "begin">;

/** Begins all units, then commits all at once; gives what each rejected with. */
async function commitAll(opened: Opened, store: AnyStore, works: readonly Work[]): Promise<readonly unknown[]> {
  const units = await Promise.all(works.map(({ key }) => store.begin(opened.scope({ inbox: [key] }))));
  const outcomes = await Promise.allSettled(
    units.map((unit, at) => {
      const { change, outbox = [] } = works[at]!;
      return unit.commit(opened.changes({ sagas: [change], outbox }));
    }),
  );
  return outcomes.map((outcome) => outcome.status === "rejected" ? outcome.reason : undefined);
}

/** Makes instances, and gives works that lead each on. */
async function leading(opened: Opened, store: AnyStore, count: number): Promise<readonly Work[]> {
  const rows = Array.from({ length: count }, (_, at) => opened.saga({ id: `id${at}` }));
  const made = rows.map((row) => ({ key: opened.key(`begins ${row.id}`), change: { before: undefined, after: row } }));
  assertEquals(await commitAll(opened, store, made), rows.map(() => undefined));
  return rows.map((row) => ({
    key: opened.key(`leads ${row.id}`),
    change: { before: row, after: { ...row, version: 2, state: "led" } },
    outbox: [opened.row()],
  }));
}

async function instances(opened: Opened, store: AnyStore): Promise<readonly SagaRow[]> {
  const unit = await store.begin(opened.scope());
  const found = await unit.find("order", {}, undefined, 100);
  await unit.rollback();
  return found;
}

async function handled(opened: Opened, store: AnyStore, works: readonly Work[]): Promise<readonly boolean[]> {
  const unit = await store.begin(opened.scope({ inbox: works.map(({ key }) => key) }));
  const { duplicates } = unit;
  await unit.rollback();
  return duplicates;
}

async function sent(opened: Opened): Promise<readonly string[]> {
  const { sql, schema } = opened.bench;
  return (await sql.unsafe(`SELECT id FROM "${schema}".hero_outbox ORDER BY place`)).map(({ id }) => id as string);
}

/** Locks instances from another connection; gives what ends that. */
async function locking(opened: Opened, where: string): Promise<() => Promise<void>> {
  const { sql, schema } = opened.bench;
  const [locked, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holding = sql.begin(async (tx) => {
    await tx.unsafe(`SELECT FROM "${schema}".hero_sagas WHERE ${where} FOR UPDATE`);
    locked.resolve();
    await release.promise;
  });
  await locked.promise;
  return async () => {
    release.resolve();
    await holding;
  };
}

onPostgres("instances that begin, go on and end share a commit, each with its messages", async (opened) => {
  const store = await opened.store();
  const [ends, leads, ...others] = await leading(opened, store, 4);
  const begins = opened.saga({ id: "new", data: new Uint8Array(), types: "at=date", state: "\u{1f600} \0" });
  const works: readonly Work[] = [
    { key: opened.key("ends"), change: { before: ends!.change.before, after: undefined } },
    leads!,
    { key: opened.key("begins"), change: { before: undefined, after: begins }, outbox: [opened.row(), opened.row()] },
    ...others,
  ];
  assertEquals(await commitAll(opened, store, works), works.map(() => undefined));
  const expected = works.flatMap(({ change: { after } }) => after ?? []).sort((a, b) => a.id < b.id ? -1 : 1);
  assertEquals(await instances(opened, store), expected);
  assertEquals((await sent(opened)).toSorted(), works.flatMap(({ outbox = [] }) => outbox.map(({ id }) => id)).sort());
  assertEquals(await handled(opened, store, works), works.map(() => true));
  const { sql, schema } = opened.bench;
  const [row] = await sql.unsafe(`SELECT count(DISTINCT xmin::text)::int AS commits FROM "${schema}".hero_outbox`);
  assert(row?.["commits"] < 4, `${row?.["commits"]} commits for 4 units with messages`);
});

onPostgres("an instance that is not as it was is a conflict of its own unit", async (opened) => {
  const store = await opened.store();
  const works = (await leading(opened, store, 6)).map((work, at) => {
    const { before, after } = work.change;
    if (at === 2) return { ...work, change: { before: { ...before!, version: 7 }, after } };
    if (at === 4) return { ...work, change: { before: { ...before!, incarnation: "other" }, after: undefined } };
    return work;
  });
  const outcomes = await commitAll(opened, store, works);
  assertEquals(outcomes.map((outcome) => outcome instanceof ConflictError), works.map((_, at) => at === 2 || at === 4));
  assert(String(outcomes[2]).includes(`saga order "id2"`), String(outcomes[2]));
  assertEquals((await instances(opened, store)).map(({ state }) => state), [
    "led",
    "led",
    "begun",
    "led",
    "begun",
    "led",
  ]);
  assertEquals(await handled(opened, store, works), works.map((_, at) => at !== 2 && at !== 4));
  assertEquals((await sent(opened)).length, 4);
});

onPostgres("of a message that was handled elsewhere no instance changes", async (opened) => {
  const [store, other] = [await opened.store(), await opened.store()];
  const works = await leading(opened, store, 5);
  const units = await Promise.all(works.map(({ key }) => store.begin(opened.scope({ inbox: [key] }))));
  const theirs = await other.begin(opened.scope({ inbox: [works[3]!.key] }));
  await theirs.commit(opened.changes());
  const outcomes = await Promise.allSettled(units.map((unit, at) => {
    const { change, outbox = [] } = works[at]!;
    return unit.commit(opened.changes({ sagas: [change], outbox }));
  }));
  assertEquals(
    outcomes.map((each) => each.status === "rejected" && each.reason instanceof DuplicateError),
    works.map((_, at) => at === 3),
  );
  assertEquals((await instances(opened, store)).map(({ state }) => state), ["led", "led", "led", "begun", "led"]);
  assertEquals((await sent(opened)).length, 4);
});

onPostgres("of units that change one instance at once, one does", async (opened) => {
  const store = await opened.store();
  const [first] = await leading(opened, store, 1);
  const { before, after } = first!.change;
  const works: readonly Work[] = [
    ...Array.from({ length: 4 }, (_, at) => ({ ...first!, key: opened.key(`leads ${at}`), outbox: [opened.row()] })),
    { key: opened.key("ends"), change: { before, after: undefined } },
    ...Array.from({ length: 4 }, (_, at) => ({
      key: opened.key(`begins ${at}`),
      change: { before: undefined, after: { ...after!, id: "new", state: `begun by ${at}` } },
    })),
  ];
  const outcomes = await commitAll(opened, store, works);
  const conflicts = outcomes.map((outcome) => outcome instanceof ConflictError);
  assertEquals(conflicts.slice(0, 5).filter((each) => !each).length, 1);
  assertEquals(conflicts.slice(5).filter((each) => !each).length, 1);
  assertEquals(outcomes.filter((outcome) => outcome === undefined).length, 2);
  assertEquals(await handled(opened, store, works), conflicts.map((each) => !each));
  const states = (await instances(opened, store)).map(({ state }) => state);
  assertEquals(states.at(-1), `begun by ${conflicts.slice(5).indexOf(false)}`);
});

onPostgres("who shares a commit does not wait for an instance that another transaction has locked", async (opened) => {
  const store = await opened.store();
  const works = await leading(opened, store, 6);
  const release = await locking(opened, "id = 'id1'");
  const units = await Promise.all(works.map(({ key }) => store.begin(opened.scope({ inbox: [key] }))));
  const commits = units.map((unit, at) => {
    const { change } = works[at]!;
    // More messages than one: what is written alone, and waits, is another statement then.
    return unit.commit(opened.changes({ sagas: [change], outbox: [opened.row(), opened.row()] }));
  });
  const waiting = commits.splice(1, 1);
  await Promise.all(commits);
  assertEquals((await sent(opened)).length, 10);
  await release();
  assertEquals((await Promise.all(waiting)).flat().length, 2);
  assertEquals((await instances(opened, store)).map(({ state }) => state), works.map(() => "led"));
});

onPostgres("commits that wait for other transactions hold up none that comes later", async (opened) => {
  const store = await opened.store();
  const works = await leading(opened, store, 5);
  const { sql, schema } = opened.bench;
  const release = await locking(opened, "id <> 'id4'");
  const units = await Promise.all(works.map(({ key }) => store.begin(opened.scope({ inbox: [key] }))));
  const commit = (at: number) => units[at]!.commit(opened.changes({ sagas: [works[at]!.change] }));
  const waiting = [];
  // As many as may be on their way at once, each for itself.
  for (const at of [0, 1]) {
    waiting.push(commit(at));
    await opened.until(`commit ${at} waits`, async () => {
      const all =
        await sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE ${`%${schema}%`}`;
      return all.length > at;
    });
  }
  waiting.push(commit(2), commit(3));
  await commit(4);
  await release();
  await Promise.all(waiting);
  assertEquals((await instances(opened, store)).map(({ state }) => state), works.map(() => "led"));
});

onPostgres("units of large instances share a commit with few", async (opened) => {
  const store = await opened.store();
  const works = Array.from({ length: 8 }, (_, at) => ({
    key: opened.key(`m${at}`),
    change: { before: undefined, after: opened.saga({ id: `id${at}`, data: new Uint8Array(600_000) }) },
  }));
  assertEquals(await commitAll(opened, store, works), works.map(() => undefined));
  const { sql, schema } = opened.bench;
  const [row] = await sql.unsafe(`SELECT count(DISTINCT xmin::text)::int AS n FROM "${schema}".hero_sagas`);
  assertEquals(row?.["n"], 8);
});
