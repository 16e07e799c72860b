/** The units of work of a store. @module */
import { TransactionEndedError } from "../../src/errors/store.ts";
import type { Changes, InboxKey, MessageKey, OutboxRow } from "../../src/spi/rows.ts";
import type { Endable, Leased, Scope, Unit } from "../../src/spi/store.ts";
import { KeyedLocks } from "../../src/values/keyed_locks.ts";
import { type Awaitable, isPromise } from "../../src/values/awaitable.ts";
import { LinkedList } from "../../src/values/linked_list.ts";
import { none } from "../../src/values/none.ts";
import type { Database } from "./database.ts";
import { storeName } from "./errors.ts";
import { JoinedUnit, type JoinHost } from "./joined_unit.ts";
import type { JoinableUnit, Joined } from "./joining.ts";
import type { Known } from "./lookups.ts";
import type { SqlRow } from "./sql_client.ts";
import type { Statement } from "./statement.ts";
import type { Settings, StoreLife } from "./store_life.ts";
import type { Tables } from "./tables.ts";
import type { RunningUnit, UnitHost, Written } from "./unit_host.ts";
import { type LoadedInstance, PostgresUnit } from "./unit_of_work.ts";
import { keysOf, Writing } from "./writing.ts";

const nothing: Known = { handled: [], rows: [] };
/** Stands for each unit that has ended. */
const over: JoinableUnit = {
  join: () => {
    throw new TransactionEndedError(storeName);
  },
};

/** Begins them, gives them what they need, and ends those that are left. */
export class Units<Tx> implements UnitHost<Tx>, JoinHost {
  readonly locks: KeyedLocks = new KeyedLocks();
  readonly where: string;
  /** As {@linkcode JoinHost.stay}. */
  stay: Statement | undefined;
  readonly #tables: Tables;
  readonly #life: StoreLife<Tx>;
  readonly #writing: Writing;
  readonly #running = new LinkedList<RunningUnit>();
  /** By what their handlers write with. */
  readonly #byTx = new WeakMap<object, JoinableUnit>();

  constructor({ where, names: { channel } }: Settings<Tx>, tables: Tables, life: StoreLife<Tx>) {
    this.where = where;
    this.#tables = tables;
    this.#life = life;
    const committed = this.#committed.bind(this);
    this.#writing = new Writing({ where, channel, tables, now: () => life.now, committed });
  }

  /** As `Store.begin`. */
  async begin(scope: Scope): Promise<Unit<Tx>> {
    const { lookups, foresight } = this.#life.check("begin");
    const { bus, inbox } = scope;
    const start = new Start(scope);
    start.check();
    const names = inbox.map((each) => nameOf(bus, each));
    const held: string[] = [];
    try {
      // In one order, so that no two units wait for each other.
      for (const each of names.length > 1 ? [...new Set(names)].sort() : names) {
        if (!this.locks.tryAcquire(each)) await this.locks.acquire(each, scope.signal);
        held.push(each);
      }
      this.#life.check("begin");
      const foreseen = names.map((each) => foresight.take(each));
      const instances = scope.instances?.() ?? [];
      const known = inbox.length + instances.length === 0
        ? nothing
        : (instances.length === 0 ? await knownOf(foreseen) : undefined) ??
          await lookups.find({ keys: keysOf(bus, inbox), instances: instances.map((each) => ({ ...each, bus })) });
      start.check();
      this.#life.check("begin");
      const duplicates = names.map((each, at) => names.indexOf(each) < at || known.handled[at] === true);
      const loaded = instances.map((each, at) => ({ ...each, row: known.rows[at] }));
      return this.#begun(scope, held, duplicates, loaded);
    } catch (error) {
      start.forget();
      for (const each of held) this.locks.release(each);
      throw error;
    }
  }

  /** As `Store.beginNow`: of one message, which nobody in this process handles, and whose answer is there. */
  beginNow(scope: Scope): Unit<Tx> | undefined {
    const { foresight } = this.#life.check("begin");
    const { bus, inbox: [key, ...others] } = scope;
    if (key === undefined || others.length > 0 || scope.instances !== undefined) return undefined;
    const name = nameOf(bus, key);
    if (this.locks.has(name)) return undefined;
    const handled = foresight.takeNow(name);
    if (handled === undefined) return undefined;
    this.locks.tryAcquire(name);
    return this.#begun(scope, [name], [handled], none);
  }

