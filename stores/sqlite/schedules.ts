/** Messages for later, by token. @module */
import { toText } from "../../src/envelope/stored_text.ts";
import type { Changes, ScheduleRow } from "../../src/spi/rows.ts";
import { Cancelled } from "./cancelled.ts";
import { textOf } from "./columns.ts";
import type { Connection } from "./connection.ts";
import { DueTable } from "./due_table.ts";

/** The schedules' statements. */
export class Schedules extends DueTable<ScheduleRow> {
  readonly #cancelled: Cancelled;

  /** @param prefix of the tables */
  constructor(prefix: string) {
    super({
      table: `${prefix}schedules`,
      more: ", token",
      values: ({ token }) => [toText(token)],
      read: (row, { token }) => ({ ...row, token: textOf(token, "token") }),
    });
    this.#cancelled = new Cancelled(prefix);
  }

  /** Writes what a unit schedules and cancels. Gives when the first of it is due. */
  write(connection: Connection, bus: string, changes: Changes["schedules"], now: number): number {
    let freeAt = Infinity;
    for (const change of changes) {
      if ("cancel" in change) {
        this.#cancelled.add(connection, bus, change, now);
        this.remove(connection, bus, change.cancel);
        continue;
      }
      this.remove(connection, bus, change.put.token);
      if (this.#cancelled.has(connection, bus, change.put)) continue;
      const written = this.insert(connection, bus, change.put, now, undefined);
      if (written !== undefined) freeAt = Math.min(freeAt, written.freeAt);
    }
    // What was taken away may have held up another of its key.
    return changes.length > 0 ? Math.min(freeAt, now) : Infinity;
  }

  /** Forgets cancels that are old, at most `limit`; gives the number. */
  sweep(connection: Connection, limit: number, now: number): number {
    return this.#cancelled.sweep(connection, limit, now);
  }
}
