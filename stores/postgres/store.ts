/** The store in a PostgreSQL database. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { ClosedError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type {
  Changes,
  Due,
  InboxKey,
  InUnit,
  JoinableStore,
  Leased,
  OutboxRow,
  SagaRecords,
  ScheduleRow,
  Scope,
  StoreCapabilities,
  Unit,
} from "../../src/spi/store.ts";
import { transactionOf } from "../../src/spi/transaction.ts";
import type { Change, DeployMode, Host } from "../../src/spi/transport.ts";
import { KeyedLocks } from "../../src/values/keyed_locks.ts";
import { connected } from "./connecting.ts";
import { Database } from "./database.ts";
import { PostgresDue, type Session } from "./due.ts";
import { DueTable } from "./due_table.ts";
import { explainOwn, storeName } from "./errors.ts";
import { FreeRows } from "./free_rows.ts";
import { Inbox } from "./inbox.ts";
import { JoinedUnit, type JoinHost } from "./joined_unit.ts";
import type { JoinableUnit } from "./joining.ts";
import { Leases } from "./leases.ts";
import { Listener } from "./listener.ts";
import { Lookups } from "./lookups.ts";
import { Migrations } from "./migrations.ts";
import { tables } from "./migrations/0001_tables.ts";
import { sagaHistory } from "./migrations/0002_saga_history.ts";
import type { Names } from "./names.ts";
import { historyOf, SagaHistory } from "./saga_history.ts";
import { Sagas } from "./sagas.ts";
import { SharedCommits } from "./shared_commits.ts";
import type { SqlClient, SqlRow } from "./sql_client.ts";
import type { Statement } from "./statement.ts";
import { PostgresUnit, type UnitHost, type Written } from "./unit_of_work.ts";
import { readNotice, Wakes } from "./wakes.ts";
import { keysOf, Writing } from "./writing.ts";

/** What a store is made with, checked. */
export interface Settings<Tx> {
  /** Loads the driver; connects to nothing. */
  readonly load: () => Promise<SqlClient<Tx>>;
  /** The database, as errors say it: without a password. */
  readonly where: string;
  readonly names: Names;
  /** The most units that write at once. */
  readonly max: number;
  readonly listen: boolean;
  readonly pollMs: number;
}

/** What is there while it is open. */
export interface Open<Tx> extends Session {
  readonly database: Database<Tx>;
  readonly lookups: Lookups;
  readonly shared: SharedCommits;
}

/** One end of a database. */
export class PostgresStore<Tx> implements JoinableStore<Tx>, UnitHost<Tx>, JoinHost {
  readonly name: string = storeName;
  readonly capabilities: StoreCapabilities;
  readonly sagas: SagaRecords;
  readonly outbox: Due<OutboxRow>;
  readonly schedules: Due<ScheduleRow>;
  readonly locks: KeyedLocks = new KeyedLocks();
  readonly where: string;
  readonly #settings: Settings<Tx>;
  readonly #inbox: Inbox;
  readonly #sagas: Sagas;
  readonly #leases: Leases;
  readonly #migrations: Migrations;
  readonly #outbox: DueTable<OutboxRow>;
  readonly #schedules: DueTable<ScheduleRow>;
  readonly #free: FreeRows;
  readonly #writing: Writing;
  readonly #units = new Set<PostgresUnit<Tx>>();
  /** By what their handlers write with. */
  readonly #byTx = new WeakMap<object, PostgresUnit<Tx>>();
  readonly #wakes = new Wakes();
  readonly #end = new AbortController();
  #opening: Promise<Open<Tx>> | undefined;
  #open: Open<Tx> | undefined;
  #listener: Listener | undefined;
  /** Of the buses that have it open. */
  readonly #hosts: Host[] = [];
  #down = false;

