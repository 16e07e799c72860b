/** What units write of which none was handled before, as is most likely: nothing is looked at, and nothing told apart. @module */
import { headersToText } from "../../src/envelope/stored_text.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { FreeUnit } from "./free_rows.ts";
import { digitsOf } from "./hexadecimal.ts";
import type { Names } from "./names.ts";
import { allSeparated, listIn, separated } from "./separated.ts";
import type { SqlRow } from "./sql_client.ts";
import { column, nowMs, type Statement } from "./statement.ts";

/** Makes the statements. Each gives of the rows that it has written: place, fence, id, when they are free. */
export class FreshRows {
  readonly #units: string;
  readonly #rows: string;
  readonly #given: string;

  constructor(names: Names) {
    const lists = ["$4", "$5", "$6", "$7", "$8"].map(listIn).join(", ");
    const rows =
      `INSERT INTO ${names.table("outbox")} AS o (bus, id, unit, destination, headers, body, content_type, ` +
      `written_due_at, due_at, free_at, fence) ` +
      `SELECT $1::text, id, unit, destination, headers, decode(body, 'hex'), $2::text, 0, now, ` +
      `now + $3::text::bigint, 1 FROM (SELECT ${nowMs} AS now OFFSET 0) AS c, ` +
      `ROWS FROM (${lists}) AS r(id, unit, destination, headers, body)`;
    const written = "RETURNING o.place, o.fence, o.id, o.free_at";
    this.#rows = `${rows} ${written}`;
    this.#given = `${rows} ON CONFLICT DO NOTHING ${written}`;
    this.#units = `WITH recorded AS (INSERT INTO ${names.table("inbox")} (bus, endpoint, message_id, keep_until) ` +
      `SELECT $1::text, $9::text, message_id, $10::text::bigint FROM ${
        listIn("$11")
      } AS message_id) ${rows} ${written}`;
  }

  /**
   * Writes all of several units; refuses all, by a unique index, where a message was handled or a row is there.
   * `undefined`: they are too different to be written so.
   */
  write(units: readonly FreeUnit[]): Statement | undefined {
    const [first] = units;
    if (first === undefined) return undefined;
    const { bus, leaseMs } = first;
    const keys = units.flatMap(({ key }) => key ?? []);
    const { endpoint = "" } = keys[0] ?? {};
    const alike = keys.every((each) => each.endpoint === endpoint) &&
      units.every((each) => each.bus === bus && each.leaseMs === leaseMs && each.change === undefined);
    if (!alike) return undefined;
    const values = valuesOf(bus, units.flatMap(({ rows }) => rows), leaseMs);
    // In one order, so that no two such statements wait for each other.
    const messages = separated(keys.map(({ messageId }) => column(messageId)).sort());
    if (values === undefined || messages === undefined) return undefined;
    const keepUntil = Math.max(0, ...keys.map((key) => key.keepUntil));
    return {
      text: this.#units,
      values: [...values, column(endpoint), String(Math.ceil(keepUntil)), messages],
    };
  }

  /** Writes rows, but for those that are there, which no fresh one is. `undefined`: they are too different to be written so. */
  writeRows(bus: string, rows: readonly OutboxRow[], leaseMs: number): Statement | undefined {
    const values = valuesOf(bus, rows, leaseMs);
    return values && { text: rows.every(({ fresh }) => fresh === true) ? this.#rows : this.#given, values };
  }

  /** What it gave, for each unit: the rows that it wrote. */
  outcomes(units: readonly FreeUnit[], found: readonly SqlRow[]): readonly (readonly SqlRow[])[] {
    const written = new Map(found.map((row) => [row[2], row]));
    return units.map(({ rows }) =>
      rows.flatMap(({ id }) => {
        const row = written.get(column(id));
        return row === undefined ? [] : [row];
      })
    );
  }
}

/** Rows that are due at once, and have one content type. */
function valuesOf(bus: string, rows: readonly OutboxRow[], leaseMs: number): Statement["values"] | undefined {
  const [first] = rows;
  if (first === undefined) return undefined;
  const { contentType } = first.frame;
  const alike = rows.every(({ dueAt, expiresAt, frame }) =>
    dueAt === 0 && expiresAt === undefined && frame.contentType === contentType
  );
  if (!alike) return undefined;
  const lists = allSeparated([
    rows.map(({ id }) => column(id)),
    rows.map(({ group }) => column(group)),
    rows.map(({ to }) => column(to)),
    rows.map(({ frame }) => headersToText(frame.headers)),
    rows.map(({ frame }) => digitsOf(frame.body)),
  ]);
  return lists && [column(bus), column(contentType), String(Math.ceil(leaseMs)), ...lists];
}
