/** A table of messages that wait. @module */
import { fromText, headersFromText, headersToText } from "../../src/envelope/stored_text.ts";
import { UnreadableRowError } from "../../src/errors/store.ts";
import { toError } from "../../src/errors/thrown.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import { LeasedRows } from "../../src/values/leased_rows.ts";
import type { Leased, Parked, Postponed } from "../../src/spi/store.ts";
import { type DueStatements, dueStatements, type Taken } from "./due_statements.ts";
import { storeName } from "./errors.ts";
import type { Names } from "./names.ts";
import type { SqlRow } from "./sql_client.ts";
import { Bytes, bytesOf, column, type Statement } from "./statement.ts";

/** What is written by the same statement, before the rows. */
export interface Before {
  /** Parts of a WITH, each with a comma behind it; their parameters come from `$6` on. */
  readonly parts: string;
  readonly values: Statement["values"];
}
const nothing: Before = { parts: "", values: [] };

/** Where a row is, as it was leased. */
interface Place {
  readonly place: string;
  readonly fence: number;
}

/** What a claim has found. */
export interface Claimed<out Row> {
  readonly leased: readonly Leased<Row>[];
  /** Leased as well, and to be taken away. */
  readonly cancelled: readonly Leased<Row>[];
  /** How many others have to wait. */
  readonly waiting: number;
}

/** Writes and reads rows of one kind. */
export class DueTable<Row extends OutboxRow> {
  /** By which listeners know it. */
  readonly name: "outbox" | "schedules";
  readonly #table: string;
  readonly #leased = new LeasedRows<Row, string>();
  readonly #sql: DueStatements;

  constructor(names: Names, name: "outbox" | "schedules") {
    this.name = name;
    this.#table = `${names.prefix}${name}`;
    this.#sql = dueStatements(names, name);
  }

  /**
   * Adds rows.
   *
   * @param leaseMs for how long those that are due and first of their key are leased; `undefined`: none is
   * @param hold whether rows may be held until the end of the transaction, as it is a short one
   */
  insert(bus: string, rows: readonly Row[], leaseMs: number | undefined, hold: boolean, before = nothing): Statement {
    const bodies = new Bytes();
    const list = rows.map((row) => ({
      id: column(row.id),
      unit: column(row.group),
      key: row.key === undefined ? null : column(row.key),
      destination: column(row.to),
      content_type: column(row.frame.contentType),
      headers: headersToText(row.frame.headers),
      ...bodies.add(row.frame.body),
      written: row.dueAt,
      expires: row.expiresAt ?? null,
      token: "token" in row && typeof row.token === "string" ? column(row.token) : null,
    }));
    const lease = leaseMs === undefined ? null : String(Math.ceil(leaseMs));
    return {
      text: this.#sql.insert(before.parts),
      values: [column(bus), JSON.stringify(list), bodies.all, lease, hold ? "hold" : "", ...before.values],
    };
  }

