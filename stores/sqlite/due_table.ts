/** A table of messages that wait. @module */
import { fromText, toText } from "../../src/envelope/stored_text.ts";
import { mostSetBackMs, type OutboxRow } from "../../src/spi/rows.ts";
import { LeasedRows } from "../../src/values/leased_rows.ts";
import type { Leased, Parked, Postponed } from "../../src/spi/store.ts";
import type { Connection } from "./connection.ts";
import { before, type Claimable, firstOf, type Standing } from "./due_order.ts";
import { type Found, type Read, readRow } from "./due_row.ts";
import { dueStatements } from "./due_statements.ts";
import { toHeaders } from "./text.ts";
import type { SqliteValue } from "./value.ts";

/** What tells outbox and schedules apart. */
export interface DueKind<Row extends OutboxRow> {
  /** The table's name. */
  readonly table: string;
  /** Columns beyond those of the outbox, with a comma before each. */
  readonly more: "" | ", token";
  /** Their values. */
  values(row: Row): readonly SqliteValue[];
  /** The row that was written. */
  read(outbox: OutboxRow, found: Found): Row;
}

/**
 * The statements of such a table. Of the rows of one key that are not parked, the first by due time and place has
 * `waits` 0, all others 1: so what is held up costs a claim nothing, however much it is.
 */
export class DueTable<Row extends OutboxRow> {
  readonly #kind: DueKind<Row>;
  readonly #leased = new LeasedRows<Row, number>();
  readonly #sql: ReturnType<typeof dueStatements>;

  constructor(kind: DueKind<Row>) {
    this.#kind = kind;
    this.#sql = dueStatements(kind.table, kind.more);
  }

