/** Messages that are tried again later stand in nobody's way. @module */
import type { Migration } from "../migrations.ts";

function putOffIn(table: string): string {
  return `ALTER TABLE "${table}" ADD COLUMN again_at INTEGER;
CREATE INDEX "${table}_ready" ON "${table}" (bus, due_at, place, free_at)
  WHERE parked = 0 AND waits = 0 AND again_at IS NULL;
CREATE INDEX "${table}_again" ON "${table}" (bus, again_at, due_at, place)
  WHERE parked = 0 AND waits = 0 AND again_at IS NOT NULL;
DROP INDEX "${table}_due";
`;
}

/**
 * `again_at` says of a row whose sending failed when it is tried again. So claims find it by that time, and pass over
 * none that are put off, however many they are.
 */
export const putOff: Migration = {
  id: "0004_put_off",
  script: (prefix) => putOffIn(`${prefix}outbox`) + putOffIn(`${prefix}schedules`),
};
