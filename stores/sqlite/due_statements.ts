/** The statements of a table of messages that wait. @module */

/** What each does. */
type Name =
  | "insert"
  | "first"
  | "previous"
  | "sentLast"
  | "nextAtOnce"
  | "nextLater"
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
  | "doneOne"
  | "doneAll"
  | "doneKeyed"
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

/** A number of SQLite may be greater than one of JavaScript: whoever reads such a row gets an error, and no row at all. */
const most = Number.MAX_SAFE_INTEGER;
const numbers = new Set([
  "written_due_at",
  "expires_at",
  "due_at",
  "free_at",
  "again_at",
  "waits",
  "fence",
  "attempts",
]);
/** One more, whatever is there. */
const fenced = `fence = min(max(fence, 0), ${most - 1}) + 1`;

function clamped(column: string): string {
  return `max(-${most}, min(${most}, ${column}))`;
}

/** Columns as they are read: what nobody but an operator writes holds up no other row. */
function columnsOf(list: string): string {
  return list.split(", ").map((each) => numbers.has(each) ? `${clamped(each)} AS ${each}` : each)
    .join(", ");
}

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
  const whole = columnsOf(`place, ${columns}, attempts, error`);
  const standing = columnsOf("place, due_at, free_at");
  const next = `SELECT ${standing}, ${columnsOf("again_at")} FROM ${keys}`;
  const listed = "(SELECT value FROM json_each(?))";
  const marks = columns.split(",").map(() => "?").join(", ");
  return {
    insert: `INSERT INTO ${t} (${columns}) VALUES (${marks}) ON CONFLICT DO NOTHING`,
    first: `SELECT ${standing} FROM ${keys} ORDER BY ${t}.due_at, place LIMIT 1`,
    previous: `SELECT ${standing} FROM ${keys} AND due_at <= ? ORDER BY ${t}.due_at DESC, place DESC LIMIT 1`,
    sentLast: `SELECT due_at FROM ${keys} AND written_due_at = 0 AND due_at > ? AND due_at <= ? ` +
      `ORDER BY ${t}.due_at DESC, place DESC LIMIT 1`,
    // Two, as SQLite would pass over all that is due with one to find what is behind it.
    nextAtOnce: `${next} AND due_at = ? AND place > ? ORDER BY place LIMIT 1`,
    nextLater: `${next} AND due_at > ? AND due_at <= ? ORDER BY ${t}.due_at, place LIMIT 1`,
    setWaits: `UPDATE ${t} SET waits = ? WHERE place = ?`,
    fresh:
      `SELECT ${standing}, NULL AS again_at, "key" FROM ${ready} AND due_at <= ? AND free_at <= ? ORDER BY ${t}.due_at, place LIMIT ?`,
    again: `SELECT ${columnsOf("place, due_at")}, ${clamped("again_at")} AS free_at, ${
      columnsOf("again_at")
    }, "key" FROM ${putOff} AND again_at <= ? ORDER BY ${t}.again_at LIMIT ?`,
    nextDue: `SELECT min(due_at) AS at FROM ${ready} AND due_at > ? AND due_at <= ${most}`,
    nextFree: `SELECT min(free_at) AS at FROM ${ready} AND due_at <= ? AND free_at BETWEEN -${most} AND ${most}`,
    nextAgain: `SELECT min(again_at) AS at FROM ${putOff} AND again_at > ? AND again_at <= ${most}`,
    oldest: `SELECT min(due_at) AS oldest FROM ${ready} AND due_at BETWEEN -${most} AND ?`,
    oldestAgain: `SELECT min(due_at) AS oldest FROM ${putOff} AND due_at BETWEEN -${most} AND ?`,
    lease: `UPDATE ${t} SET ${fenced}, free_at = ? WHERE place IN ${listed} RETURNING ${whole}`,
    leaseAgain: `UPDATE ${t} SET ${fenced}, free_at = ?, again_at = NULL WHERE place IN ${listed} RETURNING ${whole}`,
    doneOne: `DELETE FROM ${t} WHERE place = ? AND fence = ? AND parked = 0`,
    doneAll: `DELETE FROM ${t} WHERE place IN ${listed} AND fence = ? AND parked = 0`,
    doneKeyed: `DELETE FROM ${t} WHERE place IN ${listed} AND fence = ? AND parked = 0 RETURNING bus, "key", waits`,
    later: `UPDATE ${t} SET free_at = ?1, again_at = iif(?1 > ?5, ?1, NULL), error = ?2, attempts = attempts + ?6, ` +
      `fence = fence + 1 WHERE place = ?3 AND fence = ?4 AND parked = 0 RETURNING bus, "key", waits`,
    park: `UPDATE ${t} SET parked = 1, free_at = ?1, error = ?2, attempts = attempts + ?5, fence = fence + 1 ` +
      `WHERE place = ?3 AND fence = ?4 AND parked = 0 RETURNING bus, "key", waits`,
    remove: `DELETE FROM ${t} WHERE bus = ? AND token = ? RETURNING bus, "key", waits + parked AS waits`,
    findParked: `SELECT place, "key" FROM ${parked} AND id = ?`,
    unpark: `UPDATE ${t} SET parked = 0, attempts = 0, due_at = ?, free_at = ?, again_at = NULL, waits = ? ` +
      `WHERE place = ?`,
    discard: `DELETE FROM ${t} WHERE place IN (SELECT place FROM ${parked} AND id = ?)`,
    parked: `SELECT ${whole} FROM ${parked} ORDER BY id LIMIT ?`,
    parkedAfter: `SELECT ${whole} FROM ${parked} AND id > ? ORDER BY id LIMIT ?`,
    countParked: `SELECT count(*) AS count FROM ${parked}`,
    countAll: `SELECT count(*) AS count FROM ${t} INDEXED BY "${table}_one" WHERE bus = ?`,
  };
}
