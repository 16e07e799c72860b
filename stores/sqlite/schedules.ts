/** Messages for later, by token. @module */
import { fromText, toText } from "../../src/envelope/stored_text.ts";
import type { Changes, ScheduleRow } from "../../src/spi/store.ts";
import type { Connection } from "./database.ts";
import { DueTable } from "./due_table.ts";

/** The schedules' statements. */
export class Schedules extends DueTable<ScheduleRow> {
  /** @param prefix of the tables */
  constructor(prefix: string) {
    super({
      table: `${prefix}schedules`,
      more: ", token",
      values: ({ token }) => [toText(token)],
      read: (row, { token = "" }) => ({ ...row, token: fromText(token) }),
    });
  }

  /** Writes what a unit schedules and cancels. Gives when the first of it is due. */
  write(connection: Connection, bus: string, changes: Changes["schedules"], now: number): number {
    let freeAt = Infinity;
    for (const change of changes) {
      this.remove(connection, bus, "cancel" in change ? change.cancel : change.put.token);
      if ("cancel" in change) continue;
      const written = this.insert(connection, bus, change.put, now, undefined);
      if (written !== undefined) freeAt = Math.min(freeAt, written.freeAt);
    }
    // What was taken away may have held up another of its key.
    return changes.length > 0 ? Math.min(freeAt, now) : Infinity;
  }
}
