/** Schedules that were taken back before they came. @module */
import type { Migration } from "../migrations.ts";

/** One row for each that a transaction which has not ended yet may still bring. */
export const cancelled: Migration = {
  id: "0003_cancelled",
  script: (names) =>
    `CREATE TABLE ${names.table("cancelled")} (
  bus text COLLATE "C" NOT NULL,
  token text COLLATE "C" NOT NULL,
  unit text COLLATE "C" NOT NULL,
  keep_until bigint NOT NULL,
  PRIMARY KEY (bus, token, unit)
);
CREATE INDEX ${names.index("cancelled_old")} ON ${names.table("cancelled")} (keep_until);
`,
};
