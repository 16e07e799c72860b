/** What waits is found by the order of an index, also while the planner takes it for a few rows. */
import { assertEquals } from "@std/assert";
import { Names } from "../../../stores/postgres/names.ts";
import { messageStatements } from "../../../transports/postgres/message_statements.ts";
import { planOf, readBy } from "../../stores/postgres/plans.ts";
import { onQueues } from "./rig.ts";

const size = 20_000;
const limit = 100;

onQueues("who takes reads no more than he gets of a table that nobody has analyzed", ["work"], async (rig) => {
  const { bench: { sql, schema } } = rig;
  await rig.select("ALTER TABLE hero_queue_messages SET (autovacuum_enabled = false)");
  await rig.select(
    `INSERT INTO hero_queue_messages (place, queue, leased_until, due_at, sent_at, deliveries, "rank", state, keeps, mandatory, ` +
      `message_id, via, content_type, headers, body) SELECT n, 1, 0, 0, 0, 0, 0, 2, false, false, n, 'v', 't', ` +
      `repeat('h', 300), '' FROM generate_series(1, ${size}) n`,
  );
  const { claim } = messageStatements(new Names(schema, "hero_queue_"));
  const statement = { text: claim, values: ["1", String(limit), "1000", "{}", "{}"] };
  for (const kept of [true, false]) {
    const tables = (await planOf(sql, statement, kept)).filter((plan) => plan["Relation Name"] !== undefined);
    assertEquals(Math.max(...tables.map(readBy)), limit);
  }
});
