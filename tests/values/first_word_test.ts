import { assertEquals } from "@std/assert";
import { firstWordAt } from "../../src/values/first_word.ts";
import { test } from "../support/runner.ts";

const said = (sql: string, nests = false): string => sql.slice(firstWordAt(sql, nests));

test("the first word stands behind white space, comments and empty statements", () => {
  for (const before of ["", " ", "\n\t;; ", "-- a\n", "--\r", "/**/", "/* a */ ", "/***/", "/* a; -- */ -- b /*\n;"]) {
    assertEquals(said(`${before}SELECT 1 -- one`), "SELECT 1 -- one", before);
  }
  for (const none of ["", " ;", "-- a", "/* a", "/* a *", "/*/", "/* a */ -- b"]) assertEquals(said(none), "", none);
  for (const word of ["- 1", "/ 2", "-", "/", "*/ COMMIT"]) assertEquals(said(word), word);
});

test("a comment ends at its first end, or with the first of those that it stands in", () => {
  const sql = "/* one /* two */ three */ SELECT '*/'";
  assertEquals([said(sql), said(sql, true)], ["three */ SELECT '*/'", "SELECT '*/'"]);
  assertEquals(["/* one /* two */ three", "/*/ */ SELECT"].map((each) => said(each, true)), ["", "SELECT"]);
});

test("a long text takes no longer than it is", () => {
  for (const many of ["-", "--\n", "/* */", ";", "/*", "-- ", "*/"]) {
    assertEquals(
      said(`-- ${many.repeat(100_000)}\n/* ${many.repeat(50_000)} */ */\n UPDATE`).endsWith(" UPDATE"),
      true,
    );
  }
});
