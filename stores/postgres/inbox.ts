/** Which messages were handled. @module */
import type { InboxKey } from "../../src/spi/store.ts";
import type { Names } from "./names.ts";
import { column, nowMs, refusal, rowsOf, type Statement } from "./statement.ts";

const keyColumns = "bus text, endpoint text, message_id text";
const columns = `${keyColumns}, keep_until float8`;
const same = "i.bus = r.bus AND i.endpoint = r.endpoint AND i.message_id = r.message_id";

/** A key, of a bus. */
export interface BusKey extends InboxKey {
  readonly bus: string;
}

/** The inbox' statements. */
export class Inbox {
  readonly #table: string;

  constructor(names: Names) {
    this.#table = names.table("inbox");
  }

  /** Gives the numbers, from 1, of those that were handled. */
  find(keys: readonly BusKey[]): Statement {
    return {
      // One look into the index for each, also by a plan that was made while the table was so small as to be read whole.
      text: `SELECT r.n FROM ${rowsOf("$1", keyColumns)} ` +
        `CROSS JOIN LATERAL (SELECT FROM ${this.#table} i WHERE ${same} LIMIT 1) AS found`,
      values: [this.list(keys)],
    };
  }

  /** Remembers that they were handled; refuses where one was. */
  record(keys: readonly BusKey[]): Statement {
    return { text: `WITH ${this.recording("$1")} SELECT problem FROM refused`, values: [this.list(keys)] };
  }

  /** The same as a part of another statement, which has to read `problem` of `refused`. */
  recording(parameter: string): string {
    return `handled AS MATERIALIZED (SELECT * FROM ${rowsOf(parameter, columns)}), ` +
      // In one order, so that no two wait for each other; one that is being handled elsewhere is waited for.
      `recorded AS (INSERT INTO ${this.#table} (bus, endpoint, message_id, keep_until) ` +
      `SELECT bus, endpoint, message_id, keep_until::bigint FROM handled ORDER BY bus, endpoint, message_id ` +
      `ON CONFLICT DO NOTHING RETURNING bus, endpoint, message_id), ` +
      `refused AS (SELECT ${refusal("duplicate")} AS problem FROM handled r ` +
      `WHERE NOT EXISTS (SELECT FROM recorded i WHERE ${same}))`;
  }

  /** Forgets some that this transaction has recorded. */
  forget(keys: readonly BusKey[]): Statement {
    return {
      text: `DELETE FROM ${this.#table} i USING ${rowsOf("$1", keyColumns)} WHERE ${same}`,
      values: [this.list(keys)],
    };
  }

  /** Forgets what is old, at most so many. */
  sweep(limit: number): Statement {
    const old = `SELECT ctid FROM ${this.#table} WHERE keep_until < ${nowMs} ` +
      `ORDER BY keep_until LIMIT $1::text::bigint FOR UPDATE SKIP LOCKED`;
    return { text: `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(${old})) RETURNING 1`, values: [String(limit)] };
  }

  /** Keys as a statement takes them. */
  list(keys: readonly BusKey[]): string {
    return JSON.stringify(keys.map(({ bus, endpoint, messageId, keepUntil }) => ({
      bus: column(bus),
      endpoint: column(endpoint),
      message_id: column(messageId),
      keep_until: Math.ceil(keepUntil),
    })));
  }
}
