/** A unit of work. @module */
import { ConflictError, TransactionEndedError } from "../../src/errors/store.ts";
import type { Changes, InboxKey, OutboxRow, SagaRow } from "../../src/spi/rows.ts";
import type { Leased, Scope, Unit } from "../../src/spi/store.ts";
import { type Awaitable, isPromise } from "../../src/values/awaitable.ts";
import { none } from "../../src/values/none.ts";
import { type BusRows, type Database, sagaName } from "./database.ts";
import type { Entry } from "./due_rows.ts";
import type { Handling } from "./inbox.ts";

/** What a unit needs of its store. */
export interface UnitHost {
  readonly name: string;
  readonly database: Database;
  /** Aborts when the store is closed. */
  readonly end: AbortSignal;
  /** Those to be ended then: the others look at it by themselves. */
  readonly listening: Set<MemoryUnit>;
  now(): number;
}

/** How long what a commit gives is leased where the scope does not say. */
const leaseMs = 30_000;
/** Of a unit that is about one message. */
const fresh: readonly boolean[] = Object.freeze([false]);
const known: readonly boolean[] = Object.freeze([true]);

/**
 * A unit of work in memory: holds its locks until the end, and writes all at once. It ends with its signal or its store,
 * but looks at them when it is asked for something, and only listens to them while it may keep others waiting: to be
 * told costs more than all else that a unit does.
 */
export class MemoryUnit implements Unit<undefined>, Handling {
  readonly tx: undefined = undefined;
  duplicates: readonly boolean[] = [];
  readonly #host: UnitHost;
  readonly #scope: Scope;
  readonly #rows: BusRows;
  /** Of sagas: with one in hand, it waits for no other, so that no two units wait for each other. */
  #locks: string[] | undefined;
  #failed: Set<number> | undefined;
  #members: Promise<unknown> | undefined;
  #begun = false;
  #awaited = false;
  #committed = false;
  #over = false;
  #cause: unknown;
  #listener: (() => void) | undefined;

  constructor(host: UnitHost, scope: Scope) {
    this.#host = host;
    this.#scope = scope;
    this.#rows = host.database.of(scope.bus);
  }

  /** Takes its message, if it is about one; false, and it has none: that would have to wait. */
  tryEnter(): boolean {
    const { inbox } = this.#scope;
    const [key] = inbox;
    if (key === undefined || inbox.length > 1) return false;
    const entered = this.#rows.inbox(key.endpoint).tryEnter(key, this);
    if (entered !== undefined) this.#begin(entered ? fresh : known);
    return entered !== undefined;
  }

  /** Takes its messages, once no other unit has them. Where that fails it has none. */
  enter(): Awaitable<void> {
    const { inbox } = this.#scope;
    const [key] = inbox;
    if (key === undefined) return this.#begin([]);
    if (inbox.length > 1) return this.#enterAll(inbox);
    const entered = this.#rows.inbox(key.endpoint).enter(key, this, this.#scope);
    if (isPromise(entered)) return entered.then((first) => this.#begin(first ? fresh : known));
    this.#begin(entered ? fresh : known);
  }

  async #enterAll(inbox: readonly InboxKey[]): Promise<void> {
    const duplicates = inbox.map(() => true);
    this.duplicates = duplicates;
    // In one order, so that no two units wait for each other.
    const order = [...inbox.keys()].sort((a, b) => compare(inbox[a]!, inbox[b]!)); // within it
    try {
      for (const [place, at] of order.entries()) {
        const key = inbox[at]!; // as above
        const before = inbox[order[place - 1] ?? -1];
        if (before !== undefined && compare(before, key) === 0) continue;
        const entered = this.#rows.inbox(key.endpoint).enter(key, this, this.#scope);
        duplicates[at] = !(isPromise(entered) ? await entered : entered);
      }
    } catch (error) {
      this.end();
      throw error;
    }
    this.#begin(duplicates);
  }

  #begin(duplicates: readonly boolean[]): void {
    this.duplicates = duplicates;
    this.#begun = true;
    if (this.#awaited) this.#listen();
  }

