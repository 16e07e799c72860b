/**
 * Rows of an outbox that have no key: nothing goes before them, so that writing them takes no look at others. @module
 */
import { headersToText } from "../../src/envelope/stored_text.ts";
import type { OutboxRow, SagaChange } from "../../src/spi/rows.ts";
import type { BusKey, Inbox } from "./inbox.ts";
import type { Names } from "./names.ts";
import type { Sagas } from "./sagas.ts";
import type { SqlRow } from "./sql_client.ts";
import { Bytes, column, listFrom, nowMs, rowsOfLists, type Statement } from "./statement.ts";

/** What a unit writes. */
export interface FreeUnit {
  readonly bus: string;
  /** Whose inbox record is written with it. */
  readonly key: BusKey | undefined;
  /** Of an instance, if {@linkcode Sagas.isBrief}; where it has one, it has a key as well. */
  readonly change: SagaChange | undefined;
  readonly rows: readonly OutboxRow[];
  /** For how long the rows that are due are leased. */
  readonly leaseMs: number;
}

const columns =
  "bus text, id text, unit text, destination text, content_type text, headers text, start int, size int, " +
  "written float8, expires float8, lease bigint, of bigint";
/** Behind those and the bodies. */
const keysFrom = columns.split(",").length + 2;
/** Behind the four lists of the inbox. */
const changesFrom = keysFrom + 4;

/** Refuses, as `refusal` does, where the part `changed` of the same statement has not so many rows: it tells not which. */
const ifChanged = (rows: string): string =>
  `CASE (SELECT count(*) FROM changed) WHEN ${rows} THEN true ` +
  `ELSE ('hero conflict ' || (SELECT count(*) + 1 FROM changed))::integer > 0 END`;
const ifOneChanged = ifChanged("1");
/** Whether all of `changing` are `changed`; fails where not. */
export const ifAllChanged: string = ifChanged("(SELECT count(*) FROM changing)");

/** Texts that write one row, with the same values: one that is due at once is spared what finds out when others are. */
interface WrittenOne {
  readonly later: string;
  readonly atOnce: string;
}

/** Makes the statements. Each gives of the rows that it has written: place, fence, id, when they are free, bus. */
export class FreeRows {
  readonly #inbox: Inbox;
  readonly #sagas: Sagas;
  readonly #one: WrittenOne;
  readonly #unleased: string;
  readonly #many: string;
  readonly #shared: string;
  /** With changes of instances, of which none is waited for; and of one unit, which waits. */
  readonly #sharedChanging: string;
  readonly #waiting: string;
  readonly #oneOf: WrittenOne;
  readonly #oneIfChanged: WrittenOne;

