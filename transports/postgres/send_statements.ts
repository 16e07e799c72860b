/** The statements that write messages. @module */
import type { Names } from "../../stores/postgres/names.ts";
import { refusal, rowsOf } from "../../stores/postgres/statement.ts";
import { sentColumns, sentNames } from "./message.ts";
import { clock, messageColumns, note, now } from "./statements.ts";

/** What a batch needs of its statement. */
export interface SendKind {
  /** Something has a key: its order may count. */
  readonly keyed: boolean;
  /** Receivers of this process wait. */
  readonly offers: boolean;
  /** What is mandatory and reaches no queue makes it fail, instead of being told of. */
  readonly strict: boolean;
}

/**
 * Messages, bodies; with offers: queues, how many each takes at once, for how long those are leased. Gives of each
 * message what it is, its number from 1, its place and its queue: `later` is due later, `handed` is leased, `lost` is
 * mandatory and reached no queue; and each queue in which something waits now (`waits`).
 */
export function sendStatement(names: Names, { keyed, offers, strict }: SendKind): string {
  const [t, routes, queues] = [names.table("messages"), names.table("routes"), names.table("queues")];
  const due = "coalesce(s.due, 0)";
  const toTopic = "starts_with(s.address, 'topic:')";
  const none = `NOT EXISTS (SELECT FROM ${routes} d WHERE d.address = s.address)`;
  const lost = `FROM sent s WHERE s.mandatory AND ${none} AND s.past IS NULL`;
  const leased = offers ? "p.leased" : "false";
  const order = offers
    ? `SELECT o.*, coalesce(NOT o.later AND NOT o.keeps AND row_number() OVER (PARTITION BY o.queue, o.later, o.keeps ` +
      `ORDER BY o.n) <= f.room, false) AS leased FROM targets o LEFT JOIN unnest($3::text::bigint[], $4::text::int[]) ` +
      `AS f(queue, room) ON f.queue = o.queue`
    : "SELECT * FROM targets";
  return `WITH ${clock}, sent AS MATERIALIZED (SELECT r.n, ${sentNames} FROM ${rowsOf("$1", sentColumns)}), ` +
    `targets AS (SELECT s.n, d.queue, d.via, ${due} > ${now} AS later, ` +
    `q.ordered AND s."key" IS NOT NULL AND ${due} <= ${now} AS keeps FROM sent s JOIN ${routes} d ` +
    `ON d.address = s.address JOIN ${queues} q ON q.id = d.queue WHERE (${due} <= ${now} OR NOT ${toTopic}) ` +
    // What an address before it has reached already.
    `AND (s.past IS NULL OR NOT EXISTS (SELECT FROM ${routes} e WHERE e.queue = d.queue AND e.address IN ` +
    `(SELECT json_array_elements_text(s.past)))) UNION ALL ` +
    // What is due later in a topic goes to those that are bound to it then.
    `SELECT s.n, 0, s.address, true, false FROM sent s WHERE ${due} > ${now} AND ${toTopic} ` +
    `AND NOT (s.mandatory AND ${none})), ` +
    `placed AS MATERIALIZED (SELECT o.*, nextval('${names.table("places")}') AS place ` +
    `FROM (SELECT * FROM (${order}) o ORDER BY n) o), ` +
    `written AS (INSERT INTO ${t} (${messageColumns}) SELECT p.place, p.queue, ` +
    `CASE WHEN ${leased} THEN ${now} + ${offers ? "$5::text::bigint" : "0"} ELSE 0 END, ` +
    `CASE WHEN p.later THEN least(9e15, ceil(s.due))::bigint ELSE 0 END, ` +
    `CASE WHEN s.expires IS NOT NULL THEN greatest(-9e15, least(9e15, ceil(s.expires)))::bigint END, ${now}, CASE WHEN ${leased} THEN 1 ELSE 0 END, s."rank", ` +
    `CASE WHEN p.later THEN 3 WHEN p.keeps THEN 5 ELSE 2 END, p.keeps, s.mandatory, s."key", s.message_id, p.via, ` +
    `s.content_type, s.headers, substring($2::bytea FROM s.start + 1 FOR s.size) ` +
    `FROM placed p JOIN sent s ON s.n = p.n ORDER BY p.place) ` +
    `SELECT CASE WHEN later THEN 'later' ELSE 'handed' END, n, place, queue, via FROM placed p WHERE later OR ${leased} ` +
    `UNION ALL SELECT 'waits', 0, 0, queue, NULL::text FROM placed p WHERE NOT later AND NOT ${leased} GROUP BY queue ` +
    `UNION ALL ${
      strict
        ? `SELECT 'noted', (SELECT max(${refusal("route").replace("r.n", "s.n")}) ${lost}), 0, 0, NULL`
        : `SELECT 'lost', s.n, 0, 0, NULL ${lost}`
    }` +
    (keyed
      ? ` UNION ALL SELECT 'noted', 0, 0, 0, ${
        note(`(SELECT p.queue, s."key", p.keeps FROM placed p JOIN sent s ON s.n = p.n) k`)
      }`
      : "");
}

