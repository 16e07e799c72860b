/** Schedules that were taken back before they came. @module */
import type { Migration } from "../migrations.ts";

/** One row for each that a transaction which has not ended yet may still bring. */
export const cancelled: Migration = {
  id: "0003_cancelled",
  script: (prefix) =>
    `CREATE TABLE "${prefix}cancelled" (
  bus TEXT NOT NULL,
  token TEXT NOT NULL,
  unit TEXT NOT NULL,
  keep_until INTEGER NOT NULL,
  PRIMARY KEY (bus, token, unit)
) WITHOUT ROWID;
CREATE INDEX "${prefix}cancelled_old" ON "${prefix}cancelled" (keep_until);
`,
};
