/** Messages that are tried again later stand in nobody's way. @module */
import type { Migration } from "../migrations.ts";
import type { Names } from "../names.ts";

function putOffIn(names: Names, of: "outbox" | "schedules"): string {
  const table = names.table(of);
  return `ALTER TABLE ${table} ADD COLUMN again_at bigint;
CREATE INDEX ${names.index(`${of}_ready`)} ON ${table} (bus, due_at, place) ` +
    `WHERE NOT parked AND NOT waits AND again_at IS NULL;
CREATE INDEX ${names.index(`${of}_again`)} ON ${table} (bus, again_at) INCLUDE (due_at) WHERE again_at IS NOT NULL;
DROP INDEX ${names.table(`${of}_due`)};
`;
}

/**
 * `again_at` says of a row whose sending failed when it is tried again. So claims find it by that time, and pass over
 * none that are put off, however many they are. It is no lease: that is written often, and in no index.
 */
export const putOff: Migration = {
  id: "0006_put_off",
  script: (names) => putOffIn(names, "outbox") + putOffIn(names, "schedules"),
};
