/** The statements of queues, topics and bindings. @module */
import type { Names } from "../../stores/postgres/names.ts";
import { nowMs } from "../../stores/postgres/statement.ts";

const columns = "id, name, lifetime, ordered";

/** By what each does. */
export interface TopologyStatements {
  readonly lock: string;
  readonly queue: string;
  readonly queues: string;
  readonly topics: string;
  readonly bindings: string;
  /** Name, lifetime, 1 if ordered, for how long or `null`; gives nothing where the name is taken. */
  readonly addQueue: string;
  readonly removeQueue: string;
  readonly makeOrdered: string;
  readonly renew: string;
  readonly abandoned: string;
  readonly addTopic: string;
  readonly bind: string;
  readonly unbind: string;
  readonly addRoutes: string;
  readonly removeRoutes: string;
  readonly routed: string;
}

/** Their texts. */
export function topologyStatements(names: Names): TopologyStatements {
  const [queues, bindings, routes] = [names.table("queues"), names.table("bindings"), names.table("routes")];
  return {
    lock: `SELECT pg_advisory_xact_lock(hashtextextended('hero topology ${names.channel}', 0))`,
    queue: `SELECT ${columns} FROM ${queues} WHERE name = $1::text`,
    queues: `SELECT ${columns} FROM ${queues}`,
    topics: `SELECT name FROM ${names.table("topics")}`,
    bindings: `SELECT topic, target FROM ${bindings} ORDER BY topic, target`,
    addQueue: `INSERT INTO ${queues} (name, lifetime, ordered, until) VALUES ($1::text, $2::text, $3::text = '1', ` +
      `${nowMs} + $4::text::bigint) ON CONFLICT (name) DO NOTHING RETURNING ${columns}`,
    removeQueue: `DELETE FROM ${queues} WHERE id = $1::text::bigint`,
    makeOrdered: `UPDATE ${queues} SET ordered = true WHERE id = $1::text::bigint`,
    renew: `UPDATE ${queues} SET until = ${nowMs} + $1::text::bigint WHERE id = $2::text::bigint RETURNING 1`,
    abandoned: `SELECT ${columns} FROM ${queues} WHERE until <= ${nowMs} LIMIT $1::text::bigint`,
    addTopic: `INSERT INTO ${names.table("topics")} (name) VALUES ($1::text) ON CONFLICT DO NOTHING`,
    bind: `INSERT INTO ${bindings} (topic, target) VALUES ($1::text, $2::text) ON CONFLICT DO NOTHING`,
    unbind: `DELETE FROM ${bindings} WHERE target = $1::text`,
    addRoutes: `INSERT INTO ${routes} (address, queue, via) SELECT address, queue, via FROM ` +
      `json_to_recordset($1::text::json) AS r(address text, queue bigint, via text) ` +
      `ON CONFLICT (address, queue) DO UPDATE SET via = excluded.via WHERE ${routes.split(".")[1]}.via <> excluded.via`,
    removeRoutes: `DELETE FROM ${routes} WHERE queue = $1::text::bigint`,
    routed: `SELECT DISTINCT address FROM ${routes} WHERE address = ANY ` +
      `(ARRAY(SELECT json_array_elements_text($1::text::json)))`,
  };
}
