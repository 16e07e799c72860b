/** The store in a file. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { ClosedError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { Changes, InboxKey, OutboxRow, SagaRow, ScheduleRow } from "../../src/spi/rows.ts";
import type { Due, InUnit, Leased, SagaRecords, Scope, Store, StoreCapabilities, Unit } from "../../src/spi/store.ts";
import { transactionOf } from "../../src/spi/transaction.ts";
import type { Change, DeployMode, Host } from "../../src/spi/transport.ts";
import { elapsing } from "../../src/values/elapsing.ts";
import { LinkedList } from "../../src/values/linked_list.ts";
import type { Connection } from "./connection.ts";
import type { Files } from "./files.ts";
import { type Session, SqliteDue } from "./due.ts";
import { explainOwn, isBusy, storeName } from "./errors.ts";
import { tellOfFile } from "./file_status.ts";
import { Inbox } from "./inbox.ts";
import { Leases } from "./leases.ts";
import { Migrations } from "./migrations.ts";
import { tables } from "./migrations/0001_tables.ts";
import { sagaHistory } from "./migrations/0002_saga_history.ts";
import { cancelled } from "./migrations/0003_cancelled.ts";
import { putOff } from "./migrations/0004_put_off.ts";
import { Outbox } from "./outbox.ts";
import { SagaHistory } from "./saga_history.ts";
import { Sagas } from "./sagas.ts";
import { Schedules } from "./schedules.ts";
import type { SqliteTransaction } from "./transaction.ts";
import { SqliteUnit, type UnitHost } from "./unit_of_work.ts";
import { Writer } from "./writer.ts";

/** What a store is made with, checked. */
export interface Settings {
  readonly path: string;
  readonly synchronous: "full" | "normal";
  readonly prefix: string;
  readonly lockTimeoutMs: number;
}

/** One end of a file. */
export class SqliteStore implements Store<SqliteTransaction>, UnitHost {
  readonly name: string = storeName;
  /** Of its tables. */
  readonly prefix: string;
  readonly capabilities: StoreCapabilities = {
    atomic: "database",
    interactive: true,
    writers: 1,
    query: "indexed",
    wake: "poll", // other processes tell nothing
    maxOperations: Number.MAX_SAFE_INTEGER,
    maxBytes: 1_000_000_000, // of one row, https://www.sqlite.org/limits.html
  };
  readonly sagas: SagaRecords;
  readonly outbox: Due<OutboxRow>;
  readonly schedules: Due<ScheduleRow>;
  readonly #settings: Settings;
  readonly #files: Files;
  readonly #inbox: Inbox;
  readonly #sagas: Sagas;
  readonly #history: SagaHistory;
  readonly #leases: Leases;
  readonly #migrations: Migrations;
  readonly #tables: { readonly outbox: Outbox; readonly schedules: Schedules };
  readonly #due: { readonly outbox: SqliteDue<OutboxRow>; readonly schedules: SqliteDue<ScheduleRow> };
  /** No set: one that is emptied with every message keeps garbage alive until the next major collection. */
  readonly #units = new LinkedList<SqliteUnit>();
  readonly #end = new AbortController();
  #opening: Promise<Session> | undefined;
  #session: Session | undefined;
  /** How many buses have it open. */
  #users = 0;

