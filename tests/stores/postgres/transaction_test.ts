/** What a handler does with `ctx.tx`. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { TransactionSql } from "postgres";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { ConflictError, DuplicateError } from "../../../src/errors/store.ts";
import type { Unit } from "../../../src/spi/store.ts";
import { names, table } from "./items.ts";
import { onPostgres } from "./opened.ts";

onPostgres("tx takes what postgres.js takes: values, fragments, lists, helpers, types", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  const at = new Date("2026-01-02T03:04:05.678Z");
  await tx`INSERT INTO ${tx(items)} ${tx({ id: 1, name: "a", tags: ["x", "y"], at, body: tx.json({ deep: [1] }) })}`;
  await tx`INSERT INTO ${tx(items)} ${tx([{ id: 2, name: "b" }, { id: 3, name: "c" }], "id", "name")}`;
  const where = tx`WHERE id > ${1}`;
  assertEquals((await tx`SELECT name FROM ${tx(items)} ${where} ORDER BY id`).map(({ name }) => name), ["b", "c"]);
  const parts = [tx`id = ${1}`, tx` OR name = ${"c"}`];
  assertEquals((await tx`SELECT id FROM ${tx(items)} WHERE ${parts} ORDER BY id`).map(({ id }) => id), [1, 3]);
  assertEquals((await tx`SELECT id FROM ${tx(items)} WHERE id IN ${tx([1, 3])} ORDER BY id`).length, 2);
  assertEquals((await tx`SELECT id FROM ${tx(items)} WHERE id = ANY (${tx.array([1, 2], 23)})`).length, 2);
  const [first] = await tx<{ tags: string[]; at: Date; body: unknown }[]>`SELECT * FROM ${tx(items)} WHERE id = 1`;
  assertEquals([first?.tags, first?.at, first?.body], [["x", "y"], at, { deep: [1] }]);
  const [values] = await tx`SELECT id, name FROM ${tx(items)} WHERE id = 2`.values();
  assertEquals(values as readonly unknown[], [2, "b"]);
  assertEquals((await tx.unsafe(`SELECT id FROM ${items} WHERE id = $1`, [3]))[0]?.["id"], 3);
  const { count } = await tx`UPDATE ${tx(items)} SET name = name || '!'`;
  assertEquals(count, 3);
  await unit.commit(opened.changes());
  assertEquals(await names(opened), ["a!", "b!", "c!"]);
});

onPostgres(
  "a statement may have what looks like the end of its transaction in a text, and long lines before it",
  async (opened) => {
    const unit = await (await opened.store()).begin(opened.scope());
    const { tx } = unit;
    const line = "-".repeat(100);
    assertEquals(
      (await tx.unsafe(`${line}\n/* one /* two */ */ SELECT '*/ COMMIT' AS text`))[0]?.["text"],
      "*/ COMMIT",
    );
    assertThrows(() => tx.unsafe(`${line}\n/* one /* two */ */ COMMIT`), ConfigurationError, "COMMIT");
    await unit.rollback();
  },
);

onPostgres("tx reads in pages and row by row", async (opened) => {
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  const pages: number[][] = [];
  for await (const rows of tx`SELECT n FROM generate_series(1, 5) n`.cursor(2)) pages.push(rows.map(({ n }) => n));
  assertEquals(pages, [[1, 2], [3, 4], [5]]);
  for await (const rows of tx`SELECT n FROM generate_series(1, 1000) n`.cursor(10)) {
    assertEquals(rows.length, 10);
    break;
  }
  const each: number[] = [];
  await tx`SELECT n FROM generate_series(1, 3) n`.forEach(({ n }) => each.push(n));
  await tx`SELECT n FROM generate_series(4, 5) n`.cursor(1, ([row]) => void each.push(row?.["n"]));
  assertEquals(each, [1, 2, 3, 4, 5]);
  assertEquals((await tx`SELECT 1 AS one`.describe()).columns.map(({ name }) => name), ["one"]);
  await unit.commit(opened.changes());
});

onPostgres("statements that are not awaited run in order, and before the commit", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  const all = ["a", "b", "c"].map((name, id) =>
    tx`INSERT INTO ${tx(items)} (id, name) VALUES (${id}, ${name})`.execute()
  );
  const rest = tx`UPDATE ${tx(items)} SET name = name || name`.execute();
  await unit.commit(opened.changes());
  await Promise.all([...all, rest]);
  assertEquals(await names(opened), ["aa", "bb", "cc"]);
});

onPostgres("statements of every kind that are called together run in order", async (opened) => {
  const unit = await (await opened.store()).begin(opened.scope());
  const { tx } = unit;
  const counter = `"${opened.bench.schema}".counter`;
  await tx.unsafe(`CREATE SEQUENCE ${counter}`);
  const text = `SELECT nextval('${counter}')::int AS n`;
  const next = (sql: TransactionSql = tx) => sql<{ n: number }[]>`SELECT nextval(${counter})::int AS n`;
  const numbers = (): Promise<unknown>[] => {
    let [each, paged]: unknown[] = [];
    return [
      next().then(([row]) => row?.n),
      next().values().then(([row]) => row?.[0]),
      next().then(([row]) => row?.n),
      tx.unsafe(text).simple().then(([row]) => row?.["n"]),
      tx.savepoint(async (inner) => (await next(inner))[0]?.n).then((n) => n),
      next().forEach((row) => each = row.n).then(() => each),
      next().cursor(1, ([row]) => void (paged = row?.n)).then(() => paged),
      next().then(([row]) => row?.n),
    ];
  };
  const [first, second] = [await Promise.all(numbers()), await Promise.all(numbers())];
  await unit.rollback();
  // What a savepoint has within it is called when that is there.
  const [within, others] = [first[4], first.filter((_, at) => at !== 4)];
  assertEquals([others, within], [[1, 2, 3, 4, 5, 6, 7], 8]);
  assertEquals(second.map((n) => Number(n) - 8), first);
});

onPostgres("a query is run when somebody waits for it, and once", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  tx`INSERT INTO ${tx(items)} (id, name) VALUES (1, ${"never"})`;
  const query = tx`INSERT INTO ${tx(items)} (id, name) VALUES (2, ${"once"})`;
  await Promise.all([query, query, query]);
  await unit.commit(opened.changes());
  assertEquals(await names(opened), ["once"]);
});

onPostgres("a savepoint is undone alone, with what is within it", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  const add = (sql: TransactionSql, id: number, name: string) =>
    sql`INSERT INTO ${sql(items)} (id, name) VALUES (${id}, ${name})`;
  await add(tx, 1, "a");
  await tx.savepoint(async (inner) => {
    await add(inner, 2, "b");
    await assertRejects(() =>
      inner.savepoint("named", async (innermost) => {
        await add(innermost, 3, "lost");
        await add(innermost, 3, "twice");
      })
    );
    await add(inner, 4, "d");
  });
  const both = await tx.savepoint((inner) => [inner`SELECT 1 AS n`, inner`SELECT 2 AS n`]);
  assertEquals(both.map(([row]) => row?.["n"]), [1, 2]);
  await unit.commit(opened.changes());
  assertEquals(await names(opened), ["a", "b", "d"]);
});

onPostgres("a unit whose statement failed commits nothing, whatever its handler makes of it", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  for (const outbox of [[opened.row()], []]) {
    const unit = await store.begin(opened.scope({ inbox: [opened.key("m")] }));
    const { tx } = unit;
    await tx`INSERT INTO ${tx(items)} (id, name) VALUES (1, 'a')`;
    const { code } = await assertRejects(() => tx`SELECT 1 / 0`.execute() as Promise<unknown>) as { code?: string };
    assertEquals(code, "22012");
    await assertRejects(() => unit.commit(opened.changes({ outbox })));
  }
  assertEquals(await names(opened), []);
  assertEquals((await store.outbox.stats(opened.bus)).waiting, 0);
  assertEquals((await store.begin(opened.scope({ inbox: [opened.key("m")] }))).duplicates, [false]);
});

onPostgres("a member of a group that goes on after a failed statement fails alone", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  const inbox = ["a", "b", "c"].map((id) => opened.key(id));
  const unit = await store.begin(opened.scope({ inbox }));
  const { tx } = unit;
  const members = inbox.map(({ messageId }, at) =>
    unit.savepoint(at, async () => {
      await tx`INSERT INTO ${tx(items)} (id, name) VALUES (${at}, ${messageId})`;
      if (at === 1) await tx`SELECT 1 / 0`.catch(() => {});
    })
  );
  assertEquals((await Promise.allSettled(members)).map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  await unit.commit(opened.changes());
  assertEquals(await names(opened), ["a", "c"]);
  assertEquals((await store.begin(opened.scope({ inbox }))).duplicates, [true, false, true]);
});

onPostgres(
  "a statement that fails once its member is done takes the whole group with it, and no other's rows",
  async (opened) => {
    const items = await table(opened);
    const store = await opened.store();
    const inbox = ["a", "b"].map((id) => opened.key(id));
    const unit = await store.begin(opened.scope({ inbox }));
    const { tx } = unit;
    const members = inbox.map(({ messageId }, at) =>
      unit.savepoint(at, async () => {
        await tx`INSERT INTO ${tx(items)} (id, name) VALUES (${at}, ${messageId})`;
        if (at === 0) tx`SELECT 1 / 0`.execute(); // for which nobody waits
      })
    );
    assertEquals((await Promise.allSettled(members)).map(({ status }) => status), ["fulfilled", "rejected"]);
    await assertRejects(() => unit.commit(opened.changes()));
    assertEquals(await names(opened), []);
    assertEquals((await store.begin(opened.scope({ inbox }))).duplicates, [false, false]);
  },
);

onPostgres(
  "two processes that handle one message: the second waits at its first statement, and does nothing",
  async (opened) => {
    const items = await table(opened);
    const stores = [await opened.store(), await opened.store()];
    const [first, second] = await Promise.all(
      stores.map((store) => store.begin(opened.scope({ inbox: [opened.key("m")] }))),
    ) as [Unit<TransactionSql>, Unit<TransactionSql>];
    assertEquals([first.duplicates, second.duplicates], [[false], [false]]);
    await first.tx`INSERT INTO ${first.tx(items)} (id, name) VALUES (1, 'first')`;
    const late = assertRejects(
      () => second.tx`INSERT INTO ${second.tx(items)} (id, name) VALUES (2, 'second')`.execute() as Promise<unknown>,
      DuplicateError,
      "m",
    );
    await opened.until(
      "the second to wait for a lock",
      async () =>
        (await opened.bench.sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%inbox%'`)
          .length > 0,
    );
    await first.commit(opened.changes({ outbox: [opened.row()] }));
    await late;
    await assertRejects(() => second.commit(opened.changes({ outbox: [opened.row()] })), DuplicateError);
    assertEquals(await names(opened), ["first"]);
    assertEquals((await stores[0]!.outbox.stats(opened.bus)).waiting, 1);
  },
);

