/** The message that most units send: one, due at once, which does not expire and has no key. @module */
import { headersToText } from "../../src/envelope/stored_text.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import { ConstantTexts } from "./constants.ts";
import type { Names } from "./names.ts";
import type { SqlRow } from "./sql_client.ts";
import { column, nowMs, type Statement } from "./statement.ts";

/** Writes it alone. */
export class UsualRow {
  readonly #texts: ConstantTexts;
  readonly #fresh: ConstantTexts;

  constructor(names: Names) {
    const text = (bus: string, contentType: string, present: string) =>
      `INSERT INTO ${names.table("outbox")} AS o (bus, id, unit, destination, content_type, headers, body, ` +
      `written_due_at, due_at, free_at, fence) ` +
      `SELECT ${bus}, $1::text, $2::text, $3::text, ${contentType}, $4::text, $5::bytea, 0, ${nowMs}, ` +
      `${nowMs} + $6::text::bigint, 1 ${present}RETURNING o.place, o.free_at`;
    this.#texts = new ConstantTexts((bus, contentType) => text(bus, contentType, "ON CONFLICT DO NOTHING "));
    this.#fresh = new ConstantTexts((bus, contentType) => text(bus, contentType, ""));
  }

  /** `undefined`: it is another. */
  write(bus: string, row: OutboxRow, leaseMs: number): Statement | undefined {
    const { id, group, key, to, frame: { contentType, headers, body }, dueAt, expiresAt, fresh } = row;
    if (dueAt !== 0 || key !== undefined || expiresAt !== undefined) return undefined;
    const text = (fresh === true ? this.#fresh : this.#texts).of(bus, contentType);
    return text === undefined ? undefined : {
      text,
      values: [column(id), column(group), column(to), headersToText(headers), body, String(Math.ceil(leaseMs))],
    };
  }

  /** What it gave, as `DueTable.inserted` takes it. */
  static written(row: OutboxRow, found: readonly SqlRow[]): readonly SqlRow[] {
    return found.map(([place, until]) => [place, 1, row.id, until]);
  }
}