  constructor(settings: Settings, files: Files) {
    this.#settings = settings;
    this.#files = files;
    const { prefix } = settings;
    this.prefix = prefix;
    this.#inbox = new Inbox(prefix);
    this.#sagas = new Sagas(prefix);
    this.#history = new SagaHistory(prefix);
    this.#leases = new Leases(prefix);
    this.#migrations = new Migrations(prefix, [tables, sagaHistory, cancelled, putOff]);
    this.#tables = { outbox: new Outbox(prefix), schedules: new Schedules(prefix) };
    const session = (doing: string): Session => this.#check(doing);
    this.#due = {
      outbox: new SqliteDue(`${prefix}outbox`, this.#tables.outbox, session),
      schedules: new SqliteDue(`${prefix}schedules`, this.#tables.schedules, session),
    };
    this.sagas = {
      count: async (...query) => await this.#check("count").read((reader) => this.#history.count(reader, ...query)),
      history: async (...query) => await this.#check("ask").read((reader) => this.#history.history(reader, ...query)),
      forget: async (...which) =>
        await this.#check("forget").writer.write((connection) => this.#history.forget(connection, ...which)),
    };
    this.outbox = this.#due.outbox;
    this.schedules = this.#due.schedules;
  }

  /** As {@linkcode UnitHost.session}. */
  get session(): Session {
    return this.#check("go on");
  }

  tx(context: InUnit): SqliteTransaction {
    return transactionOf(this, context);
  }

  async open(host: Host): Promise<void> {
    this.#end.signal.throwIfAborted();
    host.signal.throwIfAborted();
    this.#users++;
    try {
      await (this.#opening ??= this.#open(host.clock, host.signal));
    } catch (error) {
      this.#users--;
      this.#opening = undefined; // another bus may have more luck
      throw error;
    }
    this.#end.signal.throwIfAborted();
    tellOfFile(this.session.file, host.status, [host.signal, this.#end.signal]);
  }

  async deploy(mode: DeployMode): Promise<readonly Change[]> {
    const { writer, read } = this.#check("deploy");
    const plan = await read((reader) => this.#migrations.plan(reader));
    if (mode !== "apply" || !plan.some(({ kind }) => kind === "create")) return plan;
    return await writer.write((connection) => this.#migrations.apply(connection));
  }

  migrations(): readonly { readonly id: string; readonly script: string }[] {
    return this.#migrations.scripts();
  }

  /** Of one message, which nobody in this process handles. */
  beginNow(scope: Scope): Unit<SqliteTransaction> | undefined {
    const { file } = this.#check("begin");
    const { bus, inbox } = scope;
    const [key] = inbox;
    if (key === undefined || inbox.length > 1) return undefined;
    const lock = lockOf(bus, key);
    if (!file.locks.tryAcquire(lock)) return undefined;
    try {
      const unit = new SqliteUnit(this, scope, [lock], [this.#inbox.handled(file.idle, bus, key)]);
      unit.link = this.#units.pushBack(unit);
      return unit;
    } catch (error) {
      file.locks.release(lock);
      if (isBusy(error)) return undefined;
      throw explainOwn(error, file.path);
    }
  }

  async begin(scope: Scope): Promise<Unit<SqliteTransaction>> {
    const { file, read } = this.#check("begin");
    const { bus, inbox, signal } = scope;
    signal.throwIfAborted();
    const names = inbox.map((key) => lockOf(bus, key));
    const held: string[] = [];
    try {
      // In one order, so that no two units wait for each other.
      for (const each of [...new Set(names)].sort()) {
        if (!file.locks.tryAcquire(each)) await file.locks.acquire(each, signal);
        held.push(each);
      }
      this.#check("begin");
      const handled = inbox.length === 0
        ? []
        : await read((reader) => inbox.map((key) => this.#inbox.handled(reader, bus, key)));
      signal.throwIfAborted();
      const duplicates = names.map((each, at) => names.indexOf(each) < at || handled[at] === true);
      const unit = new SqliteUnit(this, scope, held, duplicates);
      unit.link = this.#units.pushBack(unit);
      return unit;
    } catch (error) {
      for (const each of held) file.locks.release(each);
      throw error;
    }
  }

  async lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined> {
    const { writer, clock } = this.#check("lease");
    return await writer.write((connection) => this.#leases.take(connection, name, owner, ms, clock.now()));
  }

  async sweep(limit: number): Promise<number> {
    const { writer, clock } = this.#check("sweep");
    return await writer.write((connection) =>
      Math.max(...[this.#inbox, this.#tables.schedules].map((each) => each.sweep(connection, limit, clock.now())))
    );
  }

  async close(): Promise<void> {
    if (this.#users > 1) {
      this.#users--;
      return;
    }
    if (this.#end.signal.aborted) return;
    this.#users = 0;
    const session = this.#session;
    // Of a store and of a transport alike, as all on one file share it.
    const closed = new ClosedError(`the SQLite file "${this.#settings.path}"`);
    for (const unit of [...this.#units]) unit.end(closed);
    this.#end.abort(closed);
    await this.#opening?.catch(() => {});
    if (session !== undefined) await this.#files.release(session.file);
  }

  /** As {@linkcode UnitHost.load}. */
  load(connection: Connection, bus: string, saga: string, id: string): SagaRow | undefined {
    return this.#sagas.load(connection, bus, saga, id);
  }

  /** As {@linkcode UnitHost.find}. */
  find(connection: Connection, bus: string, ...rest: Parameters<Unit<unknown>["find"]>): readonly SagaRow[] {
    return this.#sagas.find(connection, bus, ...rest);
  }

  /** As {@linkcode UnitHost.checkInbox}. */
  checkInbox(connection: Connection, bus: string, keys: readonly InboxKey[]): void {
    this.#inbox.check(connection, bus, keys);
  }

  /** As {@linkcode UnitHost.write}. */
  write(
    connection: Connection,
    { bus, leaseMs }: Scope,
    handled: readonly InboxKey[],
    { sagas, outbox, schedules }: Changes,
    alone: boolean,
  ): { readonly leased: readonly Leased<OutboxRow>[]; committed(): void } {
    const { file, clock } = this.session;
    const now = clock.now();
    if (!alone) this.#inbox.check(connection, bus, handled);
    this.#sagas.check(connection, bus, sagas);
    // Nothing refuses from here on.
    this.#inbox.record(connection, bus, handled);
    this.#sagas.apply(connection, bus, sagas);
    for (const { history = [] } of sagas) for (const row of history) this.#history.add(connection, bus, row);
    const { leased, freeAt } = this.#tables.outbox.write(connection, bus, outbox, leaseMs, now);
    const scheduledAt = this.#tables.schedules.write(connection, bus, schedules, now);
    return {
      leased,
      committed: () => {
        this.#due.outbox.changed(file, bus, freeAt);
        this.#due.schedules.changed(file, bus, scheduledAt);
      },
    };
  }

  /** As {@linkcode UnitHost.alone}. */
  get alone(): boolean {
    return this.#units.size === 1;
  }

  /** As {@linkcode UnitHost.ended}. */
  ended(unit: SqliteUnit): void {
    if (unit.link !== undefined) this.#units.remove(unit.link);
  }

  async #open(clock: Clock, signal: AbortSignal): Promise<Session> {
    const { path, synchronous, lockTimeoutMs } = this.#settings;
    const end = this.#end.signal;
    const time = elapsing(clock, clock.timeouts);
    const opening = { clock, time, signal: AbortSignal.any([signal, end]), lockTimeoutMs };
    const file = await this.#files.acquire(path, synchronous, opening);
    if (end.aborted) {
      await this.#files.release(file);
      throw end.reason;
    }
    const patience = { clock, time, signal: end, lockTimeoutMs };
    return this.#session = {
      file,
      clock,
      time,
      end,
      writer: new Writer(file, patience),
      read: (work) => file.read(work, patience),
    };
  }

  #check(doing: string): Session {
    this.#end.signal.throwIfAborted();
    if (this.#session !== undefined) return this.#session;
    throw new ConfigurationError(`Cannot ${doing}: the SQLite store is not open. Start its bus first`);
  }
}

/** Whoever handles a message holds the lock of this name. */
function lockOf(bus: string, { endpoint, messageId }: InboxKey): string {
  return `inbox ${JSON.stringify([bus, endpoint, messageId])}`;
}
