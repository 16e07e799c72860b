/** What a unit's commit sends. @module */
import { ConflictError, DuplicateError } from "../../src/errors/store.ts";
import type { Changes, InboxKey, OutboxRow } from "../../src/spi/rows.ts";
import type { Leased, Scope } from "../../src/spi/store.ts";
import type { Call } from "./cancelled.ts";
import type { Before } from "./due_table.ts";
import { explainJoined, explainOwn } from "./errors.ts";
import { mostBytes } from "./flights.ts";
import type { FreeUnit } from "./free_rows.ts";
import type { BusKey } from "./inbox.ts";
import type { JoinedWrite } from "./joined_commits.ts";
import type { Joined } from "./joining.ts";
import type { SqlRow } from "./sql_client.ts";
import { refused, type Statement } from "./statement.ts";
import type { Tables } from "./tables.ts";
import type { Written } from "./unit_host.ts";
import { UsualRow } from "./usual_row.ts";
import { notice, saying } from "./wakes.ts";

/** How long what a commit gives is leased where the scope does not say. */
const defaultLeaseMs = 30_000;

/** Where it writes, and what it tells. */
export interface WritingOptions {
  /** The database, as errors say it. */
  readonly where: string;
  readonly channel: string;
  readonly tables: Tables;
  /** By which leases are counted here. */
  readonly now: () => number;
  /** Told what became true; gives what of it is this process' to send, and until when. */
  readonly committed: (
    bus: string,
    changes: Changes,
    found: readonly SqlRow[],
    until: number,
  ) => readonly Leased<OutboxRow>[];
}

/** Makes statements of changes. */
export class Writing {
  readonly #with: WritingOptions;

  constructor(options: WritingOptions) {
    this.#with = options;
  }

  /** Until when rows are this process' own that leave now, by its clock: the database's may be another. */
  until({ leaseMs = defaultLeaseMs }: Scope): number {
    return this.#with.now() + leaseMs;
  }

  /** Records that they are handled. */
  record(bus: string, keys: readonly InboxKey[]): Pick<Written, "statements" | "explain"> {
    return {
      statements: keys.length === 0 ? [] : [this.#with.tables.inbox.record(keysOf(bus, keys))],
      explain: (error) => this.#meaning(explainOwn(error, this.#with.where), keys, []),
    };
  }

