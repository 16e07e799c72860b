/** What units write that nobody has handled: together where they are alike, and else as ever. */
import { assertEquals } from "@std/assert";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import type { FreeUnit } from "../../../stores/postgres/free_rows.ts";
import { FreshRows } from "../../../stores/postgres/fresh_rows.ts";
import { Names } from "../../../stores/postgres/names.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";

const plain: OutboxRow = {
  id: "row",
  group: "unit",
  key: undefined,
  to: "queue:q",
  frame: { contentType: "text/plain", headers: {}, body: new Uint8Array([1, 255]) },
  dueAt: 0,
  expiresAt: undefined,
};
const key = { bus: "app", endpoint: "e", messageId: "m#0", keepUntil: 10 };
const unit: FreeUnit = { bus: "app", key, change: undefined, rows: [plain], leaseMs: 1000 };

test("units that differ in what the statement has once for all are not written by it", () => {
  const rows = new FreshRows(new Names("public", "hero_"));
  const fits = (...units: readonly FreeUnit[]): boolean => rows.write(units) !== undefined;
  const row = (some: Partial<OutboxRow>): FreeUnit => ({ ...unit, rows: [plain, { ...plain, ...some }] });
  const alike = [
    { ...unit, key: undefined },
    { ...unit, rows: [] },
    row({ id: "other", group: "", to: "topic:t" }),
    row({ frame: { ...plain.frame, headers: { at: "$1 {}" }, body: new Uint8Array(0) } }),
  ];
  assertEquals(alike.map((each) => fits(unit, each)), alike.map(() => true));
  const unlike = [
    { ...unit, bus: "other" },
    { ...unit, leaseMs: 2000 },
    { ...unit, key: { ...key, endpoint: "other" } },
    { ...unit, key: { ...key, messageId: "with \x1f#0" } },
    row({ dueAt: 1 }),
    row({ expiresAt: 1 }),
    row({ frame: { ...plain.frame, contentType: "other" } }),
    row({ id: "with \x1f" }),
    row({ group: "\x1f" }),
    row({ to: "queue:\x1f" }),
  ];
  assertEquals(unlike.map((each) => fits(unit, each)), unlike.map(() => false));
  assertEquals(fits({ ...unit, rows: [] }), false, "what sends nothing");
  assertEquals(fits({ ...unit, rows: [{ ...plain, id: "" }] }), false, "a list of one text that is empty");
});

onPostgres("texts and bytes of every kind are written by it as they are", async (opened) => {
  const store = await opened.store();
  const texts = [`"quoted" \\ {a,b} NULL`, "line\nbreak\ttab", "NUL \0, \x1a, \x1e and 😀", "NULL", "'", "$1", "\x1f"];
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const rows = texts.flatMap((text) =>
    [text, ""].map((group) =>
      opened.row({
        id: `${group} of ${text}`,
        group,
        to: `queue:${text}`,
        frame: {
          contentType: "text/plain",
          headers: { [text]: text, bytes: every },
          body: group === "" ? new Uint8Array(0) : every,
        },
      })
    )
  );
  const keys = texts.map((text) => opened.key(text));
  const units = await Promise.all(keys.map((each) => store.begin(opened.scope({ inbox: [each] }))));
  const leased = (await Promise.all(
    units.map((each, at) => each.commit(opened.changes({ outbox: rows.slice(2 * at, 2 * at + 2) }))),
  )).flat();
  assertEquals(leased.map(({ row }) => row), rows);
  await store.outbox.later(leased.map((each) => ({ leased: each, dueAt: 0, error: "", park: false })));
  const claimed = (await store.outbox.claim(opened.bus, 100, 30_000)).map(({ row }) => row);
  const byId = new Map(claimed.map((row) => [row.id, row]));
  for (const row of rows) assertEquals(byId.get(row.id), row);
  const again = await store.begin(opened.scope({ inbox: keys }));
  assertEquals(again.duplicates, keys.map(() => true));
  await again.rollback();
});

onPostgres(
  "of several rows that a transaction writes one that is there is left out, and the others are written",
  async (opened) => {
    const store = await opened.store();
    const [there, ...others] = [opened.row(), opened.row(), opened.row()];
    await (await store.begin(opened.scope())).commit(opened.changes({ outbox: [there!] }));
    const unit = await store.begin(opened.scope({ inbox: [opened.key("a"), opened.key("b")] }));
    const leased = await unit.commit(opened.changes({ outbox: [others[0]!, there!, others[1]!, others[0]!] }));
    assertEquals(leased.map(({ row }) => row), others);
    await store.outbox.done(leased);
    const { sql, schema } = opened.bench;
    assertEquals((await sql.unsafe(`SELECT id FROM "${schema}".hero_outbox`)).map(({ id }) => id), [there!.id]);
  },
);