onPostgres("deadlocks are conflicts, in a statement and with their cause", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  await opened.bench.sql`INSERT INTO ${opened.bench.sql(items)} (id) VALUES (1), (2)`;
  let first = 0;
  const { promise: both, resolve } = Promise.withResolvers<void>();
  const outcomes = await Promise.allSettled(
    [[1, 2], [2, 1]].map(async (ids) => {
      const unit = await store.begin(opened.scope());
      const { tx } = unit;
      for (const id of ids) {
        await tx`UPDATE ${tx(items)} SET name = ${`by ${ids}`} WHERE id = ${id}`;
        if (++first === 2) resolve();
        await both;
      }
      await unit.commit(opened.changes());
    }).map((each) => each.catch((error) => error)),
  );
  const errors = outcomes.map((each) => (each as PromiseFulfilledResult<unknown>).value).filter((each) => each);
  assertEquals(errors.length, 1);
  assert(errors[0] instanceof ConflictError);
  assertEquals((errors[0].cause as { code?: string }).code, "40P01");
});

onPostgres("what tx has is as good taken apart from it", async (opened) => {
  const items = await table(opened);
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { unsafe, savepoint, types, typed } = unit.tx;
  await unsafe(`INSERT INTO ${items} (id, name) VALUES ($1, $2)`, [1, "a"]);
  await savepoint((inner) => inner`UPDATE ${inner(items)} SET name = 'b'`);
  await assertRejects(() => savepoint(() => Promise.reject(new Error("back"))), Error, "back");
  assert(types === typed);
  await unit.commit(opened.changes());
  assertEquals(await names(opened), ["b"]);
});
