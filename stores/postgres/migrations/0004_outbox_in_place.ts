/** Room for leases. @module */
import type { Migration } from "../migrations.ts";

/**
 * Pages of the outbox are filled by half: so the row that a claim writes lies beside the one that it was, and no index
 * changes (a HOT update). What was written before stays where it is.
 */
export const outboxInPlace: Migration = {
  id: "0004_outbox_in_place",
  script: (names) => `ALTER TABLE ${names.table("outbox")} SET (fillfactor = 50);\n`,
};
