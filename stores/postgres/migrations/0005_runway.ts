/** Files that never become small. @module */
import type { Migration } from "../migrations.ts";
import type { Names } from "../names.ts";

/** So many rows of a third of a page and more. */
const rows = 200;
const wide = "repeat('-', 1900)";
const waiting = `(bus, id, unit, destination, content_type, headers, body, written_due_at, due_at, free_at, parked`;
const waitingValues = `'', n, '', '', '', ${wide}, '', 0, 0, 0, true`;

/** What fills the file of each table, of a bus that no other is. */
const fillings: readonly (readonly [table: string, columns: string, values: string])[] = [
  ["outbox", `${waiting})`, waitingValues],
  ["schedules", `${waiting}, token)`, `${waitingValues}, n`],
  ["inbox", "(bus, endpoint, message_id, keep_until)", `'', ${wide}, n, 0`],
  ["cancelled", "(bus, token, unit, keep_until)", `'', n, ${wide}, 0`],
  [
    "sagas",
    "(bus, saga, id, incarnation, version, data_schema, state, data, indexes)",
    `'', '', n, '', 0, 0, ${wide}, '', ''`,
  ],
  ["saga_indexes", "(bus, saga, name, value, id)", `'', '', '', ${wide}, n`],
];

function runwayOf(names: Names, [of, columns, values]: (typeof fillings)[number]): string {
  const table = names.table(of);
  return `ALTER TABLE ${table} SET (vacuum_truncate = false);
INSERT INTO ${table} ${columns} SELECT ${values} FROM generate_series(1, ${rows}) AS n;
DELETE FROM ${table} WHERE bus = '';
`;
}

/**
 * A plan that is made while a table is empty and its file is none would read it from end to end, and sort it: that costs
 * nothing. It would be kept while rows come, until somebody analyzes them. Of a file of so many pages a few rows are found
 * by an index. So it is never cut, for which nobody could read it meanwhile; what is free in it is used again.
 */
export const runway: Migration = {
  id: "0005_runway",
  script: (names) => fillings.map((filling) => runwayOf(names, filling)).join(""),
};
