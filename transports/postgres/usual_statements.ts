/** The statement that writes the usual messages of several units, and accepts theirs. @module */
import type { StatementPart } from "../../stores/postgres/joining.ts";
import type { Names } from "../../stores/postgres/names.ts";
import { listIn } from "../../stores/postgres/separated.ts";
import { nowMs } from "../../stores/postgres/statement.ts";
import { messageColumns } from "./statements.ts";

/** What it has to do. */
export interface UsualKind {
  /** There is something to send. */
  readonly sends: boolean;
  /** Something of that has a priority, expires, is mandatory, or is of another content type. */
  readonly special: boolean;
  /** Receivers of this process wait. */
  readonly offers: boolean;
  /** There is something to accept. */
  readonly accepts: boolean;
}

/** An array; its length is nothing to plan by, as in `rowsOfLists`. */
function array(parameter: string, type: string): string {
  return `(SELECT ${parameter}::text::${type}[])`;
}

/**
 * The values are, of what is accepted: places and deliveries. Of what is sent: lists of addresses, ids, headers, bodies;
 * then the content type or, where something is special, lists of content types, ranks, times of expiry (`NaN`: none), and
 * whether it is mandatory (`t`, `f`); with offers: queues, how many each takes at once, for how long those are leased.
 *
 * It fails if a lease has ended, or an order counts, before it waits for anything; and if what is mandatory reaches no
 * queue. Gives queue, place, id and address of what is handed over: of the first messages, as many as a queue takes. Of
 * what waits it gives the queue, which may come several times.
 */
export function usualPart(names: Names, { sends, special, offers, accepts }: UsualKind): StatementPart {
  const [t, routes] = [names.table("messages"), names.table("routes")];
  let values = 0;
  const next = (): string => `$${++values}`;
  const queries: string[] = [];
  let held = "0";
  if (accepts) {
    const [places, deliveries] = [array(next(), "bigint"), array(next(), "int")];
    queries.push(
      `gone AS (DELETE FROM ${t} m WHERE m.place = ANY (${places}::bigint[]) AND CASE m.deliveries ` +
        `WHEN ${deliveries}[array_position(${places}, m.place)] THEN m.state <> 3 AND NOT m.keeps ELSE false END ` +
        `RETURNING 1)`,
    );
    held = `CASE (SELECT count(*) FROM gone) WHEN cardinality(${places}) THEN 0 ` +
      `ELSE ('hero claim ' || (SELECT count(*) FROM gone))::bigint END`;
  }
  const columns = 4;
  if (!sends) {
    return {
      queries: queries.join(", "),
      select: `SELECT NULL::bigint, NULL::bigint, NULL::text, NULL::text WHERE ${held} > 0`,
      columns,
    };
  }
  const sent = ["address", "message_id", "headers", "body"];
  if (special) sent.push("content_type", '"rank"', "expires", "mandatory");
  const rows = `ROWS FROM (${sent.map(() => listIn(next())).join(", ")}) WITH ORDINALITY AS r(${sent.join(", ")}, n)`;
  const [contentType, expires, rank, mandatory] = special
    ? [
      "content_type",
      "CASE WHEN expires <> 'NaN' THEN greatest(-9e15, least(9e15, ceil(expires::float8)))::bigint END",
      `"rank"::int`,
      "mandatory = 't'",
    ]
    : [`${next()}::text`, "NULL", "0", "false"];
  const [queues, rooms] = offers ? [array(next(), "bigint"), array(next(), "int")] : ["", ""];
  const leased = offers ? `coalesce(r.n <= ${rooms}[array_position(${queues}, d.queue)], false)` : "false";
  const until = offers ? `CASE WHEN leased THEN now + ${next()}::text::bigint ELSE 0 END` : "0";
  const to = `${routes} d ON d.address = r.address`;
  const routed = special
    ? `LEFT JOIN ${to} WHERE CASE WHEN d.queue IS NOT NULL THEN true WHEN r.mandatory = 't' ` +
      `THEN ('hero route ' || r.n)::integer > 0 ELSE false END`
    : `JOIN ${to}`;
  queries.push(
    `written AS (INSERT INTO ${t} AS m (${messageColumns}) SELECT nextval('${
      names.table("places")
    }'), queue, ${until}, ` +
      `0, ${expires}, now, leased::int, ${rank}, 2, false, ${mandatory}, NULL, message_id, via, ${contentType}, headers, ` +
      `decode(body, 'hex') FROM (SELECT r.*, d.queue, d.via, c.now, ${leased} AS leased ` +
      `FROM (SELECT ${nowMs} + ${held} AS now OFFSET 0) AS c CROSS JOIN ${rows} ${routed} ORDER BY r.n) AS o ` +
      `RETURNING m.queue, m.place, m.message_id, m.via, m.deliveries)`,
  );
  const handed = (column: string): string => `CASE deliveries WHEN 1 THEN ${column} END`;
  const select = offers
    ? `SELECT queue, ${handed("place")}, ${handed("message_id")}, ${handed("via")} FROM written`
    : "SELECT queue, NULL::bigint, NULL::text, NULL::text FROM written GROUP BY queue";
  return { queries: queries.join(", "), select, columns };
}
