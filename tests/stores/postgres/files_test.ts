/** What `ctx.tx.file()` runs: its text is there only later. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { assertEquals, assertRejects } from "@std/assert";
import type { TransactionSql } from "postgres";
import type { Unit } from "../../../src/spi/store.ts";
import { names, table } from "./items.ts";
import { onPostgres, type Opened } from "./opened.ts";

/** Does something with a unit, and a way to write files. */
async function withFiles(
  opened: Opened,
  run: (
    unit: Unit<TransactionSql>,
    items: string,
    file: (name: string, text: string) => Promise<string>,
  ) => Promise<void>,
): Promise<void> {
  const items = await table(opened);
  const directory = await mkdtemp(`${tmpdir()}/hero-`);
  try {
    const unit = await (await opened.store()).begin(opened.scope({ inbox: [opened.key("m")] }));
    await run(unit, items, async (name, text) => {
      await writeFile(`${directory}/${name}.sql`, text);
      return `${directory}/${name}.sql`;
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

onPostgres(
  "what is called behind a file runs behind it, and so does the commit",
  (opened) =>
    withFiles(opened, async (unit, items, file) => {
      const { tx } = unit;
      const [one, two] = [
        await file("one", `INSERT INTO ${items} (id, name) VALUES (1, 'a')`),
        await file("two", `UPDATE ${items} SET name = name || 'c' WHERE id = 1; SELECT 1`),
      ];
      const all = [
        tx.file(one).execute(),
        tx`UPDATE ${tx(items)} SET name = name || 'b'`.execute(),
        tx.file(two).execute(),
        tx`UPDATE ${tx(items)} SET name = name || 'd'`.values().execute(),
        tx.file(two).execute(),
      ];
      await unit.commit(opened.changes());
      await Promise.all(all);
      assertEquals(await names(opened), ["abcdc"]);
    }),
);

onPostgres(
  "a file that cannot be read fails alone, and what is called behind it runs",
  (opened) =>
    withFiles(opened, async (unit, items) => {
      const { tx } = unit;
      const missing = tx.file(`${process.cwd()}/missing.sql`).execute();
      const next = tx`INSERT INTO ${tx(items)} (id, name) VALUES (1, 'a')`.execute();
      await assertRejects(async () => void await missing, Error, "missing.sql");
      await next;
      await unit.commit(opened.changes());
      assertEquals(await names(opened), ["a"]);
    }),
);

onPostgres(
  "a file that is read when its unit has ended does not run",
  (opened) =>
    withFiles(opened, async (unit, items, file) => {
      const { tx } = unit;
      await tx`SELECT 1`;
      const late = tx.file(await file("late", `INSERT INTO ${items} (id, name) VALUES (1, 'late')`)).execute();
      await unit.rollback();
      await (late as Promise<unknown>).catch(() => {});
      assertEquals(await names(opened), []);
    }),
);

onPostgres(
  "a file that a member of a group does not wait for is the member's",
  (opened) =>
    withFiles(opened, async (_, items, file) => {
      const unit = await (await opened.store()).begin(opened.scope({ inbox: [opened.key("a"), opened.key("b")] }));
      const insert = await file("insert", `INSERT INTO ${items} (id, name) VALUES (1, 'first')`);
      const append = await file("append", `UPDATE ${items} SET name = name || ' second'`);
      await unit.savepoint(0, () => {
        unit.tx.file(insert).execute();
        return Promise.resolve();
      });
      const failed = unit.savepoint(1, () => {
        unit.tx.file(append).execute();
        return Promise.reject(new Error("it fails alone"));
      });
      await assertRejects(() => failed, Error, "it fails alone");
      await unit.commit(opened.changes());
      assertEquals(await names(opened), ["first"]);
    }),
);
