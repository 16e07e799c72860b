/** The first tables. @module */
import type { Migration } from "../migrations.ts";

/** One row a message that waits. `free_at` is when it may be claimed; `waits`, whether one of its key goes before it. */
const waitingColumns = `
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  bus TEXT NOT NULL,
  id TEXT NOT NULL,
  unit TEXT NOT NULL,
  "key" TEXT,
  destination TEXT NOT NULL,
  content_type TEXT NOT NULL,
  headers BLOB NOT NULL,
  body BLOB NOT NULL,
  written_due_at NOT NULL,
  expires_at,
  due_at INTEGER NOT NULL,
  free_at INTEGER NOT NULL,
  waits INTEGER NOT NULL,
  fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  parked INTEGER NOT NULL DEFAULT 0,
  error TEXT`;

function waiting(table: string, more: string, unique: string): string {
  return `CREATE TABLE "${table}" (${waitingColumns}${more}
);
CREATE UNIQUE INDEX "${table}_one" ON "${table}" (bus, ${unique});
CREATE INDEX "${table}_due" ON "${table}" (bus, due_at, place, free_at) WHERE parked = 0 AND waits = 0;
CREATE INDEX "${table}_keys" ON "${table}" (bus, "key", due_at, place) WHERE parked = 0 AND "key" IS NOT NULL;
CREATE INDEX "${table}_parked" ON "${table}" (bus, id) WHERE parked = 1;
`;
}

/** Inbox, sagas, outbox, schedules, leases. */
export const tables: Migration = {
  id: "0001_tables",
  script: (prefix) =>
    `CREATE TABLE "${prefix}inbox" (
  bus TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  message_id TEXT NOT NULL,
  keep_until INTEGER NOT NULL,
  PRIMARY KEY (bus, endpoint, message_id)
) WITHOUT ROWID;
CREATE INDEX "${prefix}inbox_old" ON "${prefix}inbox" (keep_until);
CREATE TABLE "${prefix}sagas" (
  bus TEXT NOT NULL,
  saga TEXT NOT NULL,
  id TEXT NOT NULL,
  incarnation TEXT NOT NULL,
  version INTEGER NOT NULL,
  data_schema INTEGER NOT NULL,
  state TEXT NOT NULL,
  data BLOB NOT NULL,
  types TEXT,
  indexes BLOB NOT NULL,
  PRIMARY KEY (bus, saga, id)
);
CREATE TABLE "${prefix}saga_indexes" (
  bus TEXT NOT NULL,
  saga TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (bus, saga, name, value, id)
) WITHOUT ROWID;
${waiting(`${prefix}outbox`, "", "id")}${waiting(`${prefix}schedules`, ",\n  token TEXT NOT NULL", "token")}` +
    `CREATE TABLE "${prefix}leases" (
  name TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  fence INTEGER NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
`,
};
