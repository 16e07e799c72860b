/** What is asked about the instances of sagas, and what has happened to them. @module */
import { fromText } from "../../src/envelope/stored_text.ts";
import type { HistorySelection, SagaHistoryRow } from "../../src/spi/rows.ts";
import type { Names } from "./names.ts";
import type { SqlRow } from "./sql_client.ts";
import { Bytes, bytesOf, column, rowsOf, type Statement } from "./statement.ts";

const list =
  "saga text, id text, incarnation text, version bigint, at double precision, start int, size int, types text";
const columns = "saga, id, incarnation, version, at";

/** The statements. */
export class SagaHistory {
  readonly #count: string;
  readonly #insert: string;
  readonly #select: string;
  readonly #forgetOne: string;
  readonly #forgetOld: string;

  constructor(names: Names) {
    const table = names.table("saga_history");
    this.#count = `SELECT count(*)::text FROM ${names.table("sagas")} WHERE bus = $1::text AND saga = $2::text`;
    this.#insert = `INSERT INTO ${table} (bus, ${columns}, data, types) SELECT $1::text, ${columns}, ` +
      `substring($3::bytea FROM r.start + 1 FOR r.size), types FROM ${rowsOf("$2", list)} ORDER BY r.n`;
    this.#select = `SELECT place::text, ${columns}, data, types FROM ${table} WHERE bus = $1::text ` +
      `AND saga = $2::text AND id = $3::text AND place > $4::text::bigint ORDER BY place LIMIT $5::text::bigint`;
    const forget = (which: string): string =>
      `DELETE FROM ${table} WHERE place = ANY (ARRAY(SELECT place FROM ${table} WHERE bus = $1::text ` +
      `AND saga = $2::text AND ${which} LIMIT $4::text::bigint FOR UPDATE SKIP LOCKED)) RETURNING 1`;
    this.#forgetOne = forget("id = $3::text");
    this.#forgetOld = forget("at < $3::text::double precision");
  }

  /** As `SagaRecords.count`. */
  count(bus: string, saga: string, state: string | undefined): Statement {
    const values = [column(bus), column(saga)];
    if (state === undefined) return { text: this.#count, values };
    return { text: `${this.#count} AND state = $3::text`, values: [...values, column(state)] };
  }

  /** Adds what has happened with a commit; none where nothing is kept. */
  add(bus: string, rows: readonly SagaHistoryRow[]): readonly Statement[] {
    if (rows.length === 0) return [];
    const bytes = new Bytes();
    const incoming = rows.map(({ saga, id, incarnation, version, at, data, types }) => ({
      saga: column(saga),
      id: column(id),
      incarnation: column(incarnation),
      version,
      at,
      ...bytes.add(data),
      types: types === undefined ? null : column(types),
    }));
    return [{ text: this.#insert, values: [column(bus), JSON.stringify(incoming), bytes.all] }];
  }

  /** As `SagaRecords.history`. */
  history(bus: string, saga: string, id: string, after: number | undefined, limit: number): Statement {
    return { text: this.#select, values: [column(bus), column(saga), column(id), String(after ?? 0), String(limit)] };
  }

  /** As `SagaRecords.forget`: a row for each that is deleted. */
  forget(
    bus: string,
    saga: string,
    which: HistorySelection,
    limit: number,
  ): Statement {
    const [text, of] = "id" in which ? [this.#forgetOne, column(which.id)] : [this.#forgetOld, String(which.before)];
    return { text, values: [column(bus), column(saga), of, String(limit)] };
  }
}

/** A row as `history` gives it. */
export function historyOf(found: SqlRow): { readonly place: number; readonly row: SagaHistoryRow } {
  const [place, saga, id, incarnation, version, at, data, types] = found as readonly string[]; // see above
  return {
    place: Number(place),
    row: {
      saga: fromText(saga!),
      id: fromText(id!),
      incarnation: fromText(incarnation!),
      version: Number(version),
      at: Number(at),
      data: bytesOf(data),
      types: types === null ? undefined : fromText(types!),
    },
  };
}
