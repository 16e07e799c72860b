/** Parts of statements. @module */
import type { Names } from "../../stores/postgres/names.ts";
import { nowMs, oneOfMany } from "../../stores/postgres/statement.ts";

/** The database's time, once for a statement. */
export const clock = `clock AS MATERIALIZED (SELECT ${nowMs} AS now)`;
/** That time. */
export const now = "(SELECT now FROM clock)";

/** Rows under leases, from two lists of numbers. */
export function heldRows(places: string, deliveries: string): string {
  return `unnest(${places}::text::bigint[], ${deliveries}::text::int[]) AS r(place, deliveries)`;
}

/**
 * Whether a row `m` is under one of the leases of `rows`. Written so that no plan made while the table is empty reads it
 * from end to end, nor compares each with each: by the index of places, then by a hash, which a CASE keeps from becoming
 * a join.
 */
export function underLease(rows: string): string {
  return `m.place = ANY (ARRAY(SELECT r.place FROM ${rows})) AND ` +
    `CASE WHEN (m.place, m.deliveries) IN (SELECT r.place, r.deliveries FROM ${rows}) THEN m.state <> 3 ELSE false END`;
}
/** The same where more is said of each: of a row `r`, the lease of `m`. */
export const sameLease = `m.place = ANY (ARRAY(SELECT place FROM r)) AND m.place = r.place AND ` +
  `m.deliveries = r.deliveries AND m.state <> 3`;

/** A list as a text that an array is made of. */
export function listOf(numbers: readonly number[]): string {
  return `{${numbers.join(",")}}`;
}

/** The keys that a transaction has noted, as JSON. */
const notedKeys = `coalesce(nullif(current_setting('hero.queue_keys', true), ''), '[]')`;

/**
 * Notes, for this transaction alone, the keys of the rows of `from` whose order counts: something has come before or
 * behind them, or has gone.
 */
export function note(from: string): string {
  return `set_config('hero.queue_keys', (${notedKeys}::jsonb || (SELECT coalesce(jsonb_agg(DISTINCT ` +
    `jsonb_build_array(queue, "key")), '[]') FROM ${from} WHERE keeps))::text, true)`;
}

/**
 * What follows in the transaction, each as a statement that sees what the others have committed. Of a key whose order
 * counts one row at most is ready, and if there are any, one is: whoever adds or takes away rows of a key notes it, takes
 * the key's lock, and makes the first ready unless there is one. Rows are added as being behind.
 */
export function orderStatements(names: Names): { readonly lock: string; readonly promote: string } {
  const t = names.table("messages");
  // The first of a key is ready, or none is: of each key the index has those first that are.
  const order = ["queue", '"key"', "state", "place"].map((each) => `k.${each}`).join(", ");
  return {
    lock: `SELECT count(pg_advisory_xact_lock(h)) FROM (SELECT DISTINCT ` +
      `hashtextextended('${names.channel} ' || (e ->> 0) || ' ' || (e ->> 1), 0) AS h ` +
      `FROM json_array_elements(${notedKeys}::json) e ORDER BY h) AS l`,
    /** Gives the queues that have something to take, and notes nothing any more. */
    promote: `WITH noted AS MATERIALIZED (SELECT DISTINCT (e ->> 0)::bigint AS queue, e ->> 1 AS "key" ` +
      `FROM json_array_elements(${notedKeys}::json) e), ` +
      `firsts AS MATERIALIZED (SELECT f.place FROM noted n CROSS JOIN LATERAL (SELECT ${order} FROM ${t} k, ` +
      `${oneOfMany} WHERE k.keeps AND (${order}) > (n.queue, n."key", 0::smallint, 0::bigint) ` +
      `ORDER BY ${order} LIMIT 1) f WHERE f.queue = n.queue AND f."key" = n."key" AND f.state = 5), ` +
      `promoted AS (UPDATE ${t} m SET state = 2 WHERE m.place = ANY (ARRAY(SELECT place FROM firsts)) ` +
      `AND CASE WHEN m.state = 5 THEN true ELSE false END RETURNING m.queue) ` +
      `SELECT queue, set_config('hero.queue_keys', '', true) FROM promoted GROUP BY queue`,
  };
}

/** The columns of a message, in the order in which they are written. */
export const messageColumns =
  `place, queue, leased_until, due_at, expires_at, sent_at, deliveries, "rank", state, keeps, ` +
  `mandatory, "key", message_id, via, content_type, headers, body`;