  constructor(names: Names, inbox: Inbox, sagas: Sagas) {
    this.#inbox = inbox;
    this.#sagas = sagas;
    const into =
      `INSERT INTO ${names.table("outbox")} AS o (bus, id, unit, destination, content_type, headers, body, ` +
      `written_due_at, expires_at, due_at, free_at, fence) `;
    const due = "CASE WHEN written = 0 THEN now ELSE greatest(-9e15, least(9e15, ceil(written)))::bigint END AS due";
    const times = (expires: string) =>
      `written, ${expires}, due, CASE WHEN due <= now THEN now + lease ELSE due END, ` +
      "CASE WHEN due <= now THEN 1 ELSE 0 END";
    const written = " ON CONFLICT DO NOTHING RETURNING o.place, o.fence, o.id, o.free_at, o.bus";
    const frame = "$1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bytea";
    const later = (condition: string) =>
      `${into}SELECT ${frame}, ${times("expires")} FROM (SELECT *, ${due} FROM (SELECT ${nowMs} AS now, ` +
      `$8::text::float8 AS written, $9::text::float8 AS expires, $10::text::bigint AS lease OFFSET 0) AS c) AS w` +
      `${condition}${written}`;
    const atOnce = (condition: string) =>
      `${into}SELECT ${frame}, $8::text::float8, $9::text::float8, ${nowMs}, ${nowMs} + $10::text::bigint, 1` +
      `${condition}${written}`;
    this.#one = { later: later(""), atOnce: atOnce("") };
    this.#oneIfChanged = { later: later(` WHERE ${ifOneChanged}`), atOnce: atOnce(` WHERE ${ifOneChanged}`) };
    this.#unleased = `${into}SELECT ${frame}, 0, $8::text::float8, ${nowMs}, ${nowMs}, 0 ON CONFLICT DO NOTHING`;
    const many = (condition: string) =>
      `${into}SELECT bus, id, unit, destination, content_type, headers, ` +
      `substring($${keysFrom - 1}::bytea FROM start + 1 FOR size), ${times(`nullif(expires, 'NaN')`)} FROM ` +
      `(SELECT *, ${due} FROM (SELECT ${nowMs} AS now OFFSET 0) AS c, ${rowsOfLists(1, columns)}${condition}) AS w ` +
      `ORDER BY n${written}`;
    this.#many = many("");
    const recorded = `WITH recorded AS (${inbox.recordingOne(11)})`;
    this.#oneOf = { later: `${recorded} ${this.#one.later}`, atOnce: `${recorded} ${this.#one.atOnce}` };
    const shared = (parts: string, condition: string) =>
      `WITH ${inbox.recordingFresh(keysFrom)}, ${parts}` +
      `sent AS (${many(" WHERE of = 0 OR of IN (SELECT n FROM fresh)")}) ` +
      `SELECT place, fence, id, free_at, bus, NULL::bigint FROM sent UNION ALL ` +
      `SELECT NULL, NULL, NULL, NULL, NULL, n FROM fresh${condition}`;
    this.#shared = shared("", "");
    const changing = (locked: "awaited" | "passed over") =>
      shared(
        `${sagas.changingSeveral(changesFrom, locked, "of IN (SELECT n FROM fresh)")}, `,
        ` WHERE ${ifAllChanged}`,
      );
    this.#sharedChanging = changing("passed over");
    this.#waiting = changing("awaited");
  }

