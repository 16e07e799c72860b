/** The statements of a table of messages that wait. @module */

/** What each does. */
type Name =
  | "insert"
  | "first"
  | "previous"
  | "sentLast"
  | "next"
  | "setWaits"
  | "heads"
  | "nextDue"
  | "nextFree"
  | "oldest"
  | "lease"
  | "done"
  | "doneAll"
  | "later"
  | "park"
  | "remove"
  | "findParked"
  | "unpark"
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
  const heads = `${t} INDEXED BY "${table}_due" WHERE bus = ? AND parked = 0 AND waits = 0`;
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
    next: `SELECT place, due_at, free_at FROM ${keys} AND (due_at, place) > (?, ?) ORDER BY due_at, place LIMIT 1`,
    setWaits: `UPDATE ${t} SET waits = ? WHERE place = ?`,
    heads:
      `SELECT place, due_at, free_at FROM ${heads} AND due_at <= ? AND free_at <= ? ORDER BY due_at, place LIMIT ?`,
    nextDue: `SELECT min(due_at) AS at FROM ${heads} AND due_at > ?`,
    nextFree: `SELECT min(free_at) AS at FROM ${heads} AND due_at <= ?`,
    oldest: `SELECT min(due_at) AS oldest FROM ${heads} AND due_at <= ?`,
    lease: `UPDATE ${t} SET fence = fence + 1, free_at = ? WHERE place = ? RETURNING *`,
    done: `DELETE FROM ${t} WHERE place = ? AND fence = ? AND parked = 0 RETURNING bus, "key", waits`,
    doneAll: `DELETE FROM ${t} WHERE place IN (SELECT value FROM json_each(?)) AND fence = ? AND parked = 0`,
    later: `UPDATE ${t} SET free_at = ?, error = ?, attempts = attempts + 1, fence = fence + 1 ` +
      `WHERE place = ? AND fence = ? AND parked = 0 RETURNING bus, "key", waits`,
    park: `UPDATE ${t} SET parked = 1, free_at = ?, error = ?, attempts = attempts + 1, fence = fence + 1 ` +
      `WHERE place = ? AND fence = ? AND parked = 0 RETURNING bus, "key", waits`,
    remove: `DELETE FROM ${t} WHERE bus = ? AND token = ? RETURNING bus, "key", waits + parked AS waits`,
    findParked: `SELECT place, "key" FROM ${parked} AND id = ?`,
    unpark: `UPDATE ${t} SET parked = 0, attempts = 0, due_at = ?, free_at = ?, waits = ? WHERE place = ?`,
    parked: `SELECT * FROM ${parked} ORDER BY id LIMIT ?`,
    parkedAfter: `SELECT * FROM ${parked} AND id > ? ORDER BY id LIMIT ?`,
    countParked: `SELECT count(*) AS count FROM ${parked}`,
    countAll: `SELECT count(*) AS count FROM ${t} INDEXED BY "${table}_one" WHERE bus = ?`,
  };
}
