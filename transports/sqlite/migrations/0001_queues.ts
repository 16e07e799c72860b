/** The first tables of the queues. @module */
import type { Migration } from "../../../stores/sqlite/migrations.ts";

/**
 * Queues, topics, bindings, messages, and what an operator selects from.
 *
 * A message's `state` is 2 waiting, 3 due later (`at` says when), 4 leased (`at` says until when), 5 behind another of
 * its key. It begins at 2 since SQLite keeps 0 and 1 in no byte at all, and a row that keeps its size is overwritten in
 * place, whatever its body's. A message that a topic gets later has the queue 0. `keeps` says that the order of its key
 * counts: only on queues that are ordered, and not while it is due later.
 */
export const queues: Migration = {
  id: "0001_queues",
  script: (prefix) =>
    `CREATE TABLE "${prefix}queues" (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  lifetime TEXT NOT NULL,
  ordered INTEGER NOT NULL,
  until INTEGER
);
CREATE INDEX "${prefix}queues_until" ON "${prefix}queues" (until) WHERE until IS NOT NULL;
CREATE TABLE "${prefix}topics" (
  name TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE "${prefix}bindings" (
  topic TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (topic, target)
) WITHOUT ROWID;
CREATE INDEX "${prefix}bindings_target" ON "${prefix}bindings" (target);
CREATE TABLE "${prefix}version" (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL
);
INSERT INTO "${prefix}version" VALUES (1, 1);
CREATE TABLE "${prefix}messages" (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  queue INTEGER NOT NULL,
  state INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  at INTEGER NOT NULL,
  deliveries INTEGER NOT NULL,
  keeps INTEGER NOT NULL,
  mandatory INTEGER NOT NULL,
  expires_at INTEGER,
  sent_at INTEGER NOT NULL,
  "key" TEXT,
  message_id TEXT NOT NULL,
  via TEXT NOT NULL,
  content_type TEXT NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX "${prefix}messages_waiting" ON "${prefix}messages" (queue, state, rank, place) WHERE state IN (2, 5);
CREATE INDEX "${prefix}messages_at" ON "${prefix}messages" (queue, at) WHERE state IN (3, 4);
CREATE INDEX "${prefix}messages_keys" ON "${prefix}messages" (queue, "key", place) WHERE keeps = 1;
CREATE INDEX "${prefix}messages_expiry" ON "${prefix}messages" (expires_at)
  WHERE expires_at IS NOT NULL AND state IN (2, 5);
CREATE VIEW "${prefix}overview" AS
  SELECT q.name AS queue, q.lifetime, q.ordered, coalesce(m.waiting, 0) AS waiting, coalesce(m.active, 0) AS active,
    coalesce(m.delayed, 0) AS delayed, coalesce(m.behind, 0) AS behind_their_key,
    coalesce(m.again, 0) AS delivered_again,
    strftime('%Y-%m-%dT%H:%M:%fZ', m.oldest / 1000.0, 'unixepoch') AS oldest_waiting_since,
    strftime('%Y-%m-%dT%H:%M:%fZ', m.next / 1000.0, 'unixepoch') AS next_due_at
  FROM "${prefix}queues" q LEFT JOIN (
    SELECT queue, sum(state IN (2, 5)) AS waiting, sum(state = 4) AS active, sum(state = 3) AS delayed,
      sum(state = 5) AS behind, sum(deliveries > 1) AS again, min(CASE WHEN state IN (2, 5) THEN sent_at END) AS oldest,
      min(CASE WHEN state = 3 THEN at END) AS next
    FROM "${prefix}messages" GROUP BY queue
  ) m ON m.queue = q.id
  ORDER BY q.name;
CREATE VIEW "${prefix}message_overview" AS
  SELECT m.place, CASE m.queue WHEN 0 THEN m.via ELSE q.name END AS queue,
    CASE m.state WHEN 2 THEN 'waiting' WHEN 3 THEN 'delayed' WHEN 4 THEN 'active' ELSE 'behind its key' END AS state,
    -m.rank AS priority, m."key", m.deliveries, m.message_id, m.via, m.content_type, m.headers,
    length(m.body) AS body_in_bytes,
    strftime('%Y-%m-%dT%H:%M:%fZ', m.sent_at / 1000.0, 'unixepoch') AS sent_at,
    CASE WHEN m.state IN (3, 4) THEN strftime('%Y-%m-%dT%H:%M:%fZ', m.at / 1000.0, 'unixepoch') END AS due_or_leased_until,
    strftime('%Y-%m-%dT%H:%M:%fZ', m.expires_at / 1000.0, 'unixepoch') AS expires_at
  FROM "${prefix}messages" m LEFT JOIN "${prefix}queues" q ON q.id = m.queue;
`,
};