  constructor(settings: Settings<Tx>) {
    this.#settings = settings;
    const { names, where, max, listen } = settings;
    this.where = where;
    this.capabilities = {
      atomic: "database",
      interactive: true,
      writers: max,
      query: "indexed",
      wake: listen ? "push" : "poll",
      maxOperations: Number.MAX_SAFE_INTEGER,
      maxBytes: 2 ** 28, // a value has 1 GB at most, and bytes travel as text
    };
    this.#inbox = new Inbox(names);
    this.#sagas = new Sagas(names);
    const history = new SagaHistory(names);
    this.#leases = new Leases(names);
    this.#migrations = new Migrations(names, [tables, sagaHistory]);
    this.#outbox = new DueTable(names, "outbox");
    this.#schedules = new DueTable(names, "schedules");
    this.#free = new FreeRows(names, this.#inbox);
    this.#writing = new Writing({
      where,
      channel: names.channel,
      inbox: this.#inbox,
      sagas: this.#sagas,
      history,
      outbox: this.#outbox,
      schedules: this.#schedules,
      free: this.#free,
      committed: (...what) => this.#committed(...what),
    });
    const session = (doing: string): Session => this.#check(doing);
    this.sagas = {
      count: async (...query) => {
        const { database } = this.#check("count");
        const [found] = await database.query(history.count(...query));
        return Number(found?.[0]);
      },
      history: async (...query) => {
        const { database } = this.#check("ask");
        return (await database.query(history.history(...query))).map(historyOf);
      },
    };
    this.outbox = new PostgresDue(this.#outbox, session);
    this.schedules = new PostgresDue(this.#schedules, session);
  }

  /** As {@linkcode UnitHost.database}. */
  get database(): Database<Tx> {
    return this.#check("go on").database;
  }

  /** How its tables are called. */
  get names(): Names {
    return this.#settings.names;
  }
  /** What is there while it is open, for a transport in the same database. */
  get session(): Open<Tx> {
    return this.#check("go on");
  }
  /** The unit of what `ctx.tx` gave; `undefined`: it is none of this store's. */
  unitOf(tx: unknown): JoinableUnit | undefined {
    // A driver's transaction is an object, or a function with properties.
    return tx instanceof Object ? this.#byTx.get(tx) : undefined;
  }

  tx(context: InUnit): Tx {
    return transactionOf(this, context);
  }

  async open(host: Host): Promise<void> {
    this.#end.signal.throwIfAborted();
    host.signal.throwIfAborted();
    this.#hosts.push(host);
    try {
      await (this.#opening ??= this.#connect(host.clock, host.signal));
    } catch (error) {
      this.#hosts.splice(this.#hosts.indexOf(host), 1);
      this.#opening = undefined; // another bus may have more luck
      throw error;
    }
    this.#end.signal.throwIfAborted();
    host.status({ state: "up" });
  }

  async deploy(mode: DeployMode): Promise<readonly Change[]> {
    const { database } = this.#check("deploy");
    const plan = await database.watch(this.#migrations.plan(database.client), explainOwn);
    if (mode !== "apply" || !plan.some(({ kind }) => kind === "create")) return plan;
    const connection = await database.connect(database.end);
    try {
      await connection.query("BEGIN");
      const changes = await this.#migrations.apply(connection);
      await connection.query("COMMIT");
      connection.release();
      return changes;
    } catch (error) {
      connection.release(true); // which undoes what it began
      throw explainOwn(error, this.where);
    }
  }

  migrations(): readonly { readonly id: string; readonly script: string }[] {
    return this.#migrations.scripts();
  }

  async begin(scope: Scope): Promise<Unit<Tx>> {
    const { lookups } = this.#check("begin");
    const { bus, inbox, signal } = scope;
    signal.throwIfAborted();
    const names = inbox.map(({ endpoint, messageId }) => `inbox ${JSON.stringify([bus, endpoint, messageId])}`);
    const held: string[] = [];
    try {
      // In one order, so that no two units wait for each other.
      for (const each of [...new Set(names)].sort()) {
        if (!this.locks.tryAcquire(each)) await this.locks.acquire(each, signal);
        held.push(each);
      }
      this.#check("begin");
      const handled = inbox.length === 0 ? [] : await lookups.find(keysOf(bus, inbox));
      signal.throwIfAborted();
      this.#check("begin");
      const duplicates = names.map((each, at) => names.indexOf(each) < at || handled[at] === true);
      const unit = new PostgresUnit(this, scope, held, duplicates);
      this.#units.add(unit);
      return unit;
    } catch (error) {
      for (const each of held) this.locks.release(each);
      throw error;
    }
  }

  join(tx: Tx, scope: Scope): Unit<Tx> {
    const { database } = this.#check("join a transaction");
    return new JoinedUnit(this, database.client.join(tx), tx, scope);
  }

  async lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined> {
    const { database } = this.#check("lease");
    const [found] = await database.query(this.#leases.take(name, owner, ms));
    return found === undefined ? undefined : { fence: Number(found[0]) };
  }

  async sweep(limit: number): Promise<number> {
    const { database } = this.#check("sweep");
    return (await database.query(this.#inbox.sweep(limit))).length;
  }

  async close(): Promise<void> {
    if (this.#hosts.length > 1) {
      this.#hosts.pop();
      return;
    }
    if (this.#end.signal.aborted) return await this.#closed;
    this.#hosts.length = 0;
    const closed = new ClosedError(`the store "${storeName}"`);
    const units = [...this.#units];
    for (const unit of units) unit.end(closed);
    this.#end.abort(closed);
    this.#closed = this.#close(units);
    await this.#closed;
  }
  #closed: Promise<void> | undefined;

  async #close(units: readonly PostgresUnit<Tx>[]): Promise<void> {
    const open = await this.#opening?.catch(() => undefined);
    await Promise.all(units.map((unit) => unit.over));
    await this.#listener?.ended();
    await open?.database.client.close();
  }

  /** As {@linkcode UnitHost.load}. */
  load(bus: string, saga: string, id: string, lock: boolean): Statement {
    return this.#sagas.load(bus, saga, id, lock);
  }

  /** As {@linkcode UnitHost.find}. */
  find(bus: string, ...query: Parameters<Unit<unknown>["find"]>): Statement {
    return this.#sagas.find(bus, ...query);
  }

  /** As {@linkcode UnitHost.record}. */
  record(bus: string, keys: readonly InboxKey[]): Pick<Written, "statements" | "explain"> {
    return this.#writing.record(bus, keys);
  }

  /** As {@linkcode UnitHost.write}. */
  write(scope: Scope, handled: readonly InboxKey[], failed: readonly InboxKey[], changes: Changes): Written {
    return this.#writing.write(scope, handled, failed, changes);
  }

  /** As {@linkcode UnitHost.share}. */
  share(
    scope: Scope,
    handled: readonly InboxKey[],
    changes: Changes,
  ): Promise<readonly Leased<OutboxRow>[]> | undefined {
    const unit = this.#writing.alone(scope, handled, changes);
    if (unit === undefined) return undefined;
    return this.#check("commit").shared.write(unit, scope.signal)
      .then((found) => this.#committed(scope.bus, changes, found));
  }

  /** As {@linkcode JoinHost.writeJoined}. */
  writeJoined(scope: Scope, changes: Changes): Written {
    return this.#writing.writeJoined(scope, changes);
  }

  /** As {@linkcode UnitHost.used}. */
  used(unit: PostgresUnit<Tx>, tx: Tx): void {
    if (tx instanceof Object) this.#byTx.set(tx, unit);
  }

  /** As {@linkcode UnitHost.ended}. */
  ended(unit: PostgresUnit<Tx>): void {
    this.#units.delete(unit);
  }

  #committed(bus: string, { outbox, schedules }: Changes, found: readonly SqlRow[]): readonly Leased<OutboxRow>[] {
    const now = this.#open?.database.clock.now() ?? 0;
    const leased = outbox.length === 0 ? [] : this.#outbox.inserted(outbox, found);
    if (leased.length < outbox.length) {
      const others = outbox.map(({ dueAt }) => Math.max(dueAt, now));
      this.#wakes.tell("outbox", bus, Math.min(...others));
    }
    if (leased.length > 0) this.#wakes.tell("outbox", bus, leased[0]!.until); // there is one
    if (schedules.length > 0) {
      // What was taken away may have held up another of its key.
      const times = schedules.map((change) => "put" in change ? Math.max(change.put.dueAt, now) : now);
      this.#wakes.tell("schedules", bus, Math.min(...times));
    }
    return leased;
  }

  async #connect(clock: Clock, signal: AbortSignal): Promise<Open<Tx>> {
    const { load, names, pollMs, listen } = this.#settings;
    const end = this.#end.signal;
    const client = await load();
    const database = new Database(client, this.where, clock, end, (error) => this.#report(error));
    try {
      await connected(database, AbortSignal.any([signal, end]));
    } catch (error) {
      await client.close();
      throw error;
    }
    const say = (text: string) => listen ? database.query(this.#writing.saying(text)) : Promise.resolve();
    const wakes = this.#wakes;
    const lookups = new Lookups(async (keys) => await database.query(this.#inbox.find(keys)));
    if (listen && client.listen !== undefined) {
      this.#listener = new Listener({
        listen: (channel, heard) => client.listen!(channel, heard), // seen above
        channel: names.channel,
        clock,
        say,
        heard: (text) => {
          const [table, bus] = readNotice(text) ?? ["", ""];
          wakes.tell(table, bus, clock.now());
        },
        end,
      });
      this.#listener.start();
    }
    const shared = new SharedCommits(
      ({ text, values }) => database.watch(client.query(text, values), (error) => error),
      this.where,
      this.#free,
    );
    return this.#open = { database, wakes, pollMs, say, lookups, shared };
  }

  #report(error: Error | undefined): void {
    if (this.#down === (error !== undefined)) return;
    this.#down = error !== undefined;
    for (const { status } of this.#hosts) {
      status(error === undefined ? { state: "up" } : { state: "down", cause: error });
    }
  }

  #check(doing: string): Open<Tx> {
    this.#end.signal.throwIfAborted();
    if (this.#open !== undefined) return this.#open;
    throw new ConfigurationError(`Cannot ${doing}: the PostgreSQL store is not open. Start its bus first`);
  }
}