/** What one message needs of its statement. */
export interface SendOneKind extends Omit<SendKind, "keyed"> {
  /** A message is accepted by the same statement, which fails if its lease has ended. */
  readonly accepts: boolean;
}

/**
 * One message to one address, without a key, not due later: as most are that handlers send. Address, rank, id, type of
 * the content, headers, body, when it expires, whether it is mandatory; with offers: queues, and for how long those lease;
 * of what it accepts, place and deliveries. Gives as {@linkcode sendStatement} does, in a fraction of its time.
 */
export function sendOneStatement(names: Names, { offers, strict, accepts }: SendOneKind): string {
  const [t, routes] = [names.table("messages"), names.table("routes")];
  const leased = "d.queue = ANY ((SELECT $9::text::bigint[])::bigint[])";
  const [until, deliveries] = offers
    ? [`CASE WHEN ${leased} THEN ${now} + $10::text::bigint ELSE 0 END`, `CASE WHEN ${leased} THEN 1 ELSE 0 END`]
    : ["0", "0"];
  // `least` passes over what is null.
  const expires =
    "CASE WHEN $7::text IS NOT NULL THEN greatest(-9e15, least(9e15, ceil($7::text::float8)))::bigint END";
  const first = offers ? 11 : 9;
  const gone = `gone AS (DELETE FROM ${t} m WHERE m.place = $${first}::text::bigint ` +
    `AND m.deliveries = $${first + 1}::text::int AND m.state <> 3 RETURNING 1), `;
  return `WITH ${clock}, ${accepts ? gone : ""}written AS (INSERT INTO ${t} (${messageColumns}) ` +
    `SELECT nextval('${names.table("places")}'), d.queue, ${until}, 0, ` +
    `${expires}, ${now}, ${deliveries}, $2::text::int, 2, false, ` +
    `$8::text = 'true', NULL, $3::text, d.via, $4::text, $5::text, $6::bytea FROM ${routes} d ` +
    `WHERE d.address = $1::text RETURNING place, queue, via, deliveries) ` +
    `SELECT CASE deliveries WHEN 0 THEN 'waits' ELSE 'handed' END, 1, place, queue, via FROM written UNION ALL ` +
    (strict
      ? `SELECT 'noted', ('hero route ' || 1 + count(*))::integer, 0, 0, NULL FROM written HAVING $8::text = 'true' ` +
        `AND count(*) = 0`
      : `SELECT 'lost', 1, 0, 0, NULL WHERE $8::text = 'true' AND NOT EXISTS (SELECT FROM written)`) +
    (accepts
      ? ` UNION ALL SELECT 'noted', ('hero claim ' || count(*))::integer, 0, 0, NULL FROM gone HAVING count(*) = 0`
      : "");
}