  /**
   * What `insert` gave, or `FreeRows`, of the rows that it wrote.
   *
   * @param until when the leases end, by this process' clock, at the earliest
   */
  inserted(rows: readonly Row[], found: readonly SqlRow[], until: number): readonly Leased<Row>[] {
    const [only, ...others] = rows;
    const [written, ...more] = found;
    // Most units write one.
    if (only !== undefined && written !== undefined && others.length + more.length === 0) {
      return Number(written[1]) > 0 ? [this.#leaseWritten(only, written, until)] : [];
    }
    const leased = new Map(
      found.filter(([, fence]) => Number(fence) > 0).map((row) => [fromText(String(row[2])), row]),
    );
    return rows.flatMap((row) => {
      const at = leased.get(row.id);
      if (at === undefined) return [];
      leased.delete(row.id);
      return [this.#leaseWritten(row, at, until)];
    });
  }
  #leaseWritten(row: Row, [place, fence]: SqlRow, until: number): Leased<Row> {
    return this.#leased.give(String(place), row, Number(fence), 0, until);
  }

  /** @param free only if none of those that come first has a key; gives nothing else */
  claim(bus: string, limit: number, leaseMs: number, free = false): Statement {
    const text = free ? this.#sql.claimFree(limit) : this.#sql.claim(limit);
    return { text, values: [column(bus), String(Math.ceil(leaseMs))] };
  }
  /** What `claim` gave; `until` as above. */
  claimed(found: readonly SqlRow[], until: number): Claimed<Row> {
    const taken = found.filter(([takes]) => takes === true);
    const order = taken.map((row) => ({ row, due: Number(row[1]), place: Number(row[4]) }));
    order.sort((a, b) => a.due - b.due || a.place - b.place);
    const [leased, cancelled]: [Leased<Row>[], Leased<Row>[]] = [[], []];
    for (const { row: [, , , unwanted, ...columns] } of order) {
      (unwanted === true ? cancelled : leased).push(this.#found(columns, until));
    }
    return { leased, cancelled, waiting: found.length - taken.length };
  }

  /** As `Due.done`. The last says by its length how many others are free now, if there is more than one. */
  done(rows: readonly Leased<Row>[]): readonly Statement[] {
    const taken = takenOf(rows.flatMap((leased) => this.#at(leased)));
    if (taken === undefined) return [];
    if (rows.every(({ row }) => row.key === undefined)) return [{ text: this.#sql.doneAlone(taken), values: [] }];
    return [{ text: this.#sql.lock(taken), values: [] }, { text: this.#sql.done(taken), values: [] }, this.#promote];
  }
  /**
   * As `Due.later`, and as above.
   *
   * @param now by the clock of the due times: the database's may be another
   */
  later(rows: readonly Postponed<Row>[], now: number): readonly Statement[] {
    // The first of what is said twice; what comes later is outdated by then.
    const seen = new Set<string>();
    const list = rows.flatMap(({ leased, dueAt, error, park, counts = true }) =>
      this.#at(leased).filter(({ place, fence }) => seen.size < seen.add(`${place} ${fence}`).size)
        .map((at) => ({ ...at, wait: dueAt - now, error: column(error), park, counts: counts ? 1 : 0 }))
    );
    const values = [JSON.stringify(list)];
    const later = { text: this.#sql.later, values };
    if (rows.every(({ leased, park }) => !park || leased.row.key === undefined)) return [later];
    const taken = takenOf(list);
    return taken === undefined ? [] : [{ text: this.#sql.lock(taken), values: [] }, later, this.#promote];
  }
  /** Takes rows away by their tokens, where they are there. */
  remove(bus: string, tokens: readonly string[]): readonly Statement[] {
    const values = [column(bus), JSON.stringify(tokens.map(column))];
    return [
      { text: this.#sql.lockTokens, values },
      { text: this.#sql.remove, values },
      this.#promote,
    ];
  }

  next(bus: string): Statement {
    return { text: this.#sql.next, values: [column(bus)] };
  }
  stats(bus: string): Statement {
    return { text: this.#sql.stats, values: [column(bus)] };
  }
  parked(bus: string, after: string | undefined, limit: number): Statement {
    const values = [column(bus), String(limit)];
    return after === undefined
      ? { text: this.#sql.parked, values }
      : { text: this.#sql.parkedAfter, values: [...values, column(after)] };
  }
  /** What `parked` gave. */
  parkedOf(found: readonly SqlRow[]): readonly Parked<Row>[] {
    return found.map((columns) => ({ ...this.#found(columns, 0), error: fromText(String(columns.at(-1) ?? "")) }));
  }
  /** Gives as many rows as were parked. */
  unpark(bus: string, ids: readonly string[]): Statement {
    return { text: this.#sql.unpark, values: [column(bus), JSON.stringify(ids.map(column))] };
  }

  /** Gives as many rows as were parked. */
  discard(bus: string, ids: readonly string[]): Statement {
    return { text: this.#sql.discard, values: [column(bus), JSON.stringify(ids.map(column))] };
  }

  get #promote(): Statement {
    return { text: this.#sql.promote, values: ["hero.freed"] };
  }

  #at(leased: Leased<Row>): readonly Place[] {
    const place = this.#leased.placeOf(leased);
    return place === undefined ? [] : [{ place, fence: leased.fence }];
  }

  #found(columns: SqlRow, until: number): Leased<Row> {
    const [place, fence, attempts, id, unit, key, destination, contentType, headers, body, dueAt, expiresAt, token] =
      columns as readonly string[]; // in the order of `foundColumns`
    const row: OutboxRow = {
      id: fromText(id!),
      group: fromText(unit!),
      key: key === null ? undefined : fromText(key!),
      to: fromText(destination!) as OutboxRow["to"],
      frame: { contentType: fromText(contentType!), headers: {}, body: bytesOf(body) },
      dueAt: Number(dueAt),
      expiresAt: expiresAt === null ? undefined : Number(expiresAt),
    };
    const full = this.name === "outbox" ? row : { ...row, token: fromText(token!) };
    const rest = { fence: Number(fence), attempts: Number(attempts), until };
    try {
      const frame = { ...row.frame, headers: headersFromText(headers!) };
      // A schedule has a token, and nothing else beside.
      return this.#lease({ ...full, frame } as Row, place, rest);
    } catch (thrown) {
      const cause = toError(thrown);
      const why = `its headers are damaged: ${cause.message}`;
      const unreadable = new UnreadableRowError(storeName, `the message "${row.id}" in "${this.#table}"`, why, {
        cause,
      });
      return this.#lease(full as Row, place, { ...rest, unreadable }); // as above, with no headers
    }
  }

  #lease(row: Row, place: unknown, { fence, attempts, until, unreadable }: Omit<Leased<Row>, "row">): Leased<Row> {
    return this.#leased.give(String(place), row, fence, attempts, until, unreadable);
  }
}

/** Places as text; numbers alone, as they become part of a statement. */
function takenOf(places: readonly Place[]): Taken | undefined {
  const [first] = places;
  if (first === undefined) return undefined;
  const same = places.every(({ fence }) => fence === first.fence);
  return {
    places: places.map(({ place }) => digits(place)).join(","),
    fences: same ? first.fence : places.map(({ place, fence }) => `(${digits(place)},${digits(fence)})`).join(","),
  };
}

function digits(number: string | number): string {
  return typeof number === "string" && /^\d+$/.test(number) ? number : BigInt(number).toString();
}
