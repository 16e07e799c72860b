/** What a user would write by hand: the consumer's own statements in a transaction each, and no bus. @module */
import { DatabaseSync } from "node:sqlite";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { newId } from "../support/rows.ts";
import { temporaryFile } from "../support/stores.ts";
import type { Work } from "../support/program.ts";

/** So many messages that have been sent are deleted in one transaction. */
const SENT_AT_ONCE = 64;

/** Prepares it; the tables are those of the store. */
export function bare(): Promise<Work> {
  const path = temporaryFile();
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  for (const { script } of sqlite(path).migrations()) database.exec(script);
  database.exec("CREATE TABLE orders (id TEXT PRIMARY KEY, total REAL NOT NULL)");
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const known = database.prepare("SELECT 1 FROM hero_inbox WHERE bus = ? AND endpoint = ? AND message_id = ?");
  const remember = database.prepare(
    "INSERT INTO hero_inbox (bus, endpoint, message_id, keep_until) VALUES (?, ?, ?, ?)",
  );
  const order = database.prepare("INSERT INTO orders (id, total) VALUES (?, ?)");
  const send = database.prepare(
    "INSERT INTO hero_outbox (bus, id, unit, destination, content_type, headers, body, written_due_at, due_at, " +
      "free_at, waits, fence) VALUES ('bench', ?, ?, 'topic:bench.order-confirmed', 'application/json', ?, ?, 0, ?, " +
      "?, 0, 1)",
  );
  const sent = database.prepare("DELETE FROM hero_outbox WHERE place = ? AND fence = 1");
  const encoder = new TextEncoder();
  // As long as those of the message that the measured consumer sends.
  const headers = encoder.encode("h".repeat(289));
  let number = 0;
  return Promise.resolve((count) => {
    const places: (number | bigint)[] = [];
    for (let i = 0; i < count; i++) {
      const id = newId();
      const now = Date.now();
      begin.run();
      if (known.get("bench", "orders", id) === undefined) {
        remember.run("bench", "orders", id, now + 604_800_000);
        order.run(`order-${++number}`, i % 1000);
        const body = encoder.encode(JSON.stringify({ id: `order-${number}`, stamp: 0 }));
        places.push(send.run(newId(), id, headers, body, now, now + 30_000).lastInsertRowid);
      }
      commit.run();
      if (places.length < SENT_AT_ONCE && i < count - 1) continue;
      begin.run();
      for (const place of places.splice(0)) sent.run(place);
      commit.run();
    }
    return Promise.resolve();
  });
}