  #begun(
    scope: Scope,
    held: readonly string[],
    duplicates: readonly boolean[],
    loaded: readonly LoadedInstance[],
  ): PostgresUnit<Tx> {
    const unit = new PostgresUnit(this, scope, held, duplicates, loaded);
    unit.link = this.#running.pushBack(unit);
    return unit;
  }

  /** As `Store.foresee`. */
  foresee(bus: string, messages: readonly MessageKey[]): void {
    const foresight = this.#life.ifOpen?.foresight;
    if (foresight === undefined) return;
    for (const each of messages) {
      const name = nameOf(bus, each);
      // Whoever has it is about to handle it.
      if (!this.locks.has(name)) foresight.expect(name, { ...each, bus });
    }
    foresight.look();
  }

  /** As `JoinableStore.join`. */
  join(tx: Tx, scope: Scope): Unit<Tx> {
    const { database } = this.#life.check("join a transaction");
    return new JoinedUnit(this, database.client.join(tx), tx, scope);
  }

  /** The unit of what `ctx.tx` gave; `undefined`: it is none of these. */
  of(tx: unknown): JoinableUnit | undefined {
    // A driver's transaction is an object, or a function with properties.
    return tx instanceof Object ? this.#byTx.get(tx) : undefined;
  }

  /** Ends all; resolves when what they had not committed is undone. */
  async end(cause: unknown): Promise<void> {
    const units = [...this.#running];
    for (const unit of units) unit.end(cause);
    await Promise.all(units.map((unit) => unit.over));
  }

  /** As {@linkcode UnitHost.database}. */
  get database(): Database<Tx> {
    return this.#life.check("go on").database;
  }

  /** As {@linkcode UnitHost.load}. */
  load(bus: string, saga: string, id: string, lock: boolean): Statement {
    return this.#tables.sagas.load(bus, saga, id, lock);
  }

  /** As {@linkcode UnitHost.find}. */
  find(bus: string, ...query: Parameters<Unit<unknown>["find"]>): Statement {
    return this.#tables.sagas.find(bus, ...query);
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
    begin: () => void,
  ): Promise<readonly Leased<OutboxRow>[]> | undefined {
    const unit = this.#writing.brief(scope, handled, changes);
    if (unit === undefined) return undefined;
    const until = this.#writing.until(scope);
    return this.#life.check("commit").shared.write(unit, begin)
      .then((found) => this.#committed(scope.bus, changes, found, until));
  }

  /** As {@linkcode UnitHost.shareJoined}. */
  shareJoined(
    scope: Scope,
    handled: readonly InboxKey[],
    changes: Changes,
    joined: readonly Joined[],
    begin: () => void,
  ): Promise<boolean> | undefined {
    const unit = this.#writing.joined(scope, handled, changes, joined);
    return unit && this.#life.check("commit").joined.write({ ...unit, begin });
  }

  /** As {@linkcode JoinHost.writeJoined}. */
  writeJoined(scope: Scope, changes: Changes): Written {
    return this.#writing.writeJoined(scope, changes);
  }

  /** As {@linkcode UnitHost.used}. */
  used(unit: RunningUnit, tx: Tx): void {
    if (tx instanceof Object) this.#byTx.set(tx, unit);
  }

  /** As {@linkcode UnitHost.ended}. */
  ended(unit: RunningUnit, tx: Tx | undefined): void {
    // V8's small collections take all values of a `WeakMap` for alive.
    if (tx instanceof Object) this.#byTx.set(tx, over);
    if (unit.link !== undefined) this.#running.remove(unit.link);
  }

  #committed(
    bus: string,
    { outbox, schedules }: Changes,
    found: readonly SqlRow[],
    until: number,
  ): readonly Leased<OutboxRow>[] {
    const { now, wakes } = this.#life;
    const leased = outbox.length === 0 ? [] : this.#tables.outbox.inserted(outbox, found, until);
    if (leased.length < outbox.length) {
      const others = outbox.map(({ dueAt }) => Math.max(dueAt, now));
      wakes.tell("outbox", bus, Math.min(...others));
    }
    if (leased.length > 0) wakes.tell("outbox", bus, until);
    if (schedules.length > 0) {
      // What was taken away may have held up another of its key.
      const times = schedules.map((change) => "put" in change ? Math.max(change.put.dueAt, now) : now);
      wakes.tell("schedules", bus, Math.min(...times));
    }
    return leased;
  }
}

/** Whether a unit is to end that has not begun yet. Where its scope tells, the signal need not be made. */
class Start implements Endable {
  readonly #scope: Scope;
  #over: { readonly cause: unknown } | undefined;

  constructor(scope: Scope) {
    this.#scope = scope;
    scope.listen?.(this);
  }

  /** As {@linkcode Endable.end}. */
  end(cause: unknown): void {
    this.#over ??= { cause };
  }
  /** @throws the signal's reason once it has aborted */
  check(): void {
    if (this.#over !== undefined) throw this.#over.cause;
    if (this.#scope.listen === undefined) this.#scope.signal.throwIfAborted();
  }
  forget(): void {
    this.#scope.forget?.(this);
  }
}

/** What is locked while a unit of a message runs. */
function nameOf(bus: string, { endpoint, messageId }: MessageKey): string {
  return `inbox ${bus.length} ${endpoint.length} ${bus} ${endpoint} ${messageId}`;
}

/** What was foreseen, if that is all. */
async function knownOf(foreseen: readonly Awaitable<boolean | undefined>[]): Promise<Known | undefined> {
  const handled: boolean[] = [];
  for (const each of foreseen) {
    const known = isPromise(each) ? await each : each;
    if (known === undefined) return undefined;
    handled.push(known);
  }
  return { handled, rows: [] };
}
