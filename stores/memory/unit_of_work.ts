/** A unit of work. @module */
import { ConflictError, DuplicateError, TransactionEndedError } from "../../src/errors/store.ts";
import type { Changes, Leased, OutboxRow, SagaRow, Scope, Unit } from "../../src/spi/store.ts";
import { type Database, inboxName, sagaName } from "./database.ts";
import type { Entry } from "./due_rows.ts";

/** What a unit needs of its store. */
export interface UnitHost {
  readonly name: string;
  readonly database: Database;
  now(): number;
  /** The unit is over. */
  ended(unit: MemoryUnit): void;
}

/** How long what a commit gives is leased where the scope does not say. */
const leaseMs = 30_000;

/** A unit of work in memory: holds its locks until the end, and writes all at once. */
export class MemoryUnit implements Unit<undefined> {
  readonly duplicates: readonly boolean[];
  readonly tx: undefined = undefined;
  readonly #host: UnitHost;
  readonly #scope: Scope;
  readonly #locks: string[];
  /** Of sagas: with one in hand, it waits for no other, so that no two units wait for each other. */
  #holdsSaga = false;
  readonly #failed = new Set<number>();
  #members: Promise<unknown> = Promise.resolve();
  #ended: (() => TransactionEndedError) | undefined;
  readonly #abort = (): void => this.end(this.#scope.signal.reason);

  /** @param locks that it holds, by name, and gives back */
  constructor(host: UnitHost, scope: Scope, locks: readonly string[], duplicates: readonly boolean[]) {
    this.#host = host;
    this.#scope = scope;
    this.#locks = [...locks];
    this.duplicates = duplicates;
    scope.signal.addEventListener("abort", this.#abort, { once: true });
  }

  async load(saga: string, id: string, lock: boolean): Promise<SagaRow | undefined> {
    this.#check();
    if (lock) await this.#lock(sagaName(this.#scope.bus, saga, id));
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
      this.#failed.delete(member);
      return result;
    } catch (error) {
      this.#failed.add(member);
      throw error;
    } finally {
      resolve();
    }
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async commit(changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    this.#check();
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
    if (this.#ended !== undefined) return;
    this.#ended = () => new TransactionEndedError(this.#host.name, cause === undefined ? undefined : { cause });
    this.#scope.signal.removeEventListener("abort", this.#abort);
    for (const lock of this.#locks) this.#host.database.locks.release(lock);
    this.#locks.length = 0;
    this.#host.ended(this);
  }

  get #rows(): ReturnType<Database["of"]> {
    return this.#host.database.of(this.#scope.bus);
  }

  #check(): void {
    if (this.#ended !== undefined) throw this.#ended();
  }

  async #lock(name: string): Promise<void> {
    if (this.#locks.includes(name)) return;
    const { locks } = this.#host.database;
    if (!locks.tryAcquire(name)) {
      if (this.#holdsSaga) return;
      await locks.acquire(name, this.#scope.signal);
      if (this.#ended !== undefined) {
        locks.release(name);
        throw this.#ended();
      }
    }
    this.#locks.push(name);
    this.#holdsSaga = true;
  }

  /** Who has locked it is to be first; of two who lock, and do not wait for each other, who commits first. */
  #checkLock(row: SagaRow | undefined): void {
    if (this.#holdsSaga || row === undefined) return;
    const { saga, id } = row;
    const name = sagaName(this.#scope.bus, saga, id);
    const { locks } = this.#host.database;
    if (!locks.tryAcquire(name)) throw new ConflictError(`saga ${saga} "${id}"`);
    locks.release(name);
  }

  #write({ sagas, outbox, schedules }: Changes): readonly Leased<OutboxRow>[] {
    const { database } = this.#host;
    const { bus, inbox } = this.#scope;
    const rows = this.#rows;
    const now = this.#host.now();
    const handled = inbox.filter((_, at) => !this.duplicates[at] && !this.#failed.has(at));
    for (const key of handled) {
      if (database.handled(inboxName(bus, key))) throw new DuplicateError(key.endpoint, key.messageId);
    }
    for (const { before, after } of sagas) this.#checkLock(before ?? after);
    rows.sagas.check(sagas);
    // Nothing fails from here on.
    for (const key of handled) database.record(inboxName(bus, key), key.keepUntil);
    rows.sagas.apply(sagas);
    const written: Entry<OutboxRow>[] = [];
    for (const row of outbox) {
      const entry = rows.outbox.add(row, now);
      if (entry !== undefined) written.push(entry);
    }
    const leased = rows.outbox.claimWritten(written, this.#scope.leaseMs ?? leaseMs, now);
    for (const change of schedules) {
      if ("cancel" in change) rows.schedules.remove(change.cancel);
      else {
        rows.schedules.remove(change.put.token);
        rows.schedules.add(change.put, now);
      }
    }
    if (outbox.length > 0) rows.outbox.changed();
    if (schedules.length > 0) rows.schedules.changed();
    return leased;
  }
}
