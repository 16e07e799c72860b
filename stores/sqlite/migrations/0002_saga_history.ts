/** What has happened to the instances of sagas. @module */
import type { Migration } from "../migrations.ts";

/** One row for each commit that changed an instance, in order of writing. */
export const sagaHistory: Migration = {
  id: "0002_saga_history",
  script: (prefix) =>
    `CREATE TABLE "${prefix}saga_history" (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  bus TEXT NOT NULL,
  saga TEXT NOT NULL,
  id TEXT NOT NULL,
  incarnation TEXT NOT NULL,
  version INTEGER NOT NULL,
  at NOT NULL,
  data BLOB NOT NULL,
  types TEXT
);
CREATE INDEX "${prefix}saga_history_one" ON "${prefix}saga_history" (bus, saga, id, place);
`,
};
