/** By which index a page of a queue is found. */
import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { messageStatements } from "../../../transports/sqlite/message_statements.ts";
import { queues } from "../../../transports/sqlite/migrations/0001_queues.ts";
import { test } from "../../support/runner.ts";

test("SQLite transport: a page begins where the one before has ended, however many messages are before it", () => {
  const database = new DatabaseSync(":memory:");
  try {
    database.exec(queues.script("p_"));
    const { pageOfRank, pageBehind } = messageStatements("p_");
    const plans = [pageOfRank, pageBehind].map((sql) =>
      database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...sql.match(/\?/g)!.map(() => 1)).map(({ detail }) => detail)
    );
    const index = "SEARCH p_messages USING INDEX p_messages_waiting (queue=? AND state=? AND rank";
    assertEquals(plans, [[`${index}=? AND place>? AND place<?)`], [`${index}>?)`]]);
  } finally {
    database.close();
  }
});
