/** The statements of a table of messages that wait. @module */
import { mostSetBackMs } from "../../src/spi/rows.ts";
import type { Names } from "./names.ts";
import { bytesIn, nowMs, oneOfMany, rowsOf } from "./statement.ts";

/** What an inserted row brings. */
export const insertColumns = "id text, unit text, key text, destination text, content_type text, headers text, " +
  "start int, size int, written float8, expires float8, token text";

/** In this order `claim`, behind four others, and `parked` give a row. */
export const foundColumns = ["place", "fence", "attempts", "id", "unit", "key", "destination", "content_type"]
  .concat("headers", "body", "written_due_at", "expires_at", "token", "error");

/** A row by its place, as it was when it was leased. */
const leasedList = "place bigint, fence bigint";
const postponedList = `${leasedList}, wait float8, error text, park boolean, counts int`;

/** Behind so many rows that are due and leased, it is not known when one is free: it is found by looking again. */
const mostLeased = 1000;

/** Texts of statements; what each is given is said where it is made. */
export type DueStatements =
  & Readonly<
    Record<
      | ("later" | "promote" | "lockTokens" | "remove" | "next" | "stats")
      | ("parked" | "parkedAfter" | "unpark" | "discard"),
      string
    >
  >
  & { insert(before: string): string }
  & Readonly<Record<"claim" | "claimFree", (limit: number) => string>>
  & Readonly<Record<"lock" | "done" | "doneAlone", (taken: Taken) => string>>;

/**
 * Rows that go, as text: in the statement itself, which is then planned each time, for the table as it is. A plan that
 * was kept from when the table was nearly empty, as an outbox mostly is, would read all of what has gone since.
 */
export interface Taken {
  /** Numbers, with commas between them. */
  readonly places: string;
  /** Place and fence of each: `(1,1),(2,1)`; a number: it is that of all. */
  readonly fences: string | number;
}

/**
 * Waits for no disk when its transaction commits. What a power cut brings back was sent, or is being sent, and is sent
 * once more with the same ids, as if the process had died before it could say so.
 */
const lazily = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'";

function take(table: string, { places, fences }: Taken): string {
  const from = `DELETE FROM ${table} o `;
  const rows = typeof fences === "number"
    ? `WHERE o.place = ANY ('{${places}}'::bigint[]) AND o.fence = ${fences}`
    : `USING (VALUES ${fences}) AS r(place, fence) WHERE o.place = r.place AND o.fence = r.fence`;
  return `${from}${rows} AND NOT o.parked AND ${lazily}`;
}

/**
 * `waits` says of a row that one of its key goes before it, for sure: whoever takes that one away looks after it then. A
 * row that does not say so is looked at when it is claimed. To say it, the one before must be held (`FOR SHARE`), so
 * that it cannot be taken away by somebody who does not see this row yet. Nobody waits for such a hold.
 *
 * Who takes rows with keys away does it in a transaction of these statements, each of which sees what the others have
 * committed: `lock`, so that two do not each believe that the other's row is still there; the taking away, which notes
 * the keys (`set_config`, for the transaction alone); `promote`.
 */
