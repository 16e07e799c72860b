/** What is asked about the instances of sagas, and what has happened to them. @module */
import { fromText, toText } from "../../src/envelope/stored_text.ts";
import type { HistorySelection, SagaHistoryRow } from "../../src/spi/rows.ts";
import type { Connection } from "./connection.ts";

/** A row as the statement below gives it. */
interface Found {
  readonly place: number;
  readonly incarnation: string;
  readonly version: number;
  readonly at: number;
  readonly data: Uint8Array;
  readonly types: string | null;
}

/** The statements. */
export class SagaHistory {
  readonly #count: string;
  readonly #countState: string;
  readonly #insert: string;
  readonly #select: string;
  readonly #forgetOne: string;
  readonly #forgetOld: string;

  /** @param prefix of the tables */
  constructor(prefix: string) {
    const table = `"${prefix}saga_history"`;
    this.#count = `SELECT count(*) AS count FROM "${prefix}sagas" WHERE bus = ? AND saga = ?`;
    this.#countState = `${this.#count} AND state = ?`;
    this.#insert = `INSERT INTO ${table} (bus, saga, id, incarnation, version, at, data, types) ` +
      `VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
    this.#select = `SELECT place, incarnation, version, at, data, types FROM ${table} ` +
      `WHERE bus = ? AND saga = ? AND id = ? AND place > ? ORDER BY place LIMIT ?`;
    const forget = (which: string): string =>
      `DELETE FROM ${table} WHERE place IN (SELECT place FROM ${table} WHERE bus = ? AND saga = ? AND ${which} LIMIT ?)`;
    this.#forgetOne = forget("id = ?");
    this.#forgetOld = forget("at < ?");
  }

  /** As `SagaRecords.count`. */
  count(connection: Connection, bus: string, saga: string, state: string | undefined): number {
    const values = [bus, saga, ...state === undefined ? [] : [state]].map(toText);
    const found = connection.prepare(state === undefined ? this.#count : this.#countState).get(...values);
    return (found as { readonly count: number }).count; // a count is always there
  }

  /** Adds what has happened with a commit. */
  add(connection: Connection, bus: string, { saga, id, incarnation, version, at, data, types }: SagaHistoryRow): void {
    const text = types === undefined ? null : toText(types);
    connection.prepare(this.#insert)
      .run(toText(bus), toText(saga), toText(id), toText(incarnation), version, at, data, text);
  }

  /** As `SagaRecords.forget`. */
  forget(
    connection: Connection,
    bus: string,
    saga: string,
    which: HistorySelection,
    limit: number,
  ): number {
    const statement = connection.prepare("id" in which ? this.#forgetOne : this.#forgetOld);
    const of = "id" in which ? toText(which.id) : which.before;
    return Number(statement.run(toText(bus), toText(saga), of, limit).changes);
  }

  /** As `SagaRecords.history`. */
  history(
    connection: Connection,
    bus: string,
    saga: string,
    id: string,
    after: number | undefined,
    limit: number,
  ): readonly { readonly place: number; readonly row: SagaHistoryRow }[] {
    const found = connection.prepare(this.#select).all(toText(bus), toText(saga), toText(id), after ?? 0, limit);
    return (found as readonly Found[]).map(({ place, incarnation, version, at, data, types }) => ({
      place,
      row: {
        saga,
        id,
        incarnation: fromText(incarnation),
        version,
        at,
        data,
        types: types === null ? undefined : fromText(types),
      },
    }));
  }
}