  /**
   * Writes what one unit has, alone. Refuses where it was handled ({@linkcode isHandled}) and, with `conflict`, where its
   * instance has not changed; see also {@linkcode outcomes}.
   */
  write(unit: FreeUnit): Statement {
    const { key, change, rows: [row, ...others] } = unit;
    if (others.length > 0) {
      return key === undefined
        ? { text: this.#many, values: this.#lists([unit]) }
        : this.#together([unit], this.#waiting);
    }
    const values = row === undefined ? [] : this.#valuesOf(unit, row);
    if (key !== undefined && change !== undefined) return this.#changing(unit.bus, key, change, row, values);
    if (row === undefined) return this.#inbox.record(key === undefined ? [] : [key]);
    const when = whenOf(row);
    return key === undefined
      ? { text: this.#one[when], values }
      : { text: this.#oneOf[when], values: [...values, ...this.#inbox.one(key)] };
  }

  /** Writes a row that is due at once, and that nobody has leased. */
  writeUnleased(bus: string, row: OutboxRow): Statement {
    const values = this.#valuesOf({ bus, key: undefined, change: undefined, rows: [row], leaseMs: 0 }, row);
    return { text: this.#unleased, values: [...values.slice(0, 7), values[8] ?? null] };
  }

  #changing(
    bus: string,
    key: BusKey,
    change: SagaChange,
    row: OutboxRow | undefined,
    values: Statement["values"],
  ): Statement {
    const record = this.#inbox.one(key);
    const first = values.length + 1;
    const changed = this.#sagas.changing(bus, change, first + record.length);
    return {
      text: `WITH recorded AS (${this.#inbox.recordingOne(first)}), ${changed.text} ` +
        (row === undefined ? `SELECT WHERE NOT ${ifOneChanged}` : this.#oneIfChanged[whenOf(row)]),
      values: [...values, ...record, ...changed.values],
    };
  }

  #valuesOf({ bus, leaseMs }: FreeUnit, row: OutboxRow): Statement["values"] {
    return [
      ...[bus, row.id, row.group, row.to, row.frame.contentType].map(column),
      headersToText(row.frame.headers),
      row.frame.body,
      String(row.dueAt),
      row.expiresAt === undefined ? null : String(row.expiresAt),
      String(Math.ceil(leaseMs)),
    ];
  }

  /**
   * Writes what several units have, but for those that were handled: {@linkcode outcomes} tells. Refuses all, with
   * `conflict`, where one of their instances has not changed, or somebody else has it locked.
   */
  share(units: readonly FreeUnit[]): Statement {
    return this.#together(units, this.#sharedChanging);
  }

  #together(units: readonly FreeUnit[], changing: string): Statement {
    const keys = units.flatMap(({ key }) => key ?? []);
    const values = [...this.#lists(units), ...this.#inbox.several(keys)];
    let number = 0;
    const changes = units.flatMap(({ bus, key, change }) => {
      if (key !== undefined) number++;
      return change === undefined ? [] : [{ of: number, bus, change }];
    });
    return changes.length === 0
      ? { text: this.#shared, values }
      : { text: changing, values: [...values, ...this.#sagas.several(changes)] };
  }

  /** Whether an error says that a unit's message was handled. */
  isHandled(error: unknown, { key }: FreeUnit): boolean {
    return key !== undefined && this.#inbox.isRefusal(error);
  }

  /** What a statement gave, for each of its units: the rows that it wrote, `undefined` where it was handled before. */
  outcomes(
    units: readonly FreeUnit[],
    { text }: Statement,
    found: readonly SqlRow[],
  ): readonly (readonly SqlRow[] | undefined)[] {
    const shared = [this.#shared, this.#sharedChanging, this.#waiting].includes(text); // else it would have refused
    const fresh = new Set(shared ? found.flatMap(([place, , , , , n]) => place === null ? [Number(n)] : []) : []);
    const written = new Map(found.map((row) => [`${row[4]} ${row[2]}`, row]));
    let keys = 0;
    return units.map(({ bus, key, rows }) => {
      if (key !== undefined && shared && !fresh.has(++keys)) return undefined;
      return rows.flatMap(({ id }) => {
        const name = `${column(bus)} ${column(id)}`;
        const row = written.get(name);
        written.delete(name); // of two with one id, one is written
        return row === undefined ? [] : [row];
      });
    });
  }

  #lists(units: readonly FreeUnit[]): Statement["values"] {
    const bodies = new Bytes();
    let keys = 0;
    const all: Written[] = [];
    for (const { bus, key, rows, leaseMs } of units) {
      const of = key === undefined ? 0 : ++keys;
      for (const row of rows) all.push({ bus, of, row, leaseMs, place: bodies.add(row.frame.body) });
    }
    const texts = (of: (row: OutboxRow) => string): string => listFrom(all, ({ row }) => column(of(row)));
    return [
      listFrom(all, ({ bus }) => column(bus)),
      texts(({ id }) => id),
      texts(({ group }) => group),
      texts(({ to }) => to),
      texts(({ frame }) => frame.contentType),
      listFrom(all, ({ row }) => headersToText(row.frame.headers)),
      listFrom(all, ({ place }) => place.start),
      listFrom(all, ({ place }) => place.size),
      listFrom(all, ({ row }) => row.dueAt),
      listFrom(all, ({ row }) => row.expiresAt ?? "NaN"),
      listFrom(all, ({ leaseMs }) => Math.ceil(leaseMs)),
      listFrom(all, ({ of }) => of),
      bodies.all,
    ];
  }
}

/** A row in lists. */
interface Written {
  readonly bus: string;
  /** The number of its unit's key. */
  readonly of: number;
  readonly row: OutboxRow;
  readonly leaseMs: number;
  /** Of its body, among all. */
  readonly place: { readonly start: number; readonly size: number };
}

/** Which text a row is written by. */
function whenOf({ dueAt }: OutboxRow): keyof WrittenOne {
  return dueAt === 0 ? "atOnce" : "later";
}
