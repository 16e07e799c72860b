/** What ends the transaction of `ctx.tx`, and what would. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { TransactionSql } from "postgres";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { PostgresStore } from "../../../stores/postgres/store.ts";
import { TransactionEndedError } from "../../../src/errors/store.ts";
import type { Endable, Scope } from "../../../src/spi/store.ts";
import { names, table } from "./items.ts";
import { onPostgres, type Opened } from "./opened.ts";

onPostgres("what would begin or end the transaction is refused", async (opened) => {
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  const refused: readonly (() => unknown)[] = [
    () => tx`COMMIT`,
    () => tx`  /* now */ rollback`,
    () => tx.unsafe("-- well\n; BEGIN"),
    () => tx.unsafe("PREPARE TRANSACTION 'x'"),
    () => tx.unsafe("SELECT 1; COMMIT"),
    () => tx.unsafe("SELECT ';'';' AS \"a;b\"; -- now;\n /* ; */ Rollback Work; SELECT 1"),
    () => tx.unsafe("SELECT $a$ ; $a$, E'\\';' AS e; END"),
    () => tx.prepare("x"),
  ];
  for (const each of refused) await assertRejects(async () => void await each(), ConfigurationError);
  await unit.rollback();
});

onPostgres("a text of several statements is run as it is, with savepoints of its own", async (opened) => {
  const items = await table(opened);
  const unit = await (await opened.store()).begin(opened.scope());
  const { tx } = unit;
  await tx.unsafe(
    `INSERT INTO ${items} (id, name) VALUES (1, 'a; COMMIT'); SAVEPOINT one; DELETE FROM ${items};
     ROLLBACK TO one; RELEASE one; ROLLBACK WORK TO SAVEPOINT two`,
  ).catch(() => {});
  await assertRejects(() => unit.commit(opened.changes()));
  const other = await (await opened.store()).begin(opened.scope());
  await other.tx.unsafe(
    `INSERT INTO ${items} (id, name) VALUES (1, 'a; COMMIT'); SAVEPOINT one; DELETE FROM ${items};
     ROLLBACK TRANSACTION TO one; RELEASE one`,
  );
  await other.tx`SAVEPOINT two`;
  await other.tx.unsafe(`DO $$ BEGIN DELETE FROM ${items}; END $$;`);
  await other.tx`ROLLBACK TO SAVEPOINT two`;
  await other.tx.unsafe(
    `CREATE FUNCTION "${opened.bench.schema}".one() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 1; END; SELECT 1`,
  );
  await other.commit(opened.changes());
  assertEquals(await names(opened), ["a; COMMIT"]);
});

const behindOwnBack: Readonly<Record<string, (opened: Opened, tx: TransactionSql, directory: string) => unknown>> = {
  "COMMIT of parts": (_, tx) => tx`${tx``}COMMIT`,
  "ROLLBACK of parts": (_, tx) => tx`${tx``}ROLLBACK`.simple(),
  "ROLLBACK and BEGIN of parts": (_, tx) => tx`${tx``}ROLLBACK; BEGIN`.simple(),
  "a file that commits": async (_, tx, directory) => {
    await writeFile(`${directory}/commit.sql`, "COMMIT");
    await tx.file(`${directory}/commit.sql`);
  },
  "a file that rolls back and fails": async (_, tx, directory) => {
    await writeFile(`${directory}/fail.sql`, "ROLLBACK; SELECT 1/0");
    await tx.file(`${directory}/fail.sql`);
  },
};
for (const [what, leave] of Object.entries(behindOwnBack)) {
  onPostgres(`a unit whose transaction was ended under it commits nothing more: ${what}`, async (opened) => {
    const items = await table(opened);
    const store = await opened.store();
    const directory = await mkdtemp(`${tmpdir()}/hero-`);
    try {
      const unit = await store.begin(opened.scope({ inbox: [opened.key("m")] }));
      const { tx } = unit;
      await tx`INSERT INTO ${tx(items)} (id, name) VALUES (1, 'a')`;
      // A handler may make nothing of it.
      await assertRejects(async () => void await leave(opened, tx, directory), TransactionEndedError, "was ended by");
      await assertRejects(async () => void await tx`SELECT 1`, TransactionEndedError, "was ended by");
      const row = opened.row();
      await assertRejects(
        () => unit.commit(opened.changes({ outbox: [row] })),
        TransactionEndedError,
        "was ended by",
      );
      assertEquals((await store.outbox.stats(opened.bus)).waiting, 0);
      const next = await store.begin(opened.scope());
      await next.tx`SELECT 1`;
      await next.commit(opened.changes());
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}

onPostgres("an abort ends a unit whose statement waits, and frees its connection", async (opened) => {
  const items = await table(opened);
  const store = await opened.store({ max: 2 });
  await opened.bench.sql`INSERT INTO ${opened.bench.sql(items)} (id) VALUES (1)`;
  const abort = new AbortController();
  const holder = await store.begin(opened.scope());
  await holder.tx`UPDATE ${holder.tx(items)} SET name = 'held'`;
  const waiter = await store.begin(opened.scope({ signal: abort.signal }));
  const waiting = waiter.tx`UPDATE ${waiter.tx(items)} SET name = 'late'`.execute();
  const third = store.begin(opened.scope({ signal: abort.signal })).then((unit) => unit.tx`SELECT 1`);
  abort.abort(new Error("enough"));
  await assertRejects(() => third, Error);
  await holder.commit(opened.changes());
  await (waiting as Promise<unknown>).catch(() => {});
  await assertRejects(() => waiter.commit(opened.changes()), TransactionEndedError);
  const unit = await store.begin(opened.scope());
  await unit.tx`SELECT 1`;
  await unit.commit(opened.changes());
  assertEquals(await names(opened), ["held"]);
});

onPostgres("a unit that has ended is still known by its transaction, and nothing joins it any more", async (opened) => {
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const joined = { statements: () => [], explain: (error: unknown) => error, ended: () => {} };
  await unit.tx`SELECT 1`;
  assert(store instanceof PostgresStore);
  store.unitOf(unit.tx)?.join(joined);
  await unit.commit(opened.changes());
  const ended = store.unitOf(unit.tx);
  assert(ended !== undefined);
  assertThrows(() => ended.join(joined), TransactionEndedError);
});

/** A scope that tells its unit of the end itself, and whose signal nobody should need. */
function telling(opened: Opened, messageId: string) {
  const heard: { unit: Endable | undefined; signals: number } = { unit: undefined, signals: 0 };
  const scope: Scope = {
    ...opened.scope({ inbox: [opened.key(messageId)] }),
    get signal() {
      heard.signals++;
      return AbortSignal.abort(new Error("it was asked for"));
    },
    listen: (unit) => heard.unit = unit,
    forget: (unit) => {
      if (heard.unit === unit) heard.unit = undefined;
    },
  };
  return { heard, scope };
}

onPostgres(
  "a unit whose scope tells of its end commits with no signal made, and is told nothing then",
  async (opened) => {
    const items = await table(opened);
    const store = await opened.store();
    const { heard, scope } = telling(opened, "m1");
    const unit = await store.begin(scope);
    await unit.tx`INSERT INTO ${unit.tx(items)} (id, name) VALUES (1, 'a')`;
    assertEquals(heard.unit, unit as unknown as Endable);
    await unit.commit(opened.changes());
    assertEquals([heard, await names(opened)], [{ unit: undefined, signals: 0 }, ["a"]]);
  },
);

onPostgres(
  "a unit that only sends is told of its end until its statement is on its way, with no signal made",
  async (opened) => {
    const store = await opened.store();
    const { heard, scope } = telling(opened, "m1");
    const unit = await store.begin(scope);
    const committing = unit.commit(opened.changes({ outbox: [opened.row()] }));
    assertEquals(heard.unit, unit as unknown as Endable);
    assertEquals((await committing).length, 1);
    assertEquals(heard, { unit: undefined, signals: 0 });

    const late = telling(opened, "m2");
    const given = await store.begin(late.scope);
    const refused = given.commit(opened.changes({ outbox: [opened.row()] }));
    late.heard.unit?.end(new Error("enough"));
    await assertRejects(() => refused, TransactionEndedError);
    assertEquals(late.heard, { unit: undefined, signals: 0 });
    const again = await store.begin(telling(opened, "m2").scope);
    assertEquals(again.duplicates, [false]);
    await again.rollback();
  },
);

onPostgres("a unit that is told of its end undoes what its handler wrote", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  const { heard, scope } = telling(opened, "m1");
  const unit = await store.begin(scope);
  await unit.tx`INSERT INTO ${unit.tx(items)} (id, name) VALUES (1, 'a')`;
  heard.unit?.end(new Error("enough"));
  await assertRejects(() => unit.commit(opened.changes()), TransactionEndedError);
  await unit.rollback();
  const again = await store.begin(telling(opened, "m1").scope);
  assertEquals([again.duplicates, await names(opened)], [[false], []]);
  await again.rollback();
});

onPostgres("a unit that is told of its end before it has begun does not begin, and holds nothing", async (opened) => {
  const store = await opened.store();
  const { heard, scope } = telling(opened, "m1");
  const beginning = store.begin(scope);
  const enough = new Error("enough");
  heard.unit?.end(enough);
  assertEquals(await assertRejects(() => beginning, Error), enough);
  assertEquals(heard.unit, undefined);
  await (await store.begin(telling(opened, "m1").scope)).rollback();
});
