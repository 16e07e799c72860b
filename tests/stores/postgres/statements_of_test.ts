import { assertEquals } from "@std/assert";
import { statementsOf } from "../../../stores/postgres/statements_of.ts";
import { test } from "../../support/runner.ts";

test("a text of SQL is parted at the semicolons that end a statement, and at no others", () => {
  const whole = [
    "",
    "SELECT 1",
    "SELECT ';', 'a'';b', \"c;\"\";d\"",
    "SELECT E'\\';', e'\\\\'';'",
    "SELECT date'2020;', name'\\'",
    "SELECT $$ ; $a$ ; $$, $a$ $$ ; $b$ ; $a$, $ä$;$ä$",
    "SELECT -- ; '\n 1 /* ; /* ; */ ' ; */",
    "SELECT ';",
    "SELECT E'\\';",
    "SELECT $a$ ; ",
    "SELECT /* ;",
  ];
  for (const each of whole) assertEquals(statementsOf(each), [each]);
  const parted = ["SELECT a$b$", " SELECT $1", " SELECT '\\'", "", " SELECT U&'\\'", "SELECT 2 - 1 / 2"];
  assertEquals(statementsOf(parted.join(";")), parted);
});

test("a long text is parted in no more time than it takes to read it", () => {
  for (const many of ["'", "''", "$", "$a", "$a$", "e'", "\\", "/*", "--", '"', "a'", ";", "E'\\'"]) {
    statementsOf(`SELECT ${many.repeat(100_000)}`);
    statementsOf(`SELECT E'${many.repeat(100_000)}`);
  }
});
