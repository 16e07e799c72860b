/** The instances of sagas. @module */
import { fromText, headersFromText, headersToText } from "../../src/envelope/stored_text.ts";
import { UnreadableSagaError } from "../../src/errors/saga.ts";
import { toError } from "../../src/errors/thrown.ts";
import type { Changes, InstanceKey, SagaChange, SagaRow } from "../../src/spi/rows.ts";
import { storeName } from "./errors.ts";
import type { Names } from "./names.ts";
import type { SqlRow, SqlValue } from "./sql_client.ts";
import {
  Bytes,
  bytesOf,
  column,
  listFrom,
  listOf,
  noText,
  refusal,
  rowsOf,
  rowsOfLists,
  type Statement,
  textOrNull,
} from "./statement.ts";

/** An instance, of a bus. */
export interface BusInstance extends InstanceKey {
  readonly bus: string;
}

/** What becomes of one, with a unit that {@linkcode Sagas.isBrief} is about. */
export interface BriefChange {
  /** The number, from 1, of the unit's inbox record. */
  readonly of: number;
  readonly bus: string;
  readonly change: SagaChange;
}

type SagaChanges = Changes["sagas"];
/** Of a row, by name. */
type Columns = Readonly<Record<string, string | number | null>>;

const contents = "incarnation, version, data_schema, state, data, types, indexes";
const list = "op text, saga text, id text, was text, was_version bigint, incarnation text, version bigint, " +
  "data_schema bigint, state text, start int, size int, types text, indexes text";
const briefList = "of bigint, op text, bus text, saga text, id text, was text, was_version bigint, incarnation text, " +
  "version bigint, data_schema bigint, state text, start int, size int, types text, indexes text";
/** With what stands in a list for none. */
const briefColumns = briefList.split(", ").map((each): [name: string, none: string | number] => {
  const [name = "", type] = each.split(" ");
  return [name, type === "text" ? noText : -1];
});
const indexList = "saga text, name text, value text, id text";

/** The sagas' statements. */
export class Sagas {
  readonly #table: string;
  readonly #index: string;
  readonly #load: string;
  /** Behind three other lists. */
  readonly #loadAll: string;
  /** Its columns, of what is none. */
  readonly #none: string;
  readonly #apply: string;
  readonly #reindex: string;

  constructor(names: Names) {
    const table = this.#table = names.table("sagas");
    const index = this.#index = names.table("saga_indexes");
    this.#load =
      `SELECT saga, id, ${contents} FROM ${table} WHERE bus = $1::text AND saga = $2::text AND id = $3::text`;
    const columns = `saga, id, ${contents}`.split(", ");
    this.#none = columns.map(() => "NULL").join(", ");
    // One look into the index for each, as in the inbox.
    this.#loadAll = `SELECT r.n, s.* FROM ${rowsOfLists(4, "bus text, saga text, id text")} CROSS JOIN LATERAL ` +
      `(SELECT ${
        columns.join(", ")
      } FROM ${table} s WHERE s.bus = r.bus AND s.saga = r.saga AND s.id = r.id LIMIT 1) s`;
    const was = `s.bus = $1::text AND s.saga = r.saga AND s.id = r.id AND s.version = r.was_version ` +
      `AND s.incarnation = r.was`;
    const data = "substring($3::bytea FROM r.start + 1 FOR r.size)";
    this.#apply = `WITH incoming AS MATERIALIZED (SELECT * FROM ${rowsOf("$2", list)}), ` +
      `inserted AS (INSERT INTO ${table} (bus, saga, id, ${contents}) SELECT $1::text, saga, id, incarnation, version, ` +
      `data_schema, state, ${data}, types, indexes FROM incoming r WHERE op = 'insert' ORDER BY saga, id ` +
      `ON CONFLICT DO NOTHING RETURNING saga, id), ` +
      `updated AS (UPDATE ${table} s SET incarnation = r.incarnation, version = r.version, ` +
      `data_schema = r.data_schema, state = r.state, data = ${data}, types = r.types, indexes = r.indexes ` +
      `FROM incoming r WHERE r.op = 'update' AND ${was} RETURNING s.saga, s.id), ` +
      `deleted AS (DELETE FROM ${table} s USING incoming r WHERE r.op = 'delete' AND ${was} RETURNING s.saga, s.id), ` +
      `done AS (SELECT * FROM inserted UNION ALL SELECT * FROM updated UNION ALL SELECT * FROM deleted) ` +
      `SELECT ${refusal("conflict")} FROM incoming r ` +
      `WHERE NOT EXISTS (SELECT FROM done WHERE done.saga = r.saga AND done.id = r.id)`;
    this.#reindex = `WITH gone AS (DELETE FROM ${index} x USING ${rowsOf("$2", indexList)} ` +
      `WHERE x.bus = $1::text AND x.saga = r.saga AND x.name = r.name AND x.value = r.value AND x.id = r.id) ` +
      `INSERT INTO ${index} (bus, saga, name, value, id) SELECT $1::text, saga, name, value, id ` +
      `FROM ${rowsOf("$3", indexList)} ON CONFLICT DO NOTHING`;
  }