  /**
   * Adds a row in its place; `undefined` if it is there. One that is due and first of its key is leased at once.
   *
   * @param mine the places of its key that the same unit has leased
   */
  insert(
    connection: Connection,
    bus: string,
    row: Row,
    now: number,
    lease: { readonly until: number; readonly mine: Set<number> } | undefined,
  ): { readonly freeAt: number; readonly leased: Leased<Row> | undefined } | undefined {
    const busText = toText(bus);
    const key = row.key === undefined ? null : toText(row.key);
    const first = key === null ? undefined : this.#first(connection, busText, key);
    const dueAt = row.dueAt !== 0
      ? Math.ceil(row.dueAt)
      : first === undefined
      ? Math.floor(now)
      : this.#afterOthers(connection, busText, key, Math.floor(now));
    const waits = first !== undefined && first.due_at <= dueAt;
    const leases = lease !== undefined && dueAt <= now &&
      (!waits || this.#follows(connection, busText, key, dueAt, lease.mine));
    const freeAt = leases ? lease.until : dueAt;
    const { frame } = row;
    const { changes, lastInsertRowid } = connection.prepare(this.#sql.insert).run(
      busText,
      toText(row.id),
      toText(row.group),
      key,
      toText(row.to),
      toText(frame.contentType),
      toHeaders(frame.headers),
      frame.body,
      row.dueAt,
      row.expiresAt ?? null,
      dueAt,
      freeAt,
      waits ? 1 : 0,
      leases ? 1 : 0,
      ...this.#kind.values(row),
    );
    if (Number(changes) === 0) return undefined;
    if (first !== undefined && !waits) connection.prepare(this.#sql.setWaits).run(1, first.place);
    if (!leases) return { freeAt, leased: undefined };
    const place = Number(lastInsertRowid);
    lease.mine.add(place);
    return { freeAt, leased: this.#leased.give(place, row, 1, 0, lease.until) };
  }

  /** Whether anything can be claimed. */
  any(connection: Connection, bus: string, now: number): boolean {
    return this.#heads(connection, toText(bus), now, 1).length > 0;
  }

  /** As `Due.claim`. */
  claim(connection: Connection, bus: string, limit: number, leaseMs: number, now: number): readonly Leased<Row>[] {
    const busText = toText(bus);
    const until = Math.ceil(now + leaseMs);
    const heads = this.#heads(connection, busText, now, limit);
    // What comes behind the last of so many is not reached.
    const latest = Math.min(now, heads.length < limit ? Infinity : heads.at(-1)?.due_at ?? Infinity);
    const taken = firstOf(heads, limit, (head) => {
      const behind = this.#behind(connection, busText, head, latest);
      return behind !== undefined && behind.free_at <= now ? behind : undefined;
    });
    return this.#leaseAll(connection, taken, until);
  }

  /** One statement for all, as each costs more than what it does for a row. */
  #leaseAll(connection: Connection, taken: readonly Claimable[], until: number): readonly Leased<Row>[] {
    const found = new Map<number, Found>();
    const lease = (sql: string, some: readonly Claimable[]): void => {
      if (some.length === 0) return;
      const places = JSON.stringify(some.map(({ place }) => place));
      for (const row of connection.prepare(sql).all(until, places) as Found[]) found.set(row.place, row);
    };
    // Of those that were not put off, no index is written but their own.
    lease(this.#sql.lease, taken.filter(({ again_at }) => again_at === null));
    lease(this.#sql.leaseAgain, taken.filter(({ again_at }) => again_at !== null));
    return taken.map(({ place }) => this.#lease(found.get(place)!, until)); // each is there: this is its transaction
  }

  /** As `Due.done`. Gives the buses of which something is free now. */
  done(connection: Connection, rows: readonly Leased<Row>[]): ReadonlySet<string> {
    // By fence, their places: one statement for all, as each costs more than a row.
    const free = new Map<number, number[]>();
    const keyed = new Map<number, number[]>();
    for (const leased of rows) {
      const place = this.#leased.placeOf(leased);
      if (place === undefined) continue;
      const to = leased.row.key === undefined ? free : keyed;
      const places = to.get(leased.fence);
      if (places === undefined) to.set(leased.fence, [place]);
      else places.push(place);
    }
    for (const [fence, places] of free) {
      if (places.length > 1) connection.prepare(this.#sql.doneAll).run(JSON.stringify(places), fence);
      else connection.prepare(this.#sql.doneOne).run(places[0] ?? null, fence);
    }
    // Once all are gone, so that none is said to be free that goes as well.
    const gone: Found[] = [];
    for (const [fence, places] of keyed) {
      gone.push(...connection.prepare(this.#sql.doneKeyed).all(JSON.stringify(places), fence) as Found[]);
    }
    const freed = new Set<string>();
    for (const found of gone) this.#promote(connection, found, freed);
    return freed;
  }

  /** As `Due.later`. Gives the buses of which something is free at a time. */
  later(connection: Connection, rows: readonly Postponed<Row>[], now: number): ReadonlyMap<string, number> {
    const freed = new Set<string>();
    const times = new Map<string, number>();
    for (const { leased, dueAt, error, park, counts = true } of rows) {
      const counted = counts ? 1 : 0;
      const freeAt = Math.ceil(dueAt);
      const values = [freeAt, toText(error), this.#leased.placeOf(leased) ?? null, leased.fence] as const;
      const found = (park
        ? connection.prepare(this.#sql.park).get(...values, counted)
        : connection.prepare(this.#sql.later).get(...values, now, counted)) as Found | null | undefined;
      if (found == null) {
        continue;
      }
      if (park) {
        this.#promote(connection, found, freed);
      } else {
        const bus = fromText(found.bus);
        times.set(bus, Math.min(times.get(bus) ?? Infinity, freeAt));
      }
    }
    for (const bus of freed) times.set(bus, now);
    return times;
  }

  /** Takes a row away by its token, if it is there. */
  remove(connection: Connection, bus: string, token: string): void {
    const found = connection.prepare(this.#sql.remove).get(toText(bus), toText(token));
    if (found != null) this.#promote(connection, found as Found, new Set());
  }

  /** As `Due.unpark`. */
  unpark(connection: Connection, bus: string, ids: readonly string[], now: number): number {
    let count = 0;
    const busText = toText(bus);
    for (const id of new Set(ids)) {
      const all = connection.prepare(this.#sql.findParked).all(busText, toText(id)) as Pick<Found, "place" | "key">[];
      for (const { place, key } of all) {
        const dueAt = Math.floor(now);
        const first = key === null ? undefined : this.#first(connection, busText, key);
        const waits = first !== undefined && before(first, { due_at: dueAt, place }) ? 1 : 0;
        connection.prepare(this.#sql.unpark).run(dueAt, dueAt, waits, place);
        if (first !== undefined && waits === 0) connection.prepare(this.#sql.setWaits).run(1, first.place);
        count++;
      }
    }
    return count;
  }

  /** As `Due.discard`. */
  discard(connection: Connection, bus: string, ids: readonly string[]): number {
    let count = 0;
    for (const id of new Set(ids)) {
      count += Number(connection.prepare(this.#sql.discard).run(toText(bus), toText(id)).changes);
    }
    return count;
  }

  /** As `Due.parked`. */
  parked(connection: Connection, bus: string, after: string | undefined, limit: number): readonly Parked<Row>[] {
    const all = after === undefined
      ? connection.prepare(this.#sql.parked).all(toText(bus), limit)
      : connection.prepare(this.#sql.parkedAfter).all(toText(bus), toText(after), limit);
    return (all as Found[]).map((found) => ({
      ...this.#read(found),
      fence: found.fence,
      attempts: found.attempts,
      until: 0,
      error: fromText(found.error ?? ""),
    }));
  }

  /** As `Due.stats`. */
  stats(
    connection: Connection,
    bus: string,
    now: number,
  ): { readonly waiting: number; readonly parked: number; readonly oldest: number | undefined } {
    const busText = toText(bus);
    const count = (sql: string): number => (connection.prepare(sql).get(busText) as { readonly count: number }).count;
    const parked = count(this.#sql.countParked);
    const oldest = Math.min(
      ...[this.#sql.oldest, this.#sql.oldestAgain].map((sql) =>
        (connection.prepare(sql).get(busText, now) as { readonly oldest: number | null }).oldest ?? Infinity
      ),
    );
    return { waiting: count(this.#sql.countAll) - parked, parked, oldest: oldest === Infinity ? undefined : oldest };
  }

  /** When the next can be claimed; `undefined`: there is none. */
  next(connection: Connection, bus: string, now: number): number | undefined {
    const busText = toText(bus);
    const [free] = this.#heads(connection, busText, now, 1);
    if (free !== undefined) return free.free_at;
    const times = [this.#sql.nextDue, this.#sql.nextFree, this.#sql.nextAgain].map((sql) =>
      (connection.prepare(sql).get(busText, now) as { readonly at: number | null }).at ?? Infinity
    );
    const at = Math.min(...times);
    return at === Infinity ? undefined : at;
  }

  /** The first of each key, and of what has none, that may be claimed: in order. */
  #heads(connection: Connection, bus: string, now: number, limit: number): readonly Claimable[] {
    const fresh = connection.prepare(this.#sql.fresh).all(bus, now, now, limit) as Claimable[];
    const again = connection.prepare(this.#sql.again).all(bus, now, limit) as Claimable[];
    if (again.length === 0) return fresh;
    return [...fresh, ...again].sort((a, b) => before(a, b) ? -1 : 1).slice(0, limit);
  }

  #first(connection: Connection, bus: string, key: string): Standing | undefined {
    return (connection.prepare(this.#sql.first).get(bus, key) ?? undefined) as Standing | undefined;
  }

  /**
   * When what is sent now is due: no sooner than what was sent before it, though the clock was set back in between;
   * unless that would hold up all of the key for longer.
   */
  #afterOthers(connection: Connection, bus: string, key: string | null, now: number): number {
    const found = connection.prepare(this.#sql.sentLast).get(bus, key, now, now + mostSetBackMs);
    return (found as Pick<Standing, "due_at"> | null | undefined)?.due_at ?? now;
  }

  /** What comes next in a key, if it is due by then. */
  #behind(connection: Connection, bus: string, head: Claimable, latest: number): Claimable | undefined {
    const { key, due_at, place } = head;
    const found = connection.prepare(this.#sql.nextAtOnce).get(bus, key, due_at, place) ??
      (due_at < latest ? connection.prepare(this.#sql.nextLater).get(bus, key, due_at, latest) : undefined);
    return found == null ? undefined : { ...found as Omit<Claimable, "key">, key };
  }

  /** Whether what goes right before it in its key is leased by the same unit. */
  #follows(connection: Connection, bus: string, key: string | null, dueAt: number, mine: ReadonlySet<number>): boolean {
    if (mine.size === 0) return false;
    const found = connection.prepare(this.#sql.previous).get(bus, key, dueAt) as Standing | null | undefined;
    return found != null && mine.has(found.place);
  }

  /** The first of its key has gone: the next one is. */
  #promote(connection: Connection, { bus, key, waits }: Found, freed: Set<string>): void {
    if (key === null || waits !== 0) return;
    const first = this.#first(connection, bus, key);
    if (first === undefined) return;
    connection.prepare(this.#sql.setWaits).run(0, first.place);
    freed.add(fromText(bus));
  }

  #lease(found: Found, until: number): Leased<Row> {
    const { row, unreadable } = this.#read(found);
    return this.#leased.give(found.place, row, found.fence, found.attempts, until, unreadable);
  }

  #read(found: Found): Read<Row> {
    return readRow(this.#kind.table, found, this.#kind.read);
  }
}
