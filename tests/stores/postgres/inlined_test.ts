/** What stands in one text with BEGIN or COMMIT is what it would be beside it. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { headersFromText } from "../../../src/envelope/stored_text.ts";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { ConflictError } from "../../../src/errors/store.ts";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import type { Store } from "../../../src/spi/store.ts";
import { Inlined } from "../../../stores/postgres/inlined.ts";
import { test } from "../../support/runner.ts";
import { onPostgres, type Opened } from "./opened.ts";

type Tx = Awaited<ReturnType<Opened["store"]>> extends Store<infer Found> ? Found : never;

/** A unit that has used its transaction, and writes a row; gives how many statements its connection has prepared by SQL. */
async function write(opened: Opened, store: Store<Tx>, row: OutboxRow, messageId: string): Promise<number> {
  const unit = await store.begin(opened.scope({ inbox: [opened.key(messageId)] }));
  const [found] = await unit.tx.unsafe("SELECT count(*)::int AS n FROM pg_prepared_statements WHERE from_sql");
  const leased = await unit.commit(opened.changes({ outbox: [row] }));
  assertEquals(leased.map((each) => each.row.id), [row.id], "what was written comes back");
  return found?.["n"];
}

/** A row as the table has it. */
async function read(opened: Opened, { group }: OutboxRow): Promise<unknown> {
  const { sql, schema } = opened.bench;
  const [found] = await sql`SELECT id, headers, body FROM ${sql(schema)}.hero_outbox WHERE unit = ${group}`;
  return { id: found?.["id"], headers: headersFromText(found?.["headers"]), body: new Uint8Array(found?.["body"]) };
}

onPostgres("texts and bytes of every kind stand in the text of a commit as they are", async (opened) => {
  const store = await opened.store({ max: 2 });
  const texts = [
    "'",
    "''; DROP TABLE x; --",
    "\\",
    "\\'",
    "E'\\x27'",
    '"',
    "$1",
    "'$",
    "$hero$",
    "\\$hero",
    "'; $$ $hero$ '",
    "😀'\\",
    "line\nbreak\r\ttab",
    "\u0001\x1a",
  ];
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  let prepared = 0;
  for (const [at, text] of texts.entries()) {
    const headers = { [`name ${text}`]: text, bytes: every };
    const row = opened.row({ id: `${at} ${text}`, frame: { contentType: "text/plain", headers, body: every } });
    prepared = await write(opened, store, row, `${at} ${text}`);
    const expected = text.replaceAll("\x1a", "\x1a1"); // as a column has it
    assertEquals(await read(opened, row), { id: `${at} ${expected}`, headers, body: every }, JSON.stringify(text));
    const again = await store.begin(opened.scope({ inbox: [opened.key(`${at} ${text}`)] }));
    assertEquals(again.duplicates, [true], JSON.stringify(text));
    await again.rollback();
  }
  assertEquals(prepared >= 2, true, `${prepared} statements were run by name: the test shows nothing without`);
});

onPostgres("what is too long for a text is committed beside it", async (opened) => {
  const store = await opened.store({ max: 2 });
  const body = new Uint8Array(40_000).fill(7);
  const long = opened.row({ frame: { contentType: "text/plain", headers: {}, body } });
  await write(opened, store, long, "long");
  assertEquals(await read(opened, long), { id: long.id, headers: {}, body });
});

onPostgres(
  "a unit whose connection has lost what was prepared begins again, and the next do without",
  async (opened) => {
    const store = await opened.store({ max: 2 });
    while (await write(opened, store, opened.row(), crypto.randomUUID()) < 2);
    const unit = await store.begin(opened.scope({ inbox: [opened.key("lost")] }));
    const { tx } = unit;
    assertThrows(() => tx.unsafe("DEALLOCATE ALL"), ConfigurationError, "prepared statements");
    for (
      const text of ["SET client_encoding = 'LATIN1'", "-- so\n set LOCAL client_encoding TO x", "SET NAMES 'LATIN1'"]
    ) {
      assertThrows(() => tx.unsafe(text), ConfigurationError, "UTF-8");
    }
    await tx`SET LOCAL lock_timeout = 1000`;
    // As a pooler does that gives the connection another server.
    await tx.unsafe("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$");
    await assertRejects(() => unit.commit(opened.changes({ outbox: [opened.row()] })), ConflictError);
    const row = opened.row();
    assertEquals(await write(opened, store, row, "lost"), 0);
    assertEquals(await read(opened, row), { id: row.id, headers: {}, body: row.frame.body });
  },
);

onPostgres(
  "no values stand in texts where statements are not prepared, or the encoding is another one",
  async (opened) => {
    const latin = { connection: { client_encoding: "LATIN1" } };
    for (const options of [{ prepare: false }, { connection: latin }]) {
      const store = await opened.store({ max: 2, ...options });
      for (let n = 0; n < 4; n++) assertEquals(await write(opened, store, opened.row(), crypto.randomUUID()), 0);
    }
  },
);

test("PostgreSQL: a statement whose text failed is prepared anew by another name, one that did not is run by its own", () => {
  const inlined = new Inlined();
  const names = (text: string | undefined) =>
    /^(?:PREPARE (\S+) AS S \$1;)?EXECUTE (\S+)\('a'\)$/.exec(text ?? "")?.slice(1);
  const [first, run] = names(inlined.textOf("S $1", ["a"])?.text) ?? [];
  assertEquals(first, run);
  assertEquals(names(inlined.textOf("S $1", ["a"])?.text), [undefined, first]);
  inlined.forget("S $1");
  const [second] = names(inlined.textOf("S $1", ["a"])?.text) ?? [];
  assertEquals(second !== undefined && second !== first, true);
  assertEquals(inlined.textOf("S $1", ["a\0b"]), undefined);
});
