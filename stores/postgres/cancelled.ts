/** Schedules that were taken back before they came. @module */
import { keepCancelledMs } from "../../src/spi/rows.ts";
import type { Names } from "./names.ts";
import { column, nowMs, rowsOf, type Statement } from "./statement.ts";

/** What a schedule is told by. */
export interface Call {
  readonly token: string;
  /** As in `ScheduleRow.group`. */
  readonly group: string;
}

/**
 * The statements. A transaction that has not ended may have written its row already, where nobody else can see it: so
 * whoever claims looks, and not whoever writes.
 */
export class Cancelled {
  readonly #insert: string;
  readonly #sweep: string;

  constructor(names: Names) {
    const [table, schedules] = [names.table("cancelled"), names.table("schedules")];
    // One look into the index for each, by whatever plan.
    const isThere =
      `(SELECT true FROM ${schedules} s WHERE s.bus = c.bus AND s.token = c.token AND s.unit = c.unit LIMIT 1)`;
    this.#insert = `INSERT INTO ${table} (bus, token, unit, keep_until) ` +
      `SELECT c.bus, c.token, c.unit, ${nowMs} + ${keepCancelledMs} FROM (SELECT $1::text AS bus, r.token, r.unit ` +
      `FROM ${rowsOf("$2", "token text, unit text")} ORDER BY token, unit) AS c ` +
      // What is there goes at once. That may be another call's, and the one that is meant still come.
      `WHERE ${isThere} IS NULL ON CONFLICT DO NOTHING`;
    // What has come since, and waits for its time, is to be known when it is claimed.
    this.#sweep = `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} c ` +
      `WHERE keep_until < ${nowMs} AND ${isThere} IS NULL ` +
      `ORDER BY keep_until LIMIT $1::text::bigint FOR UPDATE SKIP LOCKED)) RETURNING 1`;
  }

  /** From now on they do not come, unless they are there: then they are to be taken away. */
  add(bus: string, calls: readonly Call[]): readonly Statement[] {
    if (calls.length === 0) return [];
    const list = calls.map(({ token, group }) => ({ token: column(token), unit: column(group) }));
    return [{ text: this.#insert, values: [column(bus), JSON.stringify(list)] }];
  }

  /** Forgets what is old, at most so many. */
  sweep(limit: number): Statement {
    return { text: this.#sweep, values: [String(limit)] };
  }
}