  /** One, if it is there. */
  load(bus: string, saga: string, id: string, lock: boolean): Statement {
    return { text: lock ? `${this.#load} FOR UPDATE` : this.#load, values: [column(bus), column(saga), column(id)] };
  }

  /** Several, each behind its number from 1; with them, and before their columns, the numbers that `find` gives. */
  beside(find: Statement, instances: readonly BusInstance[]): Statement {
    const lists = [
      instances.map(({ bus }) => column(bus)),
      instances.map(({ saga }) => column(saga)),
      instances.map(({ id }) => column(id)),
    ];
    return {
      text: `SELECT f.n, ${this.#none} FROM (${find.text}) AS f UNION ALL ${this.#loadAll}`,
      values: [...find.values, ...lists.map(listOf)],
    };
  }

  /** As `Unit.find`. */
  find(
    bus: string,
    saga: string,
    where: Readonly<Record<string, string>>,
    after: string | undefined,
    limit: number,
  ): Statement {
    const values: string[] = [column(bus), column(saga), String(limit)];
    const add = (value: string): string => `$${values.push(column(value))}::text`;
    const later = after === undefined ? "" : ` AND id > ${add(after)}`;
    const conditions = Object.entries(where).map(([name, value]) =>
      ` AND id IN (SELECT id FROM ${this.#index} WHERE bus = $1::text AND saga = $2::text AND name = ${add(name)} ` +
      `AND value = ${add(value)}${later})`
    );
    return {
      text: `SELECT saga, id, ${contents} FROM ${this.#table} WHERE bus = $1::text AND saga = $2::text${later}` +
        `${conditions.join("")} ORDER BY id LIMIT $3::text::bigint`,
      values,
    };
  }

  /** Whether a change is one of a row alone: not of an index, nor of a history. */
  isBrief({ before, after, history = [] }: SagaChange): boolean {
    return (before ?? after) !== undefined && history.length === 0 &&
      indexOf(before, after).length + indexOf(after, before).length === 0;
  }

  /**
   * One change as a part of a statement, `changed`, which has a row if the instance was as it was loaded.
   *
   * @param change as {@linkcode isBrief} wants it
   * @param first the number of its first parameter
   */
  changing(bus: string, { before, after }: SagaChange, first: number): Statement {
    const row = (before ?? after)!; // as above
    const values: SqlValue[] = [column(bus), column(row.saga), column(row.id)];
    const next = (type: string, value: SqlValue): string => `$${first - 1 + values.push(value)}::${type}`;
    const was = before === undefined ? "" : ` AND version = ${next("text::bigint", String(before.version))} ` +
      `AND incarnation = ${next("text", column(before.incarnation))}`;
    const one = `bus = $${first}::text AND saga = $${first + 1}::text AND id = $${first + 2}::text${was} RETURNING 1`;
    if (after === undefined) return { text: `changed AS (DELETE FROM ${this.#table} WHERE ${one})`, values };
    const made = [
      next("text", column(after.incarnation)),
      next("text::bigint", String(after.version)),
      next("text::bigint", String(after.schema)),
      next("text", column(after.state)),
      next("bytea", after.data),
      next("text", after.types === undefined ? null : column(after.types)),
      next("text", headersToText(after.index)),
    ].join(", ");
    const text = before === undefined
      ? `INSERT INTO ${this.#table} (bus, saga, id, ${contents}) VALUES ($${first}::text, $${first + 1}::text, ` +
        `$${first + 2}::text, ${made}) ON CONFLICT DO NOTHING RETURNING 1`
      : `UPDATE ${this.#table} SET (${contents}) = ROW(${made}) WHERE ${one}`;
    return { text: `changed AS (${text})`, values };
  }

  /**
   * Parts of a statement that make several such changes: `changing` has them, and `changed` a row for each that has become
   * true. The parameters are those of {@linkcode several}, from `first` on.
   *
   * @param locked what becomes of one that others have locked
   * @param which of them are made
   */
  changingSeveral(first: number, locked: "awaited" | "passed over", which: string): string {
    const [table, lists] = [this.#table, briefColumns.length];
    const same = "s.bus = c.bus AND s.saga = c.saga AND s.id = c.id";
    const made = `incarnation, version, data_schema, state, ` +
      `substring($${first + lists}::bytea FROM start + 1 FOR size), ${textOrNull("types")}, indexes`;
    const lock = locked === "awaited" ? "FOR UPDATE" : "FOR UPDATE SKIP LOCKED";
    const at = (op: string): string => `ctid = ANY (ARRAY(SELECT at FROM locked WHERE op = '${op}')) RETURNING 1`;
    return `changing AS MATERIALIZED (SELECT * FROM ${rowsOfLists(first, briefList)} ` +
      `WHERE ${which}), ` +
      `locked AS MATERIALIZED (SELECT c.op, s.at FROM changing c CROSS JOIN LATERAL (SELECT s.ctid AS at FROM ${table} s ` +
      `WHERE ${same} AND s.version = c.was_version AND s.incarnation = c.was LIMIT 1 ${lock}) s), ` +
      `inserted AS (INSERT INTO ${table} (bus, saga, id, ${contents}) SELECT bus, saga, id, ${made} FROM changing ` +
      `WHERE op = 'insert' ORDER BY n ON CONFLICT DO NOTHING RETURNING 1), ` +
      `updated AS (UPDATE ${table} s SET (${contents}) = (SELECT ${made} FROM changing c ` +
      `WHERE ${same} AND c.op = 'update') WHERE ${at("update")}), ` +
      `deleted AS (DELETE FROM ${table} WHERE ${at("delete")}), ` +
      `changed AS (SELECT * FROM inserted UNION ALL SELECT * FROM updated UNION ALL SELECT * FROM deleted)`;
  }
  /** The values of {@linkcode changingSeveral}: in one order, so that no two wait for each other. */
  several(changes: readonly BriefChange[]): Statement["values"] {
    const bytes = new Bytes();
    const rows = changes.map((each) => ({ name: nameOf(each), each }))
      .sort((a, b) => a.name < b.name ? -1 : 1)
      .map(({ each: { of, bus, change } }): Columns => ({ of, bus: column(bus), ...changeOf(change, bytes) }));
    const lists = briefColumns.map(([name, none]) => listFrom(rows, (row) => row[name] ?? none));
    return [...lists, bytes.all];
  }

  /** Makes it so; refuses where one is not as it was loaded. */
  apply(bus: string, changes: SagaChanges): readonly Statement[] {
    const bytes = new Bytes();
    const rows = changes.map((change) => changeOf(change, bytes));
    const [gone, made] = [
      changes.flatMap(({ before, after }) => indexOf(before, after)),
      changes.flatMap(
        ({ before, after }) => indexOf(after, before),
      ),
    ];
    const apply = { text: this.#apply, values: [column(bus), JSON.stringify(rows), bytes.all] };
    if (gone.length + made.length === 0) return [apply];
    return [apply, { text: this.#reindex, values: [column(bus), JSON.stringify(gone), JSON.stringify(made)] }];
  }
}

/**
 * A row as `load` and `find` give it.
 *
 * @throws {UnreadableSagaError} if it is damaged
 */
export function sagaOf(row: SqlRow): SagaRow {
  const [saga, id, incarnation, version, schema, state, data, types, indexes] = row as readonly string[]; // see above
  return {
    saga: fromText(saga!),
    id: fromText(id!),
    incarnation: fromText(incarnation!),
    version: Number(version),
    schema: Number(schema),
    state: fromText(state!),
    data: bytesOf(data),
    types: types === null ? undefined : fromText(types!),
    index: indexFromText(saga!, id!, indexes!),
  };
}

function indexFromText(saga: string, id: string, indexes: string): SagaRow["index"] {
  try {
    return headersFromText(indexes) as SagaRow["index"]; // written as such
  } catch (thrown) {
    const cause = toError(thrown);
    const why = `its indexes are damaged: ${cause.message}, in its row of ${storeName}`;
    throw new UnreadableSagaError(fromText(saga), fromText(id), why, { cause });
  }
}

/** Its instance, of all. */
function nameOf({ bus, change: { before, after } }: BriefChange): string {
  const { saga, id } = (before ?? after)!; // one of them is given
  return JSON.stringify([bus, saga, id]);
}

/** A change as the lists have it. */
function changeOf({ before, after }: SagaChange, bytes: Bytes): Columns {
  const { saga, id } = (before ?? after)!; // one of them is given
  return {
    op: before === undefined ? "insert" : after === undefined ? "delete" : "update",
    saga: column(saga),
    id: column(id),
    was: before === undefined ? null : column(before.incarnation),
    was_version: before?.version ?? null,
    ...after === undefined ? {} : contentsOf(after, bytes),
  };
}

function contentsOf({ incarnation, version, schema, state, data, types, index }: SagaRow, bytes: Bytes): Columns {
  return {
    incarnation: column(incarnation),
    version,
    data_schema: schema,
    state: column(state),
    ...bytes.add(data),
    types: types === undefined ? null : column(types),
    indexes: headersToText(index),
  };
}

/** What an instance has in the index and another has not. */
function indexOf(of: SagaRow | undefined, other: SagaRow | undefined) {
  if (of === undefined) return [];
  return Object.entries(of.index)
    .filter(([name, value]) =>
      !(other !== undefined && Object.hasOwn(other.index, name) && other.index[name] === value)
    )
    .map(([name, value]) => ({
      saga: column(of.saga),
      name: column(name),
      value: column(value),
      id: column(of.id),
    }));
}
