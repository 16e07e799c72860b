/** The statements of the table of messages, but for sending. @module */
import type { Names } from "../../stores/postgres/names.ts";
import { oneOfMany, refusal, rowsOf } from "../../stores/postgres/statement.ts";
import { foundColumns, nothingFound } from "./message.ts";
import { clock, heldRows, messageColumns, note, now, orderStatements, sameLease, underLease } from "./statements.ts";

/** More than this becomes due, is dropped or purged in no single statement. */
export const batch = 500;
/** More are claimed, taken or looked at in no single flight. */
export const maxClaim = 1_000;
/** How long what is mandatory and has lost its queue waits for another, in milliseconds. */
export const retryMs = 60_000;

/** What is said of each that comes again, or goes elsewhere. */
const againColumns = "place bigint, deliveries int, due float8, headers text";
const moveColumns = "place bigint, deliveries int, address text, headers text";

/** What each does is said where it is made. */
export type MessageStatements = ReturnType<typeof messageStatements>;

/** Texts of statements, by what each does. */
// deno-lint-ignore explicit-module-boundary-types -- names of texts, all of one kind
export function messageStatements(names: Names) {
  const t = names.table("messages");
  const routes = names.table("routes");
  const queues = names.table("queues");
  const place = `nextval('${names.table("places")}')`;
  const free = `leased_until <= ${now}`;
  const settled = (from: string) => `SELECT coalesce(json_agg(place)::text, '[]'), ${note(from)} FROM ${from}`;
  /** Refuses where the lease of one of `r` has ended. */
  const strict = (from: string) =>
    `SELECT (SELECT max(('hero claim ' || r.place)::integer) FROM r WHERE NOT EXISTS ` +
    `(SELECT FROM ${from} g WHERE g.place = r.place)), ${note(from)}`;
  const alone = (rows: string) => `r AS MATERIALIZED (SELECT * FROM ${rows})`;
  const held = alone(heldRows("$1", "$2"));
  const accepted = `WITH ${held}, gone AS (DELETE FROM ${t} m WHERE ${underLease("r")} ` +
    `RETURNING m.place, m.queue, m."key", m.keeps) `;
  const released = `WITH ${held}, gone AS (UPDATE ${t} m SET leased_until = 0, ` +
    `deliveries = m.deliveries - $3::text::int, state = CASE WHEN m.keeps THEN 5 ELSE m.state END ` +
    `WHERE ${underLease("r")} RETURNING m.place, m.queue, m."key", m.keeps) `;
  const again = `WITH ${alone(rowsOf("$1", againColumns))}, ` +
    `gone AS MATERIALIZED (SELECT m.place, m.queue, m."key", m.keeps FROM ${t} m WHERE ${
      underLease("r")
    } FOR UPDATE), ` +
    `changed AS (UPDATE ${t} m SET state = 3, due_at = greatest(-9e15, least(9e15, ceil(r.due)))::bigint, ` +
    `deliveries = 0, leased_until = 0, keeps = false, headers = r.headers FROM r ` +
    `WHERE m.place = ANY (ARRAY(SELECT place FROM gone)) AND m.place = r.place) `;
  /** `targets` has rows of the old table with `target`, `to_via`, `ordered`, in order of `n`. */
  const arrive = (targets: string) =>
    `arrived AS MATERIALIZED (SELECT ${place} AS new_place, o.*, o.ordered AND o."key" IS NOT NULL AS now_keeps ` +
    `FROM (SELECT * FROM ${targets} ORDER BY n) o), ` +
    `written AS (INSERT INTO ${t} (${messageColumns}) SELECT new_place, target, 0, 0, expires_at, sent_at, 0, "rank", ` +
    `CASE WHEN now_keeps THEN 5 ELSE 2 END, now_keeps, mandatory, "key", message_id, to_via, content_type, headers, body ` +
    `FROM arrived RETURNING queue, "key", keeps) `;
  const gone = 'queue, expires_at, sent_at, "rank", mandatory, "key", message_id, via, content_type, headers, body';
  const ofGone = gone.split(", ").map((each) => `m.${each}`).join(", ");
  const moved = `WITH ${alone(rowsOf("$1", moveColumns))}, ` +
    `left_here AS (DELETE FROM ${t} m USING r WHERE ${sameLease} AND EXISTS (SELECT FROM ${routes} d ` +
    `WHERE d.address = r.address) RETURNING m.place, m.queue, m.sent_at, m."rank", m.keeps, m."key", m.message_id, ` +
    `m.content_type, m.body, r.n, r.address, r.headers), ` +
    // What is parked must not expire where it is parked: only its envelope still says when it would have.
    `targets AS (SELECT g.n, g.sent_at, g."rank", g."key", g.message_id, g.content_type, g.body, g.headers, ` +
    `NULL::bigint AS expires_at, false AS mandatory, d.queue AS target, d.via AS to_via, q.ordered FROM left_here g ` +
    `JOIN ${routes} d ON d.address = g.address JOIN ${queues} q ON q.id = d.queue), ${arrive("targets")}, ` +
    `gone AS (SELECT place, queue, "key", keeps FROM left_here), ` +
    `keyed AS (SELECT queue, "key", keeps FROM gone UNION ALL SELECT queue, "key", keeps FROM written) `;
  const unroutable = `SELECT 'lost', r.n, NULL::text FROM r WHERE NOT EXISTS (SELECT FROM ${routes} d ` +
    `WHERE d.address = r.address)`;
  const came = `SELECT 'came', queue, NULL::text FROM written GROUP BY queue`;
  /**
   * The limit that is no parameter has a plan look as cheap as it is, so that it is not compiled; the other stands in a
   * SELECT, which no plan sees into, so that one for its value is no cheaper, and what is planned is kept.
   */
  const limit = "(SELECT $5::text::bigint)";
  const some = (s: number, lock: string) =>
    `(SELECT * FROM (SELECT m.place, m."rank" FROM ${t} m, ${oneOfMany} WHERE m.queue = $1::text::bigint AND m.state = ${s} ` +
    `AND (m."rank", m.place) > ($2::text::int, $3::text::bigint) AND m.place <= $4::text::bigint AND m.${free} ` +
    `AND (m.expires_at IS NULL OR m.expires_at > ${now}) ORDER BY m."rank", m.place LIMIT ${limit}${lock}) p LIMIT ${maxClaim})`;
  const page = (lock = "") =>
    `page AS (SELECT * FROM (${some(2, lock)} UNION ALL ${some(5, lock)}) a ORDER BY "rank", place LIMIT ${limit})`;
  const nowDue = (queue: string) =>
    `SELECT * FROM (SELECT place FROM ${t} WHERE queue = ${queue} AND state = 3 AND due_at <= ${now} ` +
    `ORDER BY due_at, place LIMIT ${batch} FOR UPDATE SKIP LOCKED) d`;
  const due = (queue: string) => `(SELECT min(due_at) FROM ${t} WHERE queue = ${queue} AND state = 3)`;
  const drop = (...which: readonly (readonly [condition: string, order: string])[]) =>
    `WITH ${clock}, gone AS (DELETE FROM ${t} m WHERE m.place = ANY (ARRAY(${
      which.map(([condition, order]) =>
        `SELECT * FROM (SELECT d.place FROM ${t} d, ${oneOfMany} WHERE ${condition} AND d.${free} ` +
        `ORDER BY ${order} LIMIT ${batch} FOR UPDATE OF d SKIP LOCKED) d`
      ).join(" UNION ALL ")
    })) RETURNING m.place, m.queue, m."key", m.keeps) `;
  /** Of a queue, up to a place, in the order of the index. */
  const purged = (s: number) =>
    [`d.queue = $1::text::bigint AND d.state = ${s} AND d.place <= $2::text::bigint`, 'd."rank", d.place'] as const;
  const nextQueue = (states: string, after: string) =>
    `SELECT (SELECT m.queue FROM ${t} m, ${oneOfMany} WHERE m.state ${states} AND m.queue > ${after} ` +
    `ORDER BY m.queue LIMIT 1) AS queue`;
  const dropped = `SELECT count(*), ${note("gone")} FROM gone`;
  return {
    ...orderStatements(names),
    /**
     * Queue, limit (at most {@linkcode maxClaim}), for how long; places and deliveries of what is accepted in the same
     * commit. Gives what was taken, the places that were accepted, and in how many milliseconds the next is due.
     */
    claim: `WITH ${clock}, accepted AS (DELETE FROM ${t} m WHERE ${underLease(heldRows("$4", "$5"))} ` +
      `AND NOT m.keeps RETURNING m.place), ` +
      `picked AS MATERIALIZED (SELECT place FROM (SELECT w.place FROM ${t} w, ${oneOfMany} ` +
      `WHERE w.queue = $1::text::bigint AND w.state = 2 AND w.${free} ` +
      `ORDER BY w."rank", w.place LIMIT $2::text::bigint FOR UPDATE OF w SKIP LOCKED) w LIMIT ${maxClaim}), ` +
      `taken AS (UPDATE ${t} m SET leased_until = ${now} + $3::text::bigint, deliveries = m.deliveries + 1 ` +
      `WHERE m.place = ANY (ARRAY(SELECT p.place FROM picked p)) RETURNING ${foundColumns(now)}) ` +
      `SELECT 'taken', * FROM taken UNION ALL SELECT 'accepted', place, ${nothingFound} FROM accepted UNION ALL ` +
      `SELECT 'next', least(${due("$1::text::bigint")}, ${due("0")}) - ${now}, ${nothingFound}`,
    /** Places, deliveries; of those whose order does not count. Gives the places. */
    acceptPlain: `DELETE FROM ${t} m WHERE ${underLease(heldRows("$1", "$2"))} AND NOT m.keeps RETURNING m.place`,
    accept: accepted + settled("gone"),
    acceptStrict: accepted + strict("gone"),
    /** Place, deliveries: of one that has no key, as most commits accept. */
    acceptStrictOne: `WITH gone AS (DELETE FROM ${t} m WHERE m.place = $1::text::bigint ` +
      `AND m.deliveries = $2::text::int AND m.state <> 3 RETURNING 1) ` +
      `SELECT ('hero claim ' || count(*))::integer FROM gone HAVING count(*) = 0`,
    released: released + settled("gone"),
    releasedStrict: released + strict("gone"),
    /** As JSON; `changed` is a part of it that nobody asks for. */
    again: again + settled("gone"),
    againStrict: again + strict("gone"),
    /** Gives which had nowhere to go, by their number, and the queues that got something. */
    moved: `${moved} ${unroutable} UNION ALL ${came} UNION ALL SELECT 'noted', 0, ${note("keyed")}`,
    movedStrict:
      `${moved} ${came} UNION ALL SELECT 'noted', (SELECT max(${
        refusal("route")
      }) FROM r WHERE NOT EXISTS (SELECT FROM ${routes} d WHERE d.address = r.address)), NULL UNION ALL ` +
      `SELECT 'noted', * FROM (${strict("gone").replace("FROM gone WHERE keeps", "FROM keyed WHERE keeps")}) s`,
    /**
     * Places, deliveries, for how long; gives those under such leases, and whether they were renewed. What is locked is
     * not: a commit that settles it may wait for another process, and all others would wait as well.
     */
    renew: `WITH ${clock}, ${held}, unlocked AS MATERIALIZED (SELECT m.place FROM ${t} m WHERE ${underLease("r")} ` +
      `FOR UPDATE OF m SKIP LOCKED), ` +
      `renewed AS (UPDATE ${t} m SET leased_until = ${now} + $3::text::bigint ` +
      `WHERE m.place = ANY (ARRAY(SELECT u.place FROM unlocked u)) RETURNING m.place) ` +
      `SELECT place, true FROM renewed UNION ALL SELECT m.place, false FROM ${t} m WHERE ${underLease("r")} ` +
      `AND m.place NOT IN (SELECT u.place FROM unlocked u)`,
    /** Queue. What is due takes its place, as if it were sent now. Gives the queues that got something, and of how many that was. */
    enter: `WITH ${clock}, left_here AS (DELETE FROM ${t} m WHERE m.place = ANY (ARRAY(SELECT place FROM ` +
      `(${nowDue("$1::text::bigint")} UNION ALL ${nowDue("0")}) d)) ` +
      `RETURNING m.place, m.due_at, ${ofGone}), ` +
      `fresh AS (SELECT g.*, row_number() OVER (ORDER BY due_at, place) AS n FROM left_here g ` +
      `WHERE expires_at IS NULL OR expires_at > ${now}), ` +
      `targets AS (SELECT f.*, f.queue AS target, f.via AS to_via, q.ordered FROM fresh f JOIN ${queues} q ON q.id = f.queue ` +
      `UNION ALL SELECT f.*, d.queue, d.via, q.ordered FROM fresh f JOIN ${routes} d ON f.queue = 0 AND d.address = f.via ` +
      `JOIN ${queues} q ON q.id = d.queue), ${arrive("targets")}, ` +
      `waits AS (INSERT INTO ${t} (${messageColumns}) SELECT place, 0, 0, ${now} + ${retryMs}, expires_at, sent_at, 0, ` +
      `"rank", 3, false, true, "key", message_id, via, content_type, headers, body FROM (SELECT ${place} AS place, ` +
      `${gone.split(", ").filter((each) => each !== "queue").join(", ")} FROM fresh f WHERE queue = 0 AND mandatory ` +
      `AND NOT EXISTS (SELECT FROM ${routes} d WHERE d.address = f.via)) w) ` +
      `${came} UNION ALL SELECT 'noted', (SELECT count(*) FROM left_here), ${note("written")}`,
    /** Place. */
    cancel:
      `DELETE FROM ${t} WHERE place = $1::text::bigint AND CASE WHEN state = 3 THEN true ELSE false END RETURNING 1`,
    /** Queue, rank and place after which, last place, limit (at most {@linkcode maxClaim}). */
    browse: `WITH ${clock}, ${page()} SELECT ${foundColumns(now)} FROM ${t} m ` +
      `WHERE m.place = ANY (ARRAY(SELECT p.place FROM page p)) ORDER BY m."rank", m.place`,
    /** The same, and for how long. */
    take: `WITH ${clock}, ${page(" FOR UPDATE OF m SKIP LOCKED")}, ` +
      `taken AS (UPDATE ${t} m SET leased_until = ${now} + $6::text::bigint, deliveries = m.deliveries + 1 ` +
      `WHERE m.place = ANY (ARRAY(SELECT p.place FROM page p)) RETURNING ${foundColumns(now)}) SELECT * FROM taken`,
    last: `SELECT coalesce((SELECT m.place FROM ${t} m, ${oneOfMany} ORDER BY m.place DESC LIMIT 1), 0)`,
    /** Queue; gives what waits, is handled, is due later. */
    count: `WITH ${clock} SELECT count(*) FILTER (WHERE state <> 3 AND ${free} OR due_at <= ${now} AND state = 3), ` +
      `count(*) FILTER (WHERE state <> 3 AND leased_until > ${now}), ` +
      `count(*) FILTER (WHERE state = 3 AND due_at > ${now}) FROM ${t} WHERE queue = $1::text::bigint ` +
      `AND state IN (2, 3, 5) AND (expires_at IS NULL OR expires_at > ${now} OR leased_until > ${now})`,
    /** Queue, last place. */
    purge: drop(purged(2), purged(5)) + dropped,
    expire: drop([`d.expires_at <= ${now} AND d.state <> 3`, "d.expires_at"]) + dropped,
    /** Queue: all of it but what is leased, at most a batch. */
    clear:
      `WITH ${clock} DELETE FROM ${t} WHERE place = ANY (ARRAY((SELECT place FROM ${t} WHERE queue = $1::text::bigint ` +
      `AND state IN (2, 5) AND ${free} LIMIT ${batch}) UNION ALL (SELECT place FROM ${t} WHERE queue = $1::text::bigint ` +
      `AND state = 3 LIMIT ${batch}))) RETURNING 1`,
    /** The queues of messages that are none any more: one look into the index for each. */
    orphans: `WITH RECURSIVE q(queue) AS (${nextQueue("IN (2, 5)", "0")} UNION ALL ` +
      `SELECT (${nextQueue("IN (2, 5)", "q.queue")}) FROM q WHERE q.queue IS NOT NULL), ` +
      `d(queue) AS (${nextQueue("= 3", "0")} UNION ALL ` +
      `SELECT (${nextQueue("= 3", "d.queue")}) FROM d WHERE d.queue IS NOT NULL) ` +
      `SELECT queue FROM (SELECT queue FROM q UNION SELECT queue FROM d) a WHERE queue > 0 ` +
      `AND NOT EXISTS (SELECT FROM ${queues} e WHERE e.id = a.queue)`,
    /** Queue: the order of its keys counts from now on. What is handled goes on. */
    lineUp: `WITH ${clock} UPDATE ${t} m SET keeps = true, state = CASE WHEN leased_until > ${now} THEN 2 ELSE 5 END ` +
      `WHERE queue = $1::text::bigint AND "key" IS NOT NULL AND state IN (2, 5) AND NOT keeps`,
    lineUpFirsts: `UPDATE ${t} m SET state = 2 WHERE m.place = ANY (ARRAY(SELECT min(k.place) FROM ${t} k ` +
      `WHERE k.queue = $1::text::bigint AND k.keeps GROUP BY k."key" HAVING bool_and(k.state = 5)))`,
    lockTable: `LOCK TABLE ${t} IN SHARE ROW EXCLUSIVE MODE`,
  };
}
