import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { parametersOf } from "../../../stores/sqlite/parameters.ts";
import { changes } from "../../conformance/store/trial.ts";
import { test } from "../../support/runner.ts";
import { withStore } from "./fixture.ts";

const statements: readonly (readonly [values: number, sql: string])[] = [
  [0, "SELECT 1"],
  [0, "SELECT '?', 'it''s ?', \"a?\" FROM (SELECT 1 AS \"a?\")"],
  [0, 'SELECT "a""?", `b``?`, [c?"] FROM (SELECT 1 AS "a""?", 2 AS `b``?`, 3 AS [c?"])'],
  [1, "SELECT x'00', ? -- ? '\n"],
  [1, "SELECT ? -- a \r ? still\n, 2 /* ? '"],
  [2, "SELECT /* ? -- */ ?, /* ' */ ?"],
  [3, "SELECT ?,?,?"],
  [2, "SELECT ?2, ?1, ?2"],
  [3, "SELECT ?3"],
  [3, "SELECT ?, ?2, ?"],
  [1, "SELECT a$b, ö$ü, 1.5e3, 2-?/3 FROM (SELECT 1 AS a$b, 2 AS ö$ü)"],
  [1, `SELECT '{"a": 1}' ->> '$.a', '{"a?": 2}' ->> ?`],
  [1, "EXPLAIN SELECT ?"],
  [2, "WITH w(a) AS (VALUES (?)) SELECT a FROM w WHERE a >= ? LIMIT 1;"],
];

test("as many parameters are found as SQLite takes values", () => {
  const database = new DatabaseSync(":memory:");
  try {
    for (const [values, sql] of statements) {
      assertEquals(parametersOf(sql), { values, named: undefined }, sql);
      const prepared = database.prepare(sql);
      const nulls = new Array<null>(values).fill(null);
      prepared.all(...nulls);
      assertThrows(() => prepared.all(...nulls, null), Error, "range");
    }
  } finally {
    database.close();
  }
});

test("one that is given by a name is told, and is none in a name or a text", () => {
  for (const named of [":a", "@b", "$c", ":ä$1"]) assertEquals(parametersOf(`SELECT ?, ${named}`).named, named);
  assertEquals(parametersOf("SELECT ':a', \"@b\", a$c -- $d").named, undefined);
});

test("a long text is looked through in no more time than it takes to read it", () => {
  for (const many of ["?", "?1", "a", "$", ":", "'", '"', "`", "[", "--", "/*", "?'", "-", "/"]) {
    parametersOf(`SELECT ${many.repeat(100_000)}`);
  }
});

test("a statement with too few values or too many is refused, the same on every runtime, and its unit goes on", () =>
  withStore({}, async ({ begin }) => {
    const unit = await begin();
    const { tx } = unit;
    await tx.run("CREATE TABLE own (a, b DEFAULT 'none')");
    const insert = "INSERT INTO own VALUES (?, ?)";
    for (const values of [[], ["a"], ["a", "b", "c"]]) {
      for (const run of [tx.run, tx.get, tx.all]) {
        await assertRejects(
          () => run.call(tx, insert, ...values),
          ConfigurationError,
          `Cannot run "${insert}" with ${values.length} value${values.length === 1 ? "" : "s"}: it has 2 values`,
        );
      }
      await assertRejects(() => tx.prepare(insert).run(...values), ConfigurationError, "it has 2 values");
    }
    const byName = "DELETE FROM own WHERE a = :id";
    for (const values of [[], ["a"]]) {
      await assertRejects(() => tx.run(byName, ...values), ConfigurationError, 'its ":id" is given by a name');
    }
    await tx.run(insert, "a", null);
    await tx.run("INSERT INTO own VALUES (?1, ?1)", "b");
    assertEquals(
      await tx.all("SELECT a, b FROM own WHERE a <> '?'").then((rows) => rows.map(({ a, b }) => [a, b])),
      [["a", null], ["b", "b"]],
    );
    await unit.commit(changes({}));
  }));
