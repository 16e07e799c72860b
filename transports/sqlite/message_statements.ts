/** The statements of the table of messages. @module */

/** What each does. */
type Name =
  | "insert"
  | "cancel"
  | "any"
  | "nextAt"
  | "free"
  | "leaseAll"
  | "lease"
  | "pageOfRank"
  | "pageBehind"
  | "last"
  | "due"
  | "accept"
  | "acceptAll"
  | "leased"
  | "again"
  | "wait"
  | "renew"
  | "uncount"
  | "remove"
  | "setState"
  | "anyOfKey"
  | "firstTwo"
  | "otherLeased"
  | "purge"
  | "clearWaiting"
  | "clearAt"
  | "orphans"
  | "expired"
  | "keep"
  | "lineUp"
  | "countWaiting"
  | "countExpired"
  | "countDue"
  | "countAt";

/**
 * By what each does. The indexes are named, so that no statistics lead the planner to a scan.
 *
 * @param prefix of the tables
 */
export function messageStatements(prefix: string): Readonly<Record<Name, string>> {
  const t = `"${prefix}messages"`;
  const index = (name: string): string => `${t} INDEXED BY "${prefix}messages_${name}"`;
  const waiting = `${index("waiting")} WHERE queue = ? AND state = ? AND state IN (2, 5)`;
  // The index' own condition is said again: SQLite does not see that the other implies it.
  const free = `${index("waiting")} WHERE queue = ? AND state = 2 AND state IN (2, 5)`;
  const unexpired = "(expires_at IS NULL OR expires_at > ?)";
  const at = `${index("at")} WHERE queue = ? AND state IN (3, 4)`;
  const keys = `${index("keys")} WHERE queue = ? AND "key" = ? AND keeps = 1`;
  const held = `WHERE place = ? AND deliveries = ? AND state = 4`;
  const listed = `(SELECT value FROM json_each(?))`;
  /** The first queue behind another that has messages: one look into the index. */
  const nextQueue = (name: string, states: string, after: string): string =>
    `SELECT min(queue) AS queue FROM ${index(name)} WHERE state IN ${states} AND queue > ${after}`;
  const columns =
    `queue, state, rank, at, deliveries, keeps, mandatory, expires_at, sent_at, "key", message_id, via, content_type, ` +
    `headers, body`;
  return {
    insert: `INSERT INTO ${t} (${columns}) VALUES (${columns.split(",").map(() => "?").join(", ")})`,
    cancel: `DELETE FROM ${t} WHERE place = ? AND state = 3`,
    any: `SELECT 1 FROM ${free} LIMIT 1`,
    nextAt: `SELECT min(at) AS at FROM ${at}`,
    // As they are once they are leased.
    free: `SELECT place, ${columns.replace("deliveries", "deliveries + 1 AS deliveries")} FROM ${free} ` +
      `ORDER BY rank, place LIMIT ?`,
    leaseAll: `UPDATE ${t} SET state = 4, at = ?, deliveries = deliveries + 1 WHERE place IN ${listed}`,
    lease: `UPDATE ${t} SET state = 4, at = ?, deliveries = deliveries + 1 WHERE place = ?`,
    // Two, as SQLite would pass over all of one priority to find what is behind a place.
    pageOfRank: `SELECT * FROM ${waiting} AND rank = ? AND place > ? AND place <= ? AND ${unexpired} ` +
      `ORDER BY place LIMIT ?`,
    pageBehind: `SELECT * FROM ${waiting} AND rank > ? AND place <= ? AND ${unexpired} ORDER BY rank, place LIMIT ?`,
    last: `SELECT max(place) AS place FROM ${t}`,
    due: `SELECT * FROM ${at} AND at <= ? ORDER BY at, place LIMIT ?`,
    acceptAll: `DELETE FROM ${t} WHERE place IN ${listed} AND deliveries = ? AND state = 4`,
    accept: `DELETE FROM ${t} ${held} RETURNING place, queue, "key", keeps`,
    leased: `SELECT * FROM ${t} ${held}`,
    again: `UPDATE ${t} SET state = 3, at = ?, deliveries = 0, keeps = 0, headers = ? WHERE place = ?`,
    wait: `UPDATE ${t} SET at = ? WHERE place = ?`,
    renew: `UPDATE ${t} SET at = ? ${held}`,
    uncount: `UPDATE ${t} SET deliveries = deliveries - 1 WHERE place = ?`,
    remove: `DELETE FROM ${t} WHERE place = ?`,
    setState: `UPDATE ${t} SET state = ? WHERE place = ?`,
    anyOfKey: `SELECT 1 FROM ${keys} LIMIT 1`,
    firstTwo: `SELECT place, state, deliveries FROM ${keys} ORDER BY place LIMIT 2`,
    otherLeased: `SELECT 1 FROM ${keys} AND state = 4 AND place <> ? LIMIT 1`,
    purge: `DELETE FROM ${t} WHERE place IN (SELECT place FROM ${waiting} AND place <= ? LIMIT ?) ` +
      `RETURNING place, queue, "key", keeps`,
    clearWaiting: `DELETE FROM ${t} WHERE place IN (SELECT place FROM ${index("waiting")} ` +
      `WHERE queue = ? AND state IN (2, 5) LIMIT ?)`,
    clearAt: `DELETE FROM ${t} WHERE place IN (SELECT place FROM ${at} AND (state = 3 OR at <= ?) LIMIT ?)`,
    orphans: `WITH RECURSIVE w(queue) AS (${nextQueue("waiting", "(2, 5)", "0")} UNION ALL ` +
      `SELECT (${nextQueue("waiting", "(2, 5)", "w.queue")}) FROM w WHERE w.queue IS NOT NULL), ` +
      `a(queue) AS (${nextQueue("at", "(3, 4)", "0")} UNION ALL ` +
      `SELECT (${nextQueue("at", "(3, 4)", "a.queue")}) FROM a WHERE a.queue IS NOT NULL) ` +
      `SELECT o.queue FROM (SELECT queue FROM w UNION SELECT queue FROM a) o WHERE o.queue IS NOT NULL ` +
      `AND NOT EXISTS (SELECT 1 FROM "${prefix}queues" q WHERE q.id = o.queue) AND (` +
      `EXISTS (SELECT 1 FROM ${index("waiting")} WHERE queue = o.queue AND state IN (2, 5)) OR ` +
      `EXISTS (SELECT 1 FROM ${index("at")} WHERE queue = o.queue AND state IN (3, 4) AND (state = 3 OR at <= ?1))) ` +
      `LIMIT ?2`,
    expired: `SELECT * FROM ${index("expiry")} WHERE expires_at <= ? AND state IN (2, 5) LIMIT ?`,
    keep: `UPDATE ${t} SET keeps = 1 WHERE queue = ? AND "key" IS NOT NULL AND state <> 3`,
    lineUp: `UPDATE ${t} SET state = 5 WHERE queue = ?1 AND keeps = 1 AND state = 2 AND (` +
      `place NOT IN (SELECT min(place) FROM ${t} WHERE queue = ?1 AND keeps = 1 GROUP BY "key") OR ` +
      `"key" IN (SELECT "key" FROM ${t} WHERE queue = ?1 AND keeps = 1 AND state = 4))`,
    countWaiting: `SELECT count(*) AS count FROM ${index("waiting")} WHERE queue = ? AND state IN (2, 5)`,
    countExpired: `SELECT count(*) AS count FROM ${index("expiry")} ` +
      `WHERE queue = ? AND expires_at <= ? AND state IN (2, 5)`,
    countDue: `SELECT count(*) AS count FROM ${at} AND at <= ?`,
    countAt: `SELECT count(*) AS count FROM ${at} AND at > ? AND state = ?`,
  };
}
