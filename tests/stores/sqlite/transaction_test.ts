import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { DuplicateError, TransactionEndedError } from "../../../src/errors/store.ts";
import { changes } from "../../conformance/store/trial.ts";
import { test } from "../../support/runner.ts";
import { openNative } from "./native.ts";
import { withStore } from "./fixture.ts";

test("no row, no value and no bytes are told apart, the same on every runtime", () =>
  withStore({}, async ({ begin, store }) => {
    const unit = await begin();
    const { tx } = unit;
    await tx.run("CREATE TABLE own (a, b)");
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    await tx.run("INSERT INTO own VALUES (?, ?), (?, ?)", null, new Uint8Array(), bytes, 2n ** 60n);
    assertEquals(await tx.get("SELECT a FROM own WHERE a = 'missing'"), undefined);
    assertEquals(await tx.all("SELECT a FROM own WHERE a = 'missing'"), []);
    const first = await tx.get("SELECT a, b FROM own WHERE a IS NULL");
    const second = await tx.get("SELECT a FROM own WHERE a IS NOT NULL");
    assertEquals([first?.["a"], first?.["b"]], [null, new Uint8Array()]);
    assertEquals(second?.["a"], bytes);
    assertEquals(await unit.load("order", "missing", false), undefined);
    await assertRejects(() => tx.get("SELECT b FROM own WHERE a IS NOT NULL"), Error, "too large");
    await unit.rollback();
    assertEquals(await store.outbox.claim("orders", 10, 1_000), []);
  }));

test("a statement that is prepared runs as often as it is called, in order", () =>
  withStore({}, async ({ begin }) => {
    const unit = await begin();
    const results = [
      unit.tx.run("CREATE TABLE own (n INTEGER PRIMARY KEY, text)"),
      ...["a", "b", "c"].map((text) => unit.tx.prepare("INSERT INTO own (text) VALUES (?)").run(text)),
    ];
    const all = unit.tx.prepare<{ readonly text: string }>("SELECT text FROM own ORDER BY n").all();
    assertEquals((await Promise.all(results)).map(({ changes }) => changes).slice(1), [1, 1, 1]);
    assertEquals((await all).map(({ text }) => text), ["a", "b", "c"]);
    assertEquals((await unit.tx.prepare<{ readonly n: number }>("SELECT n FROM own WHERE text = ?").get("c"))?.n, 3);
    await unit.commit(changes({}));
    await assertRejects(() => unit.tx.prepare("SELECT 1").get(), TransactionEndedError);
  }));

for (
  const sql of [
    "COMMIT",
    "begin immediate",
    " -- note\n/* more */ ;ROLLBACK",
    "End transaction",
    "SAVEPOINT a",
    "release a",
    "VACUUM",
    "ATTACH 'x.db' AS x",
  ]
) {
  test(`a handler cannot run ${JSON.stringify(sql)}, and its unit goes on`, () =>
    withStore({}, async ({ begin }) => {
      const unit = await begin();
      await unit.tx.run("CREATE TABLE own (text)");
      for (const run of [unit.tx.run, unit.tx.get, unit.tx.all]) {
        await assertRejects(() => run.call(unit.tx, sql), ConfigurationError);
      }
      await unit.tx.run("INSERT INTO own VALUES ('kept')");
      await unit.commit(changes({}));
    }));
}

const created = new Date(0);
const unwritable: readonly (readonly [what: string, value: unknown])[] = [
  ["a Date", created],
  ["undefined", undefined],
  ["NaN", NaN],
  ["a boolean", true],
  ["a list", [1, 2]],
  ["an object", { a: 1 }],
  ["a function", () => 1],
  ["a Promise", Promise.resolve(1)],
];
for (const [what, value] of unwritable) {
  test(`${what} is no value of a statement, the same on every runtime, and its unit goes on`, () =>
    withStore({}, async ({ begin }) => {
      const unit = await begin();
      const { tx } = unit;
      await tx.run("CREATE TABLE own (a, b)");
      const given = value as null; // what JavaScript, or a cast, lets pass
      for (const values of [[given], [1, given]] as const) {
        const error = await assertRejects(
          () => tx.run(`INSERT INTO own VALUES (${values.map(() => "?").join(", ")})`, ...values),
          ConfigurationError,
          `as value ${values.length} of "INSERT INTO own`,
        );
        const next = typeof value === "number" ? "Write null if that is meant" : "Write a Date as a text or number";
        assert(error.message.includes(next));
      }
      await assertRejects(() => tx.prepare("SELECT a FROM own WHERE a = ?").all(given), ConfigurationError);
      await tx.run("INSERT INTO own VALUES (?, ?)", created.getTime(), created.toISOString());
      assertEquals(await tx.all("SELECT a, b FROM own").then((rows) => rows.map(({ a, b }) => [a, b])), [
        [0, "1970-01-01T00:00:00.000Z"],
      ]);
      await unit.commit(changes({}));
    }));
}

