/** Schedules that were taken back before they came. @module */
import { toText } from "../../src/envelope/stored_text.ts";
import { keepCancelledMs, type ScheduleCancel, type ScheduleRow } from "../../src/spi/rows.ts";
import type { Connection } from "./connection.ts";

/** The statements. */
export class Cancelled {
  readonly #find: string;
  readonly #insert: string;
  readonly #sweep: string;

  /** @param prefix of the tables */
  constructor(prefix: string) {
    const table = `"${prefix}cancelled"`;
    this.#find = `SELECT 1 FROM ${table} WHERE bus = ? AND token = ? AND unit = ?`;
    // What is there goes at once. That may be another call's, and the one that is meant still come.
    this.#insert = `INSERT INTO ${table} (bus, token, unit, keep_until) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS ` +
      `(SELECT 1 FROM "${prefix}schedules" WHERE bus = ?1 AND token = ?2 AND unit = ?3) ON CONFLICT DO NOTHING`;
    this.#sweep = `DELETE FROM ${table} WHERE (bus, token, unit) IN ` +
      `(SELECT bus, token, unit FROM ${table} WHERE keep_until < ? ORDER BY keep_until LIMIT ?)`;
  }

  /** From now on it does not come, unless it is there: then it is to be taken away. */
  add(connection: Connection, bus: string, { cancel, group }: ScheduleCancel, now: number): void {
    if (group === undefined) return;
    const until = Math.ceil(now + keepCancelledMs);
    connection.prepare(this.#insert).run(toText(bus), toText(cancel), toText(group), until);
  }

  has(connection: Connection, bus: string, { token, group }: ScheduleRow): boolean {
    return connection.prepare(this.#find).get(toText(bus), toText(token), toText(group)) != null;
  }

  /** Forgets what is old, at most `limit`; gives the number. */
  sweep(connection: Connection, limit: number, now: number): number {
    return Number(connection.prepare(this.#sweep).run(now, limit).changes);
  }
}
