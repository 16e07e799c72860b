/** What is asked of a long queue costs what it gives, and is planned once. */
import { assert, assertEquals } from "@std/assert";
import { Names } from "../../../stores/postgres/names.ts";
import type { Statement } from "../../../stores/postgres/statement.ts";
import { maxClaim, messageStatements } from "../../../transports/postgres/message_statements.ts";
import { start } from "../../../transports/postgres/messages.ts";
import { listOf, planOf, readBy } from "../../stores/postgres/plans.ts";
import { onQueues } from "./rig.ts";

const size = 100_000;
const limit = 100;
/** What the planner takes for dearer is compiled before it is run, each time, for longer than it runs: `jit_above_cost`. */
const compiledAbove = 100_000;

for (const keys of [0, 1_000]) {
  onQueues(
    `what is asked of a long queue with ${keys} keys is not compiled, and keeps its plan`,
    ["work"],
    async (rig) => {
      const { bench: { sql, schema } } = rig;
      await rig.select(
        `INSERT INTO hero_queue_messages (place, queue, leased_until, due_at, sent_at, deliveries, "rank", state, keeps, mandatory, ` +
          `"key", message_id, via, content_type, headers, body) SELECT n, 1, 0, 0, 0, 0, 0, ` +
          (keys === 0
            ? "2, false, false, NULL"
            : `CASE WHEN n <= ${keys} THEN 2 ELSE 5 END, true, false, 'k' || n % ${keys}`) +
          `, n, 'v', 't', '[]', '' FROM generate_series(1, ${size}) n`,
      );
      await rig.select("VACUUM (ANALYZE) hero_queue_messages");
      const { claim, browse, take } = messageStatements(new Names(schema, "hero_queue_"));
      const last = String(Number.MAX_SAFE_INTEGER);
      const page = (from: number) => ["1", String(start.rank), String(from), last, String(limit)];
      const statements: readonly Statement[] = [
        { text: claim, values: ["1", String(limit), "1000", "{}", "{}"] },
        { text: browse, values: page(0) },
        { text: browse, values: ["1", "0", String(size / 2), last, String(limit)] },
        { text: take, values: [...page(0), "1000"] },
      ];
      for (const statement of statements) {
        for (const kept of [true, false]) {
          const [whole, ...steps] = await planOf(sql, statement, kept);
          assert(whole !== undefined && whole["Total Cost"] < compiledAbove, String(whole?.["Total Cost"]));
          const tables = steps.filter((step) => step["Relation Name"] !== undefined);
          assertEquals(Math.max(...tables.map(readBy)), limit, statement.text);
        }
      }
      await sql.begin(async (tx) => {
        for (const [at, { text, values }] of statements.entries()) {
          await tx.unsafe(`PREPARE each${at} AS ${text}`);
          for (let times = 0; times < 8; times++) await tx.unsafe(`EXECUTE each${at}${listOf(values)}`);
        }
        const found = await tx`SELECT generic_plans::int AS kept FROM pg_prepared_statements WHERE name LIKE 'each_'`;
        // Five are made to compare with.
        assertEquals(found.map((row) => row["kept"]), statements.map(() => 3));
        await tx.unsafe("DEALLOCATE ALL");
      });
    },
    120_000,
  );
}

onQueues("a page holds no more than a flight takes, and says that there is another", ["work"], async (rig) => {
  const waiting = maxClaim + 200;
  await rig.select(
    `INSERT INTO hero_queue_messages (place, queue, leased_until, due_at, sent_at, deliveries, "rank", state, keeps, mandatory, ` +
      `message_id, via, content_type, headers, body) SELECT n, 1, 0, 0, 0, 0, 0, 2, false, false, n, 'queue:work', 't', '[]', ` +
      `convert_to(n::text, 'UTF8') FROM generate_series(1, ${waiting}) n`,
  );
  const { admin } = await rig.connect();
  const bodies: string[] = [];
  const pages: number[] = [];
  let from: string | undefined;
  do {
    const { items, next } = await admin!.browse("work", from, 10 * waiting);
    pages.push(items.length);
    bodies.push(...items.map(({ frame }) => new TextDecoder().decode(frame.body)));
    from = next;
  } while (from !== undefined);
  assertEquals(pages, [maxClaim - 1, waiting - maxClaim + 1]);
  assertEquals(bodies, Array.from({ length: waiting }, (_, at) => String(at + 1)));
});