test("of several statements none runs, and the error says what would not have; what ends one may stand behind it", () =>
  withStore({}, async ({ begin }) => {
    const unit = await begin();
    const { tx } = unit;
    for (const more of ["CREATE TABLE two (b)", "-- note\n INSERT INTO one VALUES (1)", "/* note */ SELECT 1", "x"]) {
      await assertRejects(
        () => tx.run(`CREATE TABLE one (a); ${more}`),
        ConfigurationError,
        `not ${JSON.stringify(more)}. Run them one after the other`,
      );
    }
    assertEquals(await tx.get("SELECT name FROM sqlite_schema WHERE name = 'one'"), undefined);
    for (const end of [";", " ; ;\n", "; -- done", "-- done", "; /* done */ -- and done", "; /* not closed"]) {
      await tx.run(`CREATE TABLE IF NOT EXISTS one (a, b DEFAULT ';')${end}`);
    }
    await tx.run("CREATE TRIGGER kept AFTER INSERT ON one BEGIN DELETE FROM one; SELECT 1; END");
    await assertRejects(() => tx.get(["SELECT 1"] as unknown as string), ConfigurationError, "a statement is text");
    await unit.commit(changes({}));
  }));

test("a text without a statement is refused", () =>
  withStore({}, async ({ begin }) => {
    const unit = await begin();
    const { tx } = unit;
    for (const none of ["", " ", ";", "-- note", "/* note", "\0SELECT 1", "/*\0*/ SELECT 1", "SELECT '\0'"]) {
      await assertRejects(() => tx.all(none), ConfigurationError, "needs a statement");
    }
    assertEquals((await tx.get(";; /* note */ SELECT 1 AS one"))?.["one"], 1);
    await unit.rollback();
  }));

test("a statement may have what looks like the end of its transaction in a text, and long lines before it", () =>
  withStore({}, async ({ begin }) => {
    const unit = await begin();
    await unit.tx.run("CREATE TABLE own (text)");
    await unit.tx.run(`/* note */ INSERT INTO own VALUES ('*/ COMMIT')`);
    const line = "-".repeat(100);
    await unit.tx.run(`${line}\n-- Forgets\n${line}\nDELETE FROM own; ${line}`);
    await assertRejects(() => unit.tx.run(`SELECT 1; ${line}\nSELECT 2`), ConfigurationError, "several");
    await assertRejects(() => unit.tx.run(`${line}\nCOMMIT`), ConfigurationError, "COMMIT");
    await unit.rollback();
  }));

test("a statement that fails leaves the transaction as it was", () =>
  withStore({}, async ({ begin, path }) => {
    const unit = await begin();
    await unit.tx.run("CREATE TABLE own (text UNIQUE)");
    await unit.tx.run("INSERT INTO own VALUES ('a')");
    await assertRejects(() => unit.tx.run("INSERT INTO own VALUES ('a')"), Error, "UNIQUE");
    await assertRejects(() => unit.tx.run("INSERT INTO nowhere VALUES ('a')"), Error, "no such table");
    await unit.tx.run("INSERT INTO own VALUES ('b')");
    await unit.commit(changes({}));
    const rows = await openNative(path, (database) => database.prepare("SELECT count(*) AS n FROM own").get());
    assertEquals(rows?.["n"], 2);
  }));

test("nothing runs outside of a transaction that SQLite has ended", () =>
  withStore({}, async ({ begin, path }) => {
    const unit = await begin();
    await unit.tx.run("CREATE TABLE own (text UNIQUE)");
    await unit.commit(changes({}));
    const ended = await begin();
    await ended.tx.run("INSERT INTO own VALUES ('a')");
    await assertRejects(() => ended.tx.run("INSERT OR ROLLBACK INTO own VALUES ('a')"), Error, "UNIQUE");
    await assertRejects(() => ended.tx.run("INSERT INTO own VALUES ('late')"), TransactionEndedError);
    await assertRejects(() => ended.commit(changes({})), TransactionEndedError);
    const other = await begin();
    await other.tx.run("INSERT INTO own VALUES ('b')");
    await other.commit(changes({}));
    const rows = await openNative(path, (database) => database.prepare("SELECT text FROM own").all());
    assertEquals(rows.map((row) => row["text"]), ["b"]);
  }));

test("a transaction that has read keeps others from writing, so that it can write itself", () =>
  withStore({}, async ({ begin, path }) => {
    const first = await begin();
    await first.tx.run("CREATE TABLE own (text)");
    await first.commit(changes({}));
    const unit = await begin();
    assertEquals(await unit.tx.all("SELECT * FROM own"), []);
    await openNative(path, (database) => {
      let refused: unknown;
      try {
        database.prepare("INSERT INTO own VALUES ('other')").run();
      } catch (error) {
        refused = error;
      }
      assert(String(refused).includes("database is locked"));
    });
    await unit.tx.run("INSERT INTO own VALUES ('mine')");
    await unit.commit(changes({}));
  }));

test("the first use of the transaction finds what another process has handled since", () =>
  withStore({}, async ({ begin, path }) => {
    const key = { endpoint: "e", messageId: "m", keepUntil: 10 ** 12 };
    const unit = await begin({ inbox: [key] });
    assertEquals(unit.duplicates, [false]);
    await openNative(path, (database) => database.exec("INSERT INTO hero_inbox VALUES ('orders', 'e', 'm', 1)"));
    await assertRejects(() => unit.tx.run("CREATE TABLE own (text)"), DuplicateError);
    await assertRejects(() => unit.tx.run("CREATE TABLE own (text)"), TransactionEndedError);
    const next = await begin({ inbox: [key] });
    assertEquals(next.duplicates, [true]);
    await next.rollback();
  }));
