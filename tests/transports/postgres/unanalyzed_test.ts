/** What waits is found by the order of an index, also while the planner takes it for a few rows. */
import { assertEquals } from "@std/assert";
import { Names } from "../../../stores/postgres/names.ts";
import { messageStatements } from "../../../transports/postgres/message_statements.ts";
import type { Statement } from "../../../stores/postgres/statement.ts";
import { sendOneStatement, sendStatement } from "../../../transports/postgres/send_statements.ts";
import { usualPart } from "../../../transports/postgres/usual_statements.ts";
import { listOf, planOf, readBy, stepsOf } from "../../stores/postgres/plans.ts";
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

/** How many rows of each kind wait: more than the file is made for. */
const waiting = 5_000;
const last = String(Number.MAX_SAFE_INTEGER);

/** Statements by name, and the most that a step of them may read. */
function bounded(names: Names, [work, keyed]: readonly string[]): readonly (readonly [string, Statement, number])[] {
  const sql = messageStatements(names);
  const some = Array.from({ length: 50 }, (_, at) => at + 1000);
  const held = [`{${some.join(",")}}`, `{${some.map(() => 0).join(",")}}`];
  const elsewhere = { deliveries: 0, due: 9e12, address: "queue:keyed", headers: "[]" };
  const json = JSON.stringify(some.map((place) => ({ place, ...elsewhere })));
  const sent = (queue: string, k?: string) =>
    JSON.stringify(some.map((each) => ({ a: queue, k, i: String(each), c: "t", h: "[]", s: 0, z: 0 })));
  const send = (keyed: boolean) => sendStatement(names, { keyed, offers: false, strict: false });
  const one = sendOneStatement(names, { offers: false, strict: true, accepts: true });
  const usual = (special: boolean, offers: boolean) => {
    const { queries, select } = usualPart(names, { sends: true, special, offers, accepts: true });
    const lists = [["queue:work"], ["x"], ["[]"], ["00"], ...special ? [["t"], ["0"], ["NaN"], ["t"]] : []];
    const values = [...lists.map((list) => list.join("")), ...special ? [] : ["t"]];
    return [`WITH ${queries} ${select}`, [...held, ...values, ...offers ? [`{${work}}`, "{50}", "1000"] : []]] as const;
  };
  const [from, to] = ["-1000", "9000000"];
  const of = (name: string, text: string, values: Statement["values"], most = 50) =>
    [name, { text, values }, most] as const;
  return [
    of("claim", sql.claim, [work!, "100", "1000", ...held], 100),
    of("claim, with keys", sql.claim, [keyed!, "100", "1000", "{}", "{}"]),
    of("accept what is plain", sql.acceptPlain, held),
    of("accept", sql.accept, held),
    of("accept all or fail", sql.acceptStrict, held),
    of("accept one or fail", sql.acceptStrictOne, ["1000", "0"]),
    of("release", sql.released, [...held, "1"]),
    of("again", sql.again, [json]),
    of("again, all or fail", sql.againStrict, [json]),
    of("move", sql.moved, [json]),
    of("move, all or fail", sql.movedStrict, [json]),
    of("renew", sql.renew, [...held, "1000"]),
    of("enter", sql.enter, [work!]),
    of("cancel", sql.cancel, [String(waiting + 7)]),
    of("browse", sql.browse, [work!, from, "0", last, "100"], 100),
    of("browse on", sql.browse, [work!, "0", String(waiting / 2), last, "100"], 100),
    of("take", sql.take, [work!, "0", String(waiting / 2), last, "100", "1000"], 100),
    of("last", sql.last, []),
    of("purge", sql.purge, [work!, to], 500),
    of("expire", sql.expire, []),
    of("orphans", sql.orphans, []),
    of("promote", sql.promote, []),
    of("line up", sql.lineUpFirsts, [keyed!], waiting),
    of("send", send(false), [sent("queue:work"), ""]),
    of("send, with keys", send(true), [sent("queue:keyed", "k1"), ""]),
    of("send and accept for several units", ...usual(false, true)),
    of("send what is special and accept for several units", ...usual(true, false)),
    of("send one and accept one", one, ["queue:work", "0", "x", "t", "[]", "", null, "true", "1000", "0"]),
  ];
}

for (const state of ["never analyzed", "vacuumed while it was empty"]) {
  onQueues(`no statement reads more than it is about, of a table that has grown and was ${state}`, [
    "work",
    "keyed",
  ], async (rig) => {
    const { bench: { sql, schema } } = rig;
    await rig.select("UPDATE hero_queue_queues SET ordered = true WHERE name = 'keyed'");
    const ids = await rig.select("SELECT id FROM hero_queue_queues ORDER BY name DESC");
    const [work, keyed] = ids.map(({ id }) => String(id));
    const all = bounded(new Names(schema, "hero_queue_"), [work!, keyed!]);
    await rig.select("ALTER TABLE hero_queue_messages SET (autovacuum_enabled = false)");
    if (state !== "never analyzed") await rig.select("VACUUM (ANALYZE) hero_queue_messages");
    const own = await sql.reserve();
    const run = (text: string) => own.unsafe(text);
    try {
      await run("SET plan_cache_mode = force_generic_plan");
      // Of a transaction that has touched keys, as the statement that brings the next of them to its turn is told.
      await run(`SELECT set_config('hero.queue_keys', '[[${keyed}, "k1"], [${keyed}, "k2"]]', false)`);
      for (const [at, [, { text, values }]] of all.entries()) {
        await run(`PREPARE old_${at} AS ${text}`);
        await run(`EXPLAIN EXECUTE old_${at}${listOf(values)}`); // its plan is made, and kept
      }
      const rows = (of: string) =>
        `INSERT INTO "${schema}".hero_queue_messages SELECT ${of}, NULL, 0, 0, "rank", state, keeps, false, "key", n, 'v', ` +
        `'t', repeat('h', 300), '' FROM (SELECT nextval('"${schema}".hero_queue_places') AS place, n, 0 AS "rank", `;
      const count = `generate_series(1, ${waiting}) n`;
      await run(`${rows(`place, ${work}, 0, 0`)} 2 AS state, false AS keeps, NULL::text AS "key" FROM ${count}) s`);
      await run(`${rows(`place, ${work}, 0, 9e12`)} 3 AS state, false AS keeps, NULL::text AS "key" FROM ${count}) s`);
      await run(`${rows(`place, ${keyed}, 0, 0`)} 5 AS state, true AS keeps, 'k' || n % 100 AS "key" FROM ${count}) s`);
      await run(`${rows(`place, 0, 0, 9e12`)} 3 AS state, false AS keeps, NULL::text AS "key" FROM ${count}) s`);
      const wrong: string[] = [];
      for (const how of ["kept since it was empty", "kept", "for its values"]) {
        if (how === "for its values") await run("SET plan_cache_mode = force_custom_plan");
        for (const [at, [name, { text, values }, most]] of all.entries()) {
          if (how === "kept") await run(`PREPARE new_${at} AS ${text}`);
          await run("BEGIN");
          const plan = `${how.endsWith("empty") ? "old" : "new"}_${at}${listOf(values)}`;
          const [row] = await run(`EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE ${plan}`);
          await run("ROLLBACK");
          const tables = stepsOf(row?.["QUERY PLAN"]).filter((step) => step["Relation Name"] !== undefined);
          const read = Math.max(0, ...tables.map(readBy));
          if (read > most) wrong.push(`${name}, ${how}: ${read}`);
        }
      }
      assertEquals(wrong, []);
    } finally {
      await run("DISCARD ALL");
      own.release();
    }
  });
}