  awaited(): void {
    this.#awaited = true;
    // Before, it waits with the signal itself.
    if (this.#begun) this.#listen();
  }
  #listen(): void {
    if (this.#listener !== undefined || this.#look()) return;
    // Not assigned as it is made: V8 makes such a function in the old generation, where it keeps this unit.
    const listener = (): void => void this.#look();
    this.#listener = listener;
    this.#scope.signal.addEventListener("abort", listener);
    this.#host.listening.add(this);
  }
  /** Whether it is over, also by its signal or its store. */
  #look(): boolean {
    if (this.#over) return true;
    const { signal } = this.#scope;
    const { end } = this.#host;
    if (signal.aborted) this.end(signal.reason);
    else if (end.aborted) this.end(end.reason);
    return this.#over;
  }
  #check(): void {
    if (this.#look()) throw this.#error();
  }
  #error(): TransactionEndedError {
    const cause = this.#cause;
    return new TransactionEndedError(this.#host.name, cause === undefined ? undefined : { cause });
  }

  load(saga: string, id: string, lock: boolean): Promise<SagaRow | undefined> {
    if (this.#look()) return Promise.reject(this.#error());
    return lock ? this.#lockAndLoad(saga, id) : Promise.resolve(this.#rows.sagas.load(saga, id));
  }
  loadNow(saga: string, id: string): SagaRow | undefined {
    if (this.#over) throw this.#error();
    return this.#rows.sagas.load(saga, id);
  }
  async #lockAndLoad(saga: string, id: string): Promise<SagaRow | undefined> {
    await this.#lock(sagaName(this.#scope.bus, saga, id));
    return this.#rows.sagas.load(saga, id);
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async find(
    saga: string,
    where: Readonly<Record<string, string>>,
    after: string | undefined,
    limit: number,
  ): Promise<readonly SagaRow[]> {
    this.#check();
    return this.#rows.sagas.find(saga, where, after, limit);
  }

  async savepoint<Result>(member: number, work: () => Promise<Result>): Promise<Result> {
    this.#check();
    const before = this.#members;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#members = promise;
    await before;
    try {
      this.#check();
      const result = await work();
      this.#failed?.delete(member);
      return result;
    } catch (error) {
      (this.#failed ??= new Set()).add(member);
      throw error;
    } finally {
      resolve();
    }
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async commit(changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    this.#check();
    return this.commitNow(changes);
  }
  commitNow(changes: Changes): readonly Leased<OutboxRow>[] {
    if (this.#over) throw this.#error();
    try {
      return this.#write(changes);
    } finally {
      this.end();
    }
  }

  rollback(): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  /** Gives all back; what comes later rejects. */
  end(cause?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#cause = cause;
    if (this.#listener !== undefined) {
      this.#scope.signal.removeEventListener("abort", this.#listener);
      this.#host.listening.delete(this);
    }
    if (!this.#committed) this.#leave();
    if (this.#locks !== undefined) {
      for (const lock of this.#locks) this.#host.database.locks.release(lock);
      this.#locks = undefined;
    }
  }

  #leave(): void {
    const { inbox } = this.#scope;
    for (let at = 0; at < inbox.length; at++) {
      if (this.duplicates[at] === false) this.#rows.inbox(inbox[at]!.endpoint).leave(inbox[at]!.messageId);
    }
  }

  async #lock(name: string): Promise<void> {
    if (this.#locks?.includes(name)) return;
    const { locks } = this.#host.database;
    if (!locks.tryAcquire(name)) {
      if (this.#locks !== undefined) return;
      await locks.acquire(name, this.#scope.signal);
      if (this.#look()) {
        locks.release(name);
        throw this.#error();
      }
    }
    (this.#locks ??= []).push(name);
    // Who waits for it says so to nobody.
    this.#listen();
  }

  /** Who has locked it is to be first; of two who lock, and do not wait for each other, who commits first. */
  #checkLock(row: SagaRow | undefined): void {
    if (this.#locks !== undefined || row === undefined) return;
    const { saga, id } = row;
    const name = sagaName(this.#scope.bus, saga, id);
    const { locks } = this.#host.database;
    if (!locks.tryAcquire(name)) throw new ConflictError(`saga ${saga} "${id}"`);
    locks.release(name);
  }

  #write({ sagas, outbox, schedules }: Changes): readonly Leased<OutboxRow>[] {
    const { inbox } = this.#scope;
    const rows = this.#rows;
    if (this.#host.database.locks.size > 0) { for (const { before, after } of sagas) this.#checkLock(before ?? after); }
    rows.sagas.check(sagas);
    // Nothing fails from here on. Nobody else has handled its messages: it has them until now.
    this.#committed = true;
    for (let at = 0; at < inbox.length; at++) {
      if (this.duplicates[at] !== false) continue;
      const key = inbox[at]!; // within it
      if (this.#failed?.has(at)) rows.inbox(key.endpoint).leave(key.messageId);
      else rows.inbox(key.endpoint).record(key);
    }
    rows.sagas.apply(sagas);
    return outbox.length + schedules.length === 0 ? none : this.#writeDue(outbox, schedules);
  }

  #writeDue(outbox: Changes["outbox"], schedules: Changes["schedules"]): readonly Leased<OutboxRow>[] {
    const rows = this.#rows;
    const now = this.#host.now();
    const written: Entry<OutboxRow>[] = [];
    for (const row of outbox) {
      const entry = rows.outbox.add(row, now);
      if (entry !== undefined) written.push(entry);
    }
    const leased = rows.outbox.claimWritten(written, this.#scope.leaseMs ?? leaseMs, now);
    for (const change of schedules) {
      if ("cancel" in change) {
        // Another call's row may have been there: the one that is meant can still come.
        if (rows.schedules.remove(change.cancel)?.group !== change.group) rows.cancelled.add(change, now);
      } else {
        rows.schedules.remove(change.put.token);
        if (!rows.cancelled.has(change.put)) rows.schedules.add(change.put, now);
      }
    }
    if (outbox.length > 0) rows.outbox.changed();
    if (schedules.length > 0) rows.schedules.changed();
    return leased;
  }
}

/** By endpoint, then by message. */
function compare(a: InboxKey, b: InboxKey): number {
  if (a.endpoint !== b.endpoint) return a.endpoint < b.endpoint ? -1 : 1;
  return a.messageId === b.messageId ? 0 : a.messageId < b.messageId ? -1 : 1;
}
