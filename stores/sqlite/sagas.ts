/** The instances of sagas. @module */
import { UnreadableSagaError } from "../../src/errors/saga.ts";
import { ConflictError } from "../../src/errors/store.ts";
import { toError } from "../../src/errors/thrown.ts";
import { fromText, toText } from "../../src/envelope/stored_text.ts";
import type { Changes, SagaRow } from "../../src/spi/rows.ts";
import { bytesOf, numberOf, textOf, textOrNone } from "./columns.ts";
import type { Connection } from "./connection.ts";
import { storeName } from "./errors.ts";
import { fromRecord, toRecord } from "./text.ts";
import type { SqliteValue } from "./value.ts";

type SagaChanges = Changes["sagas"];

/** A row as the statements below give it. */
interface Found {
  readonly saga: string;
  readonly id: string;
  readonly incarnation: string;
  readonly version: number;
  readonly data_schema: number;
  readonly state: string;
  readonly data: Uint8Array;
  readonly types: string | null;
  readonly indexes: Uint8Array;
}
const columns = "saga, id, incarnation, version, data_schema, state, data, types, indexes";

/** The sagas' statements. */
export class Sagas {
  readonly #table: string;
  readonly #index: string;
  readonly #load: string;
  readonly #version: string;
  readonly #insert: string;
  readonly #update: string;
  readonly #delete: string;
  readonly #insertIndex: string;
  readonly #deleteIndex: string;

  /** @param prefix of the tables */
  constructor(prefix: string) {
    const table = this.#table = `"${prefix}sagas"`;
    const index = this.#index = `"${prefix}saga_indexes"`;
    const one = "WHERE bus = ? AND saga = ? AND id = ?";
    this.#load = `SELECT ${columns} FROM ${table} ${one}`;
    this.#version = `SELECT version, incarnation FROM ${table} ${one}`;
    this.#insert = `INSERT INTO ${table} (bus, ${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    this.#update =
      `UPDATE ${table} SET incarnation = ?, version = ?, data_schema = ?, state = ?, data = ?, types = ?, ` +
      `indexes = ? ${one}`;
    this.#delete = `DELETE FROM ${table} ${one}`;
    this.#insertIndex = `INSERT INTO ${index} (bus, saga, name, value, id) VALUES (?, ?, ?, ?, ?)`;
    this.#deleteIndex = `DELETE FROM ${index} WHERE bus = ? AND saga = ? AND name = ? AND value = ? AND id = ?`;
  }

  /** One, if it is there. */
  load(connection: Connection, bus: string, saga: string, id: string): SagaRow | undefined {
    const found = connection.prepare(this.#load).get(toText(bus), toText(saga), toText(id));
    return found == null ? undefined : fromFound(found as Found); // its columns are these
  }

  /** As `Unit.find`. */
  find(
    connection: Connection,
    bus: string,
    saga: string,
    where: Readonly<Record<string, string>>,
    after: string | undefined,
    limit: number,
  ): readonly SagaRow[] {
    const values: SqliteValue[] = [toText(bus), toText(saga)];
    let conditions = "bus = ? AND saga = ?";
    if (after !== undefined) {
      conditions += " AND id > ?";
      values.push(toText(after));
    }
    for (const [name, value] of Object.entries(where)) {
      conditions += ` AND id IN (SELECT id FROM ${this.#index} WHERE bus = ? AND saga = ? AND name = ? AND value = ?)`;
      values.push(toText(bus), toText(saga), toText(name), toText(value));
    }
    return connection.prepare(`SELECT ${columns} FROM ${this.#table} WHERE ${conditions} ORDER BY id LIMIT ?`)
      .all(...values, limit)
      .map((each) => fromFound(each as Found)); // as above
  }

  /** @throws {ConflictError} if one is not as it was loaded */
  check(connection: Connection, bus: string, changes: SagaChanges): void {
    for (const { before, after } of changes) {
      const row = before ?? after;
      if (row === undefined) continue;
      const { saga, id } = row;
      const now = connection.prepare(this.#version).get(toText(bus), toText(saga), toText(id)) as
        | { readonly version: number; readonly incarnation: string }
        | null
        | undefined;
      const same = now == null
        ? before === undefined
        : now.version === before?.version && fromText(now.incarnation) === before.incarnation;
      if (!same) throw new ConflictError(`saga ${saga} "${id}"`);
    }
  }

  /** Makes it so. */
  apply(connection: Connection, bus: string, changes: SagaChanges): void {
    for (const { before, after } of changes) {
      if (before === undefined && after !== undefined) {
        connection.prepare(this.#insert).run(toText(bus), toText(after.saga), toText(after.id), ...contents(after));
      } else if (before !== undefined && after !== undefined) {
        connection.prepare(this.#update).run(...contents(after), toText(bus), toText(after.saga), toText(after.id));
      } else if (before !== undefined) {
        connection.prepare(this.#delete).run(toText(bus), toText(before.saga), toText(before.id));
      }
      for (
        const [statement, from, to] of [[this.#deleteIndex, before, after], [this.#insertIndex, after, before]] as const
      ) {
        if (from === undefined) continue;
        for (const [name, value] of Object.entries(from.index)) {
          if (to !== undefined && Object.hasOwn(to.index, name) && to.index[name] === value) continue;
          connection.prepare(statement)
            .run(toText(bus), toText(from.saga), toText(name), toText(value), toText(from.id));
        }
      }
    }
  }
}

/** From `incarnation` on. */
function contents({ incarnation, version, schema, state, data, types, index }: SagaRow): readonly SqliteValue[] {
  const text = types === undefined ? null : toText(types);
  return [toText(incarnation), version, schema, toText(state), data, text, toRecord(index)];
}

/** @throws {UnreadableSagaError} if it is damaged */
function fromFound(found: Found): SagaRow {
  try {
    return {
      saga: textOf(found.saga, "saga"),
      id: textOf(found.id, "id"),
      incarnation: textOf(found.incarnation, "incarnation"),
      version: numberOf(found.version, "version"),
      schema: numberOf(found.data_schema, "data_schema"),
      state: textOf(found.state, "state"),
      data: bytesOf(found.data, "data"),
      types: textOrNone(found.types, "types"),
      index: fromRecord(bytesOf(found.indexes, "indexes")),
    };
  } catch (thrown) {
    const cause = toError(thrown);
    const why = `${cause.message}, in its row of ${storeName}`;
    throw new UnreadableSagaError(fromText(found.saga), fromText(found.id), why, { cause });
  }
}