export function dueStatements(names: Names, of: "outbox" | "schedules"): DueStatements {
  const t = names.table(of);
  const more = of === "schedules" ? ", token" : "";
  const clock = `clock AS MATERIALIZED (SELECT ${nowMs} AS now)`;
  const now = "(SELECT now FROM clock)";
  const first = `o.bus = $1::text AND NOT o.parked AND NOT o.waits`;
  const head = `${first} AND o.again_at IS NULL`;
  /** Its sending failed. */
  const putOff = `${first} AND o.again_at IS NOT NULL`;
  /** Where to find the rows of a key, which are then taken by their order in time: as they lie in the index of keys. */
  const ofKey = (row: string) =>
    `${t} o, ${oneOfMany} WHERE o.bus = $1::text AND o."key" = ${row}."key" AND NOT o.parked`;
  const found = foundColumns.map((name) => {
    if (name === "token") return more === "" ? "NULL::text" : "o.token";
    return name === "body" ? bytesIn("o.body") : `o."${name}"`;
  });
  /** By the index of places: no join, which a planner that takes the table for one row would do from end to end. */
  const among = (places: string) => `o.place = ANY (ARRAY(${places}))`;
  /** What a claim meets behind others of their key, which it holds. */
  const passed = "SELECT place FROM standing WHERE first <> place AND first IN (SELECT place FROM firsts) " +
    "AND place NOT IN (SELECT place FROM taken)";
  const each = `o.place = r.place AND o.fence = r.fence AND NOT o.parked`;
  const noted = `SELECT set_config('hero.freed', coalesce(json_agg(json_build_array(bus, "key"))::text, '[]'), true) ` +
    `FROM gone WHERE "key" IS NOT NULL`;
  const lock = (rows: string) =>
    `SELECT count(pg_advisory_xact_lock(h)) FROM (SELECT DISTINCT ` +
    `hashtextextended('${names.channel}${of} ' || o.bus || ' ' || o."key", 0) AS h FROM ${rows} ` +
    `AND o."key" IS NOT NULL ORDER BY h) AS l`;
  // One look into the index for each.
  const byToken = `${t} o WHERE ${
    among(
      `SELECT (SELECT s.place FROM ${t} s WHERE s.bus = $1::text AND s.token = r.token LIMIT 1) ` +
        `FROM json_array_elements_text($2::text::json) AS r(token)`,
    )
  }`;
  const unwanted = of === "outbox"
    ? "false"
    : `(SELECT true FROM ${names.table("cancelled")} x WHERE x.bus = $1::text AND x.token = o.token ` +
      `AND x.unit = o.unit LIMIT 1) IS NOT NULL`;
  const locked = (which: string, order: string, limit: number) =>
    `SELECT o.ctid AS at, o.place, o.due_at, o."key" FROM ${t} o, ${oneOfMany} WHERE ${which} AND o.free_at <= ${now} ` +
    `ORDER BY ${order} LIMIT ${Math.trunc(limit)} FOR UPDATE OF o SKIP LOCKED`;
  const heads = (limit: number) =>
    `fresh AS MATERIALIZED (${locked(`${head} AND o.due_at <= ${now}`, "o.due_at, o.place", limit)}), ` +
    `again AS MATERIALIZED (${locked(`${putOff} AND o.again_at <= ${now}`, "o.again_at", limit)}), ` +
    `heads AS MATERIALIZED (SELECT * FROM fresh UNION ALL SELECT * FROM again ` +
    `ORDER BY due_at, place LIMIT ${Math.trunc(limit)})`;
  /** Since when one of these may be claimed: nothing of its key goes before it. */
  const freeSince = (which: string, order: string) =>
    `(SELECT o.free_at FROM ${t} o WHERE ${which} AND o.free_at <= ${now} AND (o."key" IS NULL OR NOT EXISTS ` +
    `(SELECT FROM ${t} p WHERE p.bus = $1::text AND p."key" = o."key" AND NOT p.parked ` +
    `AND (p.due_at, p.place) < (o.due_at, o.place))) ORDER BY ${order} LIMIT 1)`;
  // What is sent now is due no sooner than what was sent before it, though the clock was set back in between: unless that
  // would hold up all of the key for longer.
  const lastOfKey = `CASE WHEN r."key" IS NOT NULL THEN (SELECT o.due_at FROM ${ofKey("r")} ` +
    `AND o.written_due_at = 0 AND o.due_at > ${now} AND o.due_at <= ${now} + ${mostSetBackMs} ` +
    `ORDER BY o.due_at DESC, o.place DESC LIMIT 1) END`;
  const wait = "greatest(-9e15, least(9e15, ceil(r.wait)))::bigint";
  const parked = `SELECT ${found.join(", ")} FROM ${t} o WHERE o.bus = $1::text AND o.parked`;
  return {
    /**
     * Bus, rows, bodies, for how long to lease, whether what goes before may be held; gives what was leased.
     *
     * @param before of the same statement: parts of a WITH, each with a comma behind it
     */
    insert: (before: string) =>
      `WITH ${before}${clock}, ` +
      `incoming AS MATERIALIZED (SELECT r.*, CASE WHEN r.written = 0 THEN greatest(${now}, ${lastOfKey}) ` +
      `ELSE greatest(-9e15, least(9e15, ceil(r.written)))::bigint END AS due ` +
      `FROM ${rowsOf("$2", insertColumns)}), ` +
      `standing AS MATERIALIZED (SELECT i.*, f.place AS first FROM incoming i LEFT JOIN LATERAL ` +
      `(SELECT o.place FROM ${ofKey("i")} AND o.due_at <= i.due ORDER BY o.due_at, o.place LIMIT 1) f ` +
      `ON i."key" IS NOT NULL), ` +
      `held AS MATERIALIZED (SELECT o.place FROM ${t} o WHERE $5::text = 'hold' AND NOT o.parked ` +
      `AND ${among("SELECT first FROM standing")} FOR SHARE OF o SKIP LOCKED), ` +
      `ready AS (SELECT i.*, i.first IS NOT NULL AND i.first IN (SELECT place FROM held) AS waits, ` +
      `$4::text IS NOT NULL AND i.due <= ${now} AND i.first IS NULL AS leases FROM standing i) ` +
      `INSERT INTO ${t} AS o (bus, id, unit, "key", destination, content_type, headers, body, written_due_at, ` +
      `expires_at, due_at, free_at, waits, fence${more}) SELECT $1::text, id, unit, "key", destination, content_type, ` +
      `headers, substring($3::bytea FROM start + 1 FOR size), written, expires, due, ` +
      `CASE WHEN leases THEN ${now} + $4::text::bigint ELSE due END, waits, CASE WHEN leases THEN 1 ELSE 0 END${more} ` +
      `FROM ready ORDER BY n ON CONFLICT DO NOTHING ` +
      `RETURNING o.place, o.fence, o.id, o.free_at`,
    /**
     * Bus, for how long; gives whether it was taken, its place in time, whether it is not wanted, and the row. The limit
     * stands in the text: where it is a parameter, a plan that could be kept counts on a tenth of the table and looks dear,
     * so that each claim from a long backlog is planned anew, for longer than it runs.
     */
    claim: (limit) =>
      `WITH ${clock}, ${heads(limit)}, ` +
      `standing AS MATERIALIZED (SELECT h.*, f.place AS first FROM heads h LEFT JOIN LATERAL (SELECT o.place FROM ` +
      `${ofKey("h")} ORDER BY o.due_at, o.place LIMIT 1) f ON h."key" IS NOT NULL), ` +
      `leaders AS MATERIALIZED (SELECT place, "key", due_at, row_number() OVER (ORDER BY due_at, place) AS rank ` +
      `FROM standing WHERE first IS NULL OR first = place), ` +
      // Behind each, those of its key. Of all that is dear, no more is done than there is to be taken: a few keys may have
      // all of a long backlog.
      `behind AS MATERIALIZED (SELECT b.place, b.due_at, l."key" FROM leaders l CROSS JOIN LATERAL (SELECT o.place, ` +
      `o.due_at FROM ${ofKey("l")} AND (o.due_at, o.place) > (l.due_at, l.place) AND o.due_at <= coalesce(` +
      `(SELECT due_at FROM leaders WHERE rank = ${Math.trunc(limit)}), ${now}) ` +
      `ORDER BY o.due_at, o.place LIMIT ${Math.trunc(limit)}) b WHERE l."key" IS NOT NULL), ` +
      `ahead AS MATERIALIZED (SELECT * FROM (SELECT place, due_at, "key", true AS leads FROM leaders UNION ALL ` +
      `SELECT place, due_at, "key", false FROM behind) a ORDER BY due_at, place LIMIT ${Math.trunc(limit)}), ` +
      // As far as they are free.
      `locked AS MATERIALIZED (SELECT o.place FROM ${t} o WHERE ${among("SELECT place FROM ahead WHERE NOT leads")} ` +
      `AND NOT o.parked AND o.free_at <= ${now} FOR UPDATE OF o SKIP LOCKED), ` +
      `unbroken AS (SELECT a.place, bool_and(k.place IS NOT NULL) OVER (PARTITION BY a."key" ` +
      `ORDER BY a.due_at, a.place) AS free FROM ahead a LEFT JOIN locked k ON k.place = a.place WHERE NOT a.leads), ` +
      `taken AS MATERIALIZED (SELECT place FROM ahead WHERE leads UNION ALL SELECT place FROM unbroken WHERE free), ` +
      `firsts AS MATERIALIZED (SELECT o.place FROM ${t} o WHERE NOT o.parked AND ` +
      `${among("SELECT first FROM standing WHERE first <> place")} FOR SHARE OF o SKIP LOCKED), ` +
      `marked AS (UPDATE ${t} o SET waits = true WHERE ${among(passed)} AND ${lazily} RETURNING 1), ` +
      `changed AS (UPDATE ${t} o SET waits = o.place NOT IN (SELECT place FROM leaders), fence = o.fence + 1, ` +
      `free_at = ${now} + $2::text::bigint, again_at = NULL WHERE ${among("SELECT place FROM taken")} AND ${lazily} ` +
      `RETURNING true, o.due_at, o.free_at, ${unwanted}, ${found.join(", ")}) ` +
      `SELECT * FROM changed UNION ALL SELECT false${", NULL".repeat(found.length + 3)} FROM marked`,
    /**
     * The same where none of those that come first has a key: nothing is compared with anything. Gives nothing where one
     * has. By `ctid`, as the rows are locked; one that was changed since the statement began is left to the next.
     */
    claimFree: (limit) =>
      `WITH ${clock}, ${heads(limit)} ` +
      `UPDATE ${t} o SET fence = o.fence + 1, free_at = ${now} + $2::text::bigint, again_at = NULL ` +
      `WHERE o.ctid = ANY (ARRAY(SELECT at FROM heads)) AND NOT EXISTS (SELECT FROM heads WHERE "key" IS NOT NULL) ` +
      `AND ${lazily} ` +
      `RETURNING true, o.due_at, o.free_at, ${unwanted}, ${found.join(", ")}`,
    /** Leased ones. */
    lock: ({ places }) => lock(`${t} o WHERE o.place = ANY ('{${places}}'::bigint[])`),
    done: (taken) => `WITH gone AS (${take(t, taken)} RETURNING o.bus, o."key") ${noted}`,
    /** Without keys, in a transaction of its own. */
    doneAlone: (taken) => take(t, taken),
    later:
      `WITH ${clock}, r AS MATERIALIZED (SELECT * FROM ${
        rowsOf("$1", postponedList)
      }), changed AS (UPDATE ${t} o SET free_at = ${now} + ${wait}, ` +
      `again_at = CASE WHEN NOT r.park AND ${wait} > 0 THEN ${now} + ${wait} END, error = r.error, ` +
      `parked = r.park, attempts = o.attempts + r.counts, fence = o.fence + 1 ` +
      `FROM r WHERE ${among("SELECT place FROM r")} AND ${each} RETURNING o.bus, o."key", o.parked), ` +
      `gone AS (SELECT * FROM changed WHERE parked) ${noted}`,
    /** What the transaction has noted; gives as many rows as there are free now. */
    promote: `WITH freed AS MATERIALIZED (SELECT DISTINCT e ->> 0 AS bus, e ->> 1 AS "key" ` +
      `FROM json_array_elements(current_setting($1::text)::json) e) ` +
      `UPDATE ${t} o SET waits = false WHERE o.place = ANY (ARRAY(` +
      `SELECT f.place FROM freed CROSS JOIN LATERAL (SELECT o.place, o.waits FROM ${t} o, ${oneOfMany} ` +
      `WHERE o.bus = freed.bus AND o."key" = freed."key" AND NOT o.parked ORDER BY o.due_at, o.place LIMIT 1) f ` +
      `WHERE f.waits)) RETURNING 1`,
    /** Bus, tokens. */
    lockTokens: lock(byToken),
    remove: `WITH removed AS (DELETE FROM ${byToken} RETURNING o.bus, o."key", o.parked), ` +
      `gone AS (SELECT * FROM removed WHERE NOT parked) ${noted}`,
    /**
     * Bus; gives since or until when, and now. Of those that are due and leased only the first are looked at: a planner
     * that does not know how few there are would otherwise read the whole table for them.
     */
    next: `WITH ${clock} SELECT coalesce(least(${freeSince(`${head} AND o.due_at <= ${now}`, "o.due_at, o.place")}, ` +
      `${freeSince(`${putOff} AND o.again_at <= ${now}`, "o.again_at")}), ` +
      `least((SELECT min(o.due_at) FROM ${t} o WHERE ${head} AND o.due_at > ${now}), ` +
      `(SELECT min(o.again_at) FROM ${t} o WHERE ${putOff} AND o.again_at > ${now}), ` +
      `(SELECT min(f.free_at) FROM (SELECT o.free_at FROM ${t} o, ${oneOfMany} WHERE ${head} AND o.due_at <= ${now} ` +
      `ORDER BY o.due_at, o.place LIMIT ${mostLeased}) f WHERE f.free_at > ${now}))), ${now}`,
    /** Bus; gives how many there are, how many of them are parked, and for how long the oldest that is due has been so. */
    stats: `WITH ${clock} SELECT (SELECT count(*) FROM ${t} o WHERE o.bus = $1::text), ` +
      `(SELECT count(*) FROM ${t} o WHERE o.bus = $1::text AND o.parked), ` +
      `${now} - least((SELECT min(o.due_at) FROM ${t} o WHERE ${head} AND o.due_at <= ${now}), ` +
      `(SELECT min(o.due_at) FROM ${t} o WHERE o.bus = $1::text AND o.again_at IS NOT NULL AND o.due_at <= ${now}))`,
    /** Bus, limit. */
    parked: `${parked} ORDER BY o.id LIMIT $2::text::bigint`,
    parkedAfter: `${parked} AND o.id > $3::text ORDER BY o.id LIMIT $2::text::bigint`,
    /** Bus, ids. */
    unpark: `WITH ${clock} UPDATE ${t} o SET parked = false, attempts = 0, waits = false, due_at = clock.now, ` +
      `free_at = clock.now, again_at = NULL FROM clock WHERE o.bus = $1::text AND o.parked ` +
      `AND o.id = ANY (ARRAY(SELECT json_array_elements_text($2::text::json))) RETURNING 1`,
    discard: `DELETE FROM ${t} o WHERE o.bus = $1::text AND o.parked ` +
      `AND o.id = ANY (ARRAY(SELECT json_array_elements_text($2::text::json))) RETURNING 1`,
  };
}
