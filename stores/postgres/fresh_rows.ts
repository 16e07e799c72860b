/** What units write of which none was handled before, as is most likely: nothing is looked at, and nothing told apart. @module */
import { headersToText } from "../../src/envelope/stored_text.ts";
import type { FreeUnit } from "./free_rows.ts";
import { digitsOf } from "./hexadecimal.ts";
import type { Names } from "./names.ts";
import type { SqlRow } from "./sql_client.ts";
import { column, nowMs, type Statement } from "./statement.ts";

/** Between the texts of a list: so they take no escapes, which is most of what an array's text costs on either side. */
const separator = "\x1f";

/** A list that travels so. Its length stands in a SELECT, as `rowsOfLists` says. */
function listIn(parameter: string): string {
  return `unnest((SELECT string_to_array(${parameter}::text, E'\\x1f')))`;
}

/** Makes the statement. */
export class FreshRows {
  readonly #text: string;

  constructor(names: Names) {
    const lists = ["$6", "$7", "$8", "$9", "$10"].map(listIn).join(", ");
    this.#text = `WITH recorded AS (INSERT INTO ${names.table("inbox")} (bus, endpoint, message_id, keep_until) ` +
      `SELECT $1::text, $2::text, message_id, $3::text::bigint FROM ${listIn("$4")} AS message_id) ` +
      `INSERT INTO ${names.table("outbox")} AS o (bus, id, unit, destination, headers, body, content_type, ` +
      `written_due_at, due_at, free_at, fence) ` +
      `SELECT $1::text, id, unit, destination, headers, decode(body, 'hex'), $5::text, 0, now, ` +
      `now + $11::text::bigint, 1 FROM (SELECT ${nowMs} AS now OFFSET 0) AS c, ` +
      `ROWS FROM (${lists}) AS r(id, unit, destination, headers, body) RETURNING o.place, o.fence, o.id, o.free_at`;
  }

  /**
   * Writes all of them; refuses all, by a unique index, where a message was handled or a row is there. `undefined`: they
   * are too different to be written so.
   */
  write(units: readonly FreeUnit[]): Statement | undefined {
    const [first] = units;
    const rows = units.flatMap((unit) => unit.rows);
    const keys = units.flatMap(({ key }) => key ?? []);
    const [row] = rows;
    if (first === undefined || row === undefined) return undefined;
    const { bus, leaseMs } = first;
    const { endpoint = "" } = keys[0] ?? {};
    const { contentType } = row.frame;
    const alike = units.every((each) => each.bus === bus && each.leaseMs === leaseMs && each.change === undefined) &&
      keys.every((each) => each.endpoint === endpoint) &&
      rows.every(({ dueAt, expiresAt, frame }) =>
        dueAt === 0 && expiresAt === undefined && frame.contentType === contentType
      );
    if (!alike) return undefined;
    const lists = [
      // In one order, so that no two such statements wait for each other.
      keys.map(({ messageId }) => column(messageId)).sort(),
      rows.map(({ id }) => column(id)),
      rows.map(({ group }) => column(group)),
      rows.map(({ to }) => column(to)),
      rows.map(({ frame }) => headersToText(frame.headers)),
      rows.map(({ frame }) => digitsOf(frame.body)),
    ];
    const texts = lists.map((list) => list.join(separator));
    // One more of them within a text, and a list would be too long; of one text that is empty it would be too short.
    const fit = lists.every((list, at) => list.length === lengthOf(texts[at] ?? ""));
    if (!fit) return undefined;
    const [messages = "", ...others] = texts;
    const keepUntil = Math.max(0, ...keys.map((key) => key.keepUntil));
    return {
      text: this.#text,
      values: [
        column(bus),
        column(endpoint),
        String(Math.ceil(keepUntil)),
        messages,
        column(contentType),
        ...others,
        String(Math.ceil(leaseMs)),
      ],
    };
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

/** How many texts the server takes a list for. */
function lengthOf(text: string): number {
  if (text === "") return 0;
  let length = 1;
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) length++;
  return length;
}