  /** All of a unit. */
  write(scope: Scope, handled: readonly InboxKey[], failed: readonly InboxKey[], changes: Changes): Written {
    const { bus, leaseMs = defaultLeaseMs } = scope;
    const { sagas, outbox, schedules } = changes;
    const until = this.until(scope);
    const statements: Statement[] = [];
    if (failed.length > 0) statements.push(this.#with.tables.inbox.forget(keysOf(bus, failed)));
    const [key, ...others] = handled;
    const free = outbox.every((row) => row.key === undefined);
    const brief = failed.length > 0 || sagas.length === 0 ? undefined : this.brief(scope, handled, changes);
    // Of several messages the statement would not refuse what was handled.
    if (brief?.change !== undefined && outbox.length < 2) {
      return {
        statements: [this.#with.tables.free.write(brief)],
        committed: ([found = []]) => this.#with.committed(bus, changes, found, until),
        explain: (error) => this.#meaning(error, handled, sagas),
      };
    }
    // One transaction without a BEGIN.
    const atOnce = key !== undefined && others.length === 0 && outbox.length > 0 && !free &&
      sagas.length + schedules.length === 0;
    if (key !== undefined && !atOnce) statements.push(this.#with.tables.inbox.record(keysOf(bus, handled)));
    if (sagas.length > 0) statements.push(...this.#change(bus, sagas));
    if (schedules.length > 0) statements.push(...this.#schedule(bus, schedules, true));
    const [row, ...more] = outbox;
    const { tables } = this.#with;
    const usual = row === undefined || more.length > 0 ? undefined : tables.usual.write(bus, row, leaseMs);
    if (usual !== undefined) statements.push(usual);
    else if (outbox.length > 0 && free) {
      const several = more.length > 0 ? tables.fresh.writeRows(bus, outbox, leaseMs) : undefined;
      const unit = { bus, key: undefined, change: undefined, rows: outbox, leaseMs };
      statements.push(several ?? tables.free.write(unit));
    } else if (outbox.length > 0) {
      const before: Before | undefined = atOnce
        ? {
          parts: `recorded AS (${this.#with.tables.inbox.recordingOne(6)}), `,
          values: this.#with.tables.inbox.one({ ...key, bus }),
        }
        : undefined;
      statements.push(this.#with.tables.outbox.insert(bus, outbox, leaseMs, true, before));
    }
    return {
      statements,
      committed: (results) => {
        const found = results.at(-1) ?? [];
        return this.#with.committed(bus, changes, usual && row ? UsualRow.written(row, found) : found, until);
      },
      explain: (error) => this.#meaning(error, handled, sagas),
    };
  }

  /**
   * What a unit has, if that is no more than an inbox record, one change of an instance's row, and messages for which
   * nothing is looked at: one statement, and so a transaction without a BEGIN.
   */
  brief(
    { bus, leaseMs = defaultLeaseMs }: Scope,
    handled: readonly InboxKey[],
    { sagas, outbox, schedules }: Changes,
  ): FreeUnit | undefined {
    const [[key, ...others], [change, ...more]] = [handled, sagas];
    if (others.length + more.length + schedules.length > 0 || outbox.some((row) => row.key !== undefined)) {
      return undefined;
    }
    if (change !== undefined && (key === undefined || !this.#with.tables.sagas.isBrief(change))) return undefined;
    if (key === undefined && outbox.length === 0) return undefined;
    return { bus, key: key && { ...key, bus }, change, rows: outbox, leaseMs };
  }

  /**
   * A unit with what has joined it, if that can be written with others, and if the unit has no more than inbox records and
   * changes of instances' rows.
   */
  joined(
    { bus }: Scope,
    handled: readonly InboxKey[],
    { sagas, outbox, schedules }: Changes,
    joined: readonly Joined[],
  ): Omit<JoinedWrite, "begin"> | undefined {
    const alike = joined[0]?.alike;
    let bytes = 0;
    for (const each of joined) bytes += each.bytes ?? 0;
    for (const { after } of sagas) bytes += after?.data.byteLength ?? 0;
    if (alike === undefined || bytes > mostBytes || joined.some((each) => each.alike !== alike)) return undefined;
    if (outbox.length + schedules.length > 0 || sagas.length > 0 && handled.length === 0) return undefined;
    if (!sagas.every((change) => this.#with.tables.sagas.isBrief(change))) return undefined;
    return { rows: { bus, keys: keysOf(bus, handled), changes: sagas }, alike, joined, bytes };
  }

  /** Within a transaction that others commit. */
  writeJoined({ bus }: Scope, { sagas, outbox, schedules }: Changes): Written {
    const statements: Statement[] = [];
    if (sagas.length > 0) statements.push(...this.#change(bus, sagas));
    if (schedules.length > 0) statements.push(...this.#schedule(bus, schedules, false));
    const { tables } = this.#with;
    // It is planned each time: the statement that looks at others of a row's key is dear to plan.
    if (outbox.every((row) => row.key === undefined && row.dueAt === 0)) {
      statements.push(...outbox.map((row) => tables.free.writeUnleased(bus, row)));
    } else statements.push(tables.outbox.insert(bus, outbox, undefined, false));
    // Said when it is committed, and not at all if it is not.
    if (outbox.length > 0) statements.push(saying(this.#with.channel, notice("outbox", bus)));
    if (schedules.length > 0) statements.push(saying(this.#with.channel, notice("schedules", bus)));
    return {
      statements,
      committed: () => [],
      explain: (error) => this.#meaning(explainJoined(error, this.#with.where), [], sagas),
    };
  }

  #change(bus: string, sagas: Changes["sagas"]): readonly Statement[] {
    const history = sagas.flatMap(({ history = [] }) => history);
    const rows = changed(sagas);
    const apply = rows.length === 0 ? [] : this.#with.tables.sagas.apply(bus, rows);
    return [...apply, ...this.#with.tables.history.add(bus, history)];
  }

  #schedule(bus: string, changes: Changes["schedules"], hold: boolean): readonly Statement[] {
    // Of each token, what is said of it last.
    const last = new Map(changes.map((change) => ["cancel" in change ? change.cancel : change.put.token, change]));
    const puts = [...last.values()].flatMap((change) => "put" in change ? [change.put] : []);
    const { schedules, cancelled } = this.#with.tables;
    const insert = puts.length === 0 ? [] : [schedules.insert(bus, puts, undefined, hold)];
    return [...cancelled.add(bus, callsOf(changes)), ...schedules.remove(bus, [...last.keys()]), ...insert];
  }

  /** What the refusal of a statement means. */
  #meaning(error: unknown, keys: readonly InboxKey[], sagas: Changes["sagas"]): unknown {
    const { inbox } = this.#with.tables;
    const key = keys[inbox.refused(error, keys) ?? -1];
    if (key !== undefined) return new DuplicateError(key.endpoint, key.messageId);
    // Which of several, a driver or the rights on the table may hide.
    if (inbox.isRefusal(error)) return new ConflictError("which of its messages are handled", { cause: error });
    const change = changed(sagas)[refused(error, "conflict") ?? -1];
    const row = change?.before ?? change?.after;
    return row === undefined ? error : new ConflictError(`saga ${row.saga} "${row.id}"`);
  }
}

/** Keys of a bus. */
export function keysOf(bus: string, keys: readonly InboxKey[]): readonly BusKey[] {
  return keys.map((key) => ({ ...key, bus }));
}

/** Those of which something is to be there before or after. */
function changed(sagas: Changes["sagas"]): Changes["sagas"] {
  return sagas.filter(({ before, after }) => before !== undefined || after !== undefined);
}

/** Those that are taken back, and were not scheduled by the same unit. */
function callsOf(changes: Changes["schedules"]): readonly Call[] {
  const own = new Set(changes.map((change) => "put" in change ? change.put.group : undefined));
  return changes.flatMap((change) =>
    "put" in change || change.group === undefined || own.has(change.group)
      ? []
      : [{ token: change.cancel, group: change.group }]
  );
}
