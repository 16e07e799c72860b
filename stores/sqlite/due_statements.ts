/** The statements of a table of messages that wait. @module */

/** What each does. */
type Name =
  | "insert"
  | "first"
  | "previous"
  | "sentLast"
  | "next"
  | "setWaits"
  | "fresh"
  | "again"
  | "nextDue"
  | "nextFree"
  | "nextAgain"
  | "oldest"
  | "oldestAgain"
  | "lease"
  | "leaseAgain"
  | "done"
  | "doneOne"
  | "doneAll"
  | "later"
  | "park"
  | "remove"
  | "findParked"
  | "unpark"
  | "discard"
  | "parked"
  | "parkedAfter"
  | "countParked"
  | "countAll";

/**
 * By what each does. The index is named, so that no statistics lead the planner to a scan.
 *
 * @param more columns beyond those of the outbox, with a comma before each
 */
export function dueStatements(table: string, more: "" | ", token"): Readonly<Record<Name, string>> {
  const t = `"${table}"`;
  const first = "WHERE bus = ? AND parked = 0 AND waits = 0";
  const ready = `${t} INDEXED BY "${table}_ready" ${first} AND again_at IS NULL`;
  /** Their sending failed. */
  const putOff = `${t} INDEXED BY "${table}_again" ${first} AND again_at IS NOT NULL`;
  const keys = `${t} INDEXED BY "${table}_keys" WHERE bus = ? AND "key" = ? AND parked = 0`;
  const parked = `${t} INDEXED BY "${table}_parked" WHERE bus = ? AND parked = 1`;
  const columns =
    `bus, id, unit, "key", destination, content_type, headers, body, written_due_at, expires_at, due_at, ` +
    `free_at, waits, fence${more}`;
  const marks = columns.split(",").map(() => "?").join(", ");
  return {
    insert: `INSERT INTO ${t} (${columns}) VALUES (${marks}) ON CONFLICT DO NOTHING`,
    first: `SELECT place, due_at, free_at FROM ${keys} ORDER BY due_at, place LIMIT 1`,
    previous: `SELECT place, due_at, free_at FROM ${keys} AND due_at <= ? ORDER BY due_at DESC, place DESC LIMIT 1`,
    sentLast: `SELECT due_at FROM ${keys} AND written_due_at = 0 AND due_at > ? AND due_at <= ? ` +
      `ORDER BY due_at DESC, place DESC LIMIT 1`,
    next:
      `SELECT place, due_at, free_at, again_at FROM ${keys} AND (due_at, place) > (?, ?) ORDER BY due_at, place LIMIT 1`,
    setWaits: `UPDATE ${t} SET waits = ? WHERE place = ?`,
    fresh:
      `SELECT place, due_at, free_at, NULL AS again_at FROM ${ready} AND due_at <= ? AND free_at <= ? ORDER BY due_at, place LIMIT ?`,
    again:
      `SELECT place, due_at, again_at AS free_at, again_at FROM ${putOff} AND again_at <= ? ORDER BY again_at LIMIT ?`,
    nextDue: `SELECT min(due_at) AS at FROM ${ready} AND due_at > ?`,
    nextFree: `SELECT min(free_at) AS at FROM ${ready} AND due_at <= ?`,
    nextAgain: `SELECT min(again_at) AS at FROM ${putOff} AND again_at > ?`,
    oldest: `SELECT min(due_at) AS oldest FROM ${ready} AND due_at <= ?`,
    oldestAgain: `SELECT min(due_at) AS oldest FROM ${putOff} AND due_at <= ?`,
    lease: `UPDATE ${t} SET fence = fence + 1, free_at = ? WHERE place = ? RETURNING *`,
    leaseAgain: `UPDATE ${t} SET fence = fence + 1, free_at = ?, again_at = NULL WHERE place = ? RETURNING *`,
    done: `DELETE FROM ${t} WHERE place = ? AND fence = ? AND parked = 0 RETURNING bus, "key", waits`,
    doneOne: `DELETE FROM ${t} WHERE place = ? AND fence = ? AND parked = 0`,
    doneAll: `DELETE FROM ${t} WHERE place IN (SELECT value FROM json_each(?)) AND fence = ? AND parked = 0`,
    later: `UPDATE ${t} SET free_at = ?1, again_at = iif(?1 > ?5, ?1, NULL), error = ?2, attempts = attempts + 1, ` +
      `fence = fence + 1 WHERE place = ?3 AND fence = ?4 AND parked = 0 RETURNING bus, "key", waits`,
    park: `UPDATE ${t} SET parked = 1, free_at = ?, error = ?, attempts = attempts + 1, fence = fence + 1 ` +
      `WHERE place = ? AND fence = ? AND parked = 0 RETURNING bus, "key", waits`,
    remove: `DELETE FROM ${t} WHERE bus = ? AND token = ? RETURNING bus, "key", waits + parked AS waits`,
    findParked: `SELECT place, "key" FROM ${parked} AND id = ?`,
    unpark: `UPDATE ${t} SET parked = 0, attempts = 0, due_at = ?, free_at = ?, again_at = NULL, waits = ? ` +
      `WHERE place = ?`,
    discard: `DELETE FROM ${t} WHERE place IN (SELECT place FROM ${parked} AND id = ?)`,
    parked: `SELECT * FROM ${parked} ORDER BY id LIMIT ?`,
    parkedAfter: `SELECT * FROM ${parked} AND id > ? ORDER BY id LIMIT ?`,
    countParked: `SELECT count(*) AS count FROM ${parked}`,
    countAll: `SELECT count(*) AS count FROM ${t} INDEXED BY "${table}_one" WHERE bus = ?`,
  };
}
