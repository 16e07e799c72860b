/** A unit of work. @module */
import { ConflictError, StoreReadOnlyError, TransactionEndedError } from "../../src/errors/store.ts";
import type { Changes, InboxKey, InstanceKey, OutboxRow, SagaRow } from "../../src/spi/rows.ts";
import type { Leased, Scope, Unit } from "../../src/spi/store.ts";
import { Ending } from "../../src/values/ending.ts";
import { HeldLocks } from "../../src/values/held_locks.ts";
import type { Link } from "../../src/values/linked_list.ts";
import { none } from "../../src/values/none.ts";
import { explain, explainOwn, isAborted, isLost, madeReadOnly, storeName } from "./errors.ts";
import { type Joined, Joining } from "./joining.ts";
import { Members } from "./members.ts";
import { sagaOf } from "./sagas.ts";
import type { SqlConnection, SqlRow, UseTransaction } from "./sql_client.ts";
import type { Statement } from "./statement.ts";
import { Turns } from "./turns.ts";
import type { RunningUnit, UnitHost } from "./unit_host.ts";
import { type TransactionOwner, UnitTransaction } from "./unit_transaction.ts";

/** An instance as it was when a unit began. */
export interface LoadedInstance extends InstanceKey {
  /** As the database has given it; `undefined`: it was not there. */
  readonly row: SqlRow | undefined;
}

/** What is done on a unit's connection. */
type Work<Tx, Result> = (connection: SqlConnection<Tx>) => Result | PromiseLike<Result>;

/** A unit of work: a transaction from the first use of `tx` on, else one flight at the end. */
export class PostgresUnit<Tx> implements Unit<Tx>, RunningUnit, TransactionOwner {
  readonly duplicates: readonly boolean[];
  readonly #host: UnitHost<Tx>;
  readonly #scope: Scope;
  readonly #locks: HeldLocks;
  readonly #loaded: readonly LoadedInstance[];
  // Few units have these.
  #joining: Joining | undefined;
  #members: Members | undefined;
  /** From the first use on. */
  #transaction: UnitTransaction<Tx> | undefined;
  /** `commit` was called: nothing more is taken. */
  #closing = false;
  /** Why what comes later is refused. Made into an error when that happens: most units end unasked. */
  #ended: { readonly cause: unknown } | undefined;
  #tx: Tx | undefined;
  /** What another was first with, as a statement was told: the transaction has failed by it, unless one succeeds since. */
  #conflict: ConflictError | undefined;
  /** Under way on other connections than the commit will be: it must not pass them. */
  #reads: Set<Promise<unknown>> | undefined;
  /** Of statements behind what has to be done first. */
  #turns: Turns | undefined;
  #rolledBack: Promise<void> = Promise.resolve();
  /** Where the scope has to be listened at. */
  readonly #abort: Ending | undefined;
  /** As {@linkcode RunningUnit.link}. */
  link: Link<RunningUnit> | undefined;

  /**
   * @param locks that it holds, by name, and gives back
   * @param loaded instances that were asked for with its inbox keys
   */
  constructor(
    host: UnitHost<Tx>,
    scope: Scope,
    locks: readonly string[],
    duplicates: readonly boolean[],
    loaded: readonly LoadedInstance[],
  ) {
    this.#loaded = loaded;
    this.#host = host;
    this.#scope = scope;
    this.#locks = new HeldLocks(host.locks, locks);
    this.duplicates = duplicates;
    if (scope.listen !== undefined) scope.listen(this);
    else scope.signal.addEventListener("abort", this.#abort = new Ending(this), { once: true });
  }

  /** As {@linkcode TransactionOwner.signal}. */
  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  get tx(): Tx {
    const use: UseTransaction<Tx> = (work, before) => this.#use(({ tx }) => work(tx), explain, before);
    if (this.#tx === undefined) {
      this.#tx = this.#host.database.client.defer(use);
      this.#host.used(this, this.#tx);
    }
    return this.#tx;
  }

  async load(saga: string, id: string, lock: boolean): Promise<SagaRow | undefined> {
    this.#check();
    const loaded = lock ? undefined : this.#loaded.find((each) => each.id === id && each.saga === saga);
    if (loaded !== undefined) return loaded.row && sagaOf(loaded.row);
    const { bus } = this.#scope;
    // Within the process, whoever waits holds no connection.
    if (lock && this.#transaction === undefined) {
      await this.#locks.lockSaga(bus, saga, id, this.#scope.signal);
      this.checkEnd();
    }
    const { text, values } = this.#host.load(bus, saga, id, lock);
    const [found] =
      await (lock
        ? this.#use((connection) => connection.query(text, values), explainOwn)
        : this.#read({ text, values }));
    return found === undefined ? undefined : sagaOf(found);
  }

  async find(...query: Parameters<Unit<unknown>["find"]>): Promise<readonly SagaRow[]> {
    this.#check();
    return (await this.#read(this.#host.find(this.#scope.bus, ...query))).map(sagaOf);
  }

  async savepoint<Result>(number: number, work: () => Promise<Result>): Promise<Result> {
    this.#check();
    this.#members ??= new Members({
      send: (...texts) => this.#transaction?.send(...texts),
      run: async (text) => await this.#transaction?.run(text),
      check: () => this.checkEnd(),
    });
    try {
      return await this.#members.run(number, () => this.#withAll(work));
    } catch (error) {
      throw this.#conflictOr(error);
    }
  }

  /** What was called in it is sent when it has ended. */
  async #withAll<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } finally {
      if (this.#turns?.last !== undefined) await this.#turns.last;
    }
  }

  /** As {@linkcode RunningUnit.join}. */
  join(joined: Joined): void {
    this.#check();
    (this.#joining ??= new Joining()).add(joined);
  }

  /** As {@linkcode Unit.refusal}. */
  get refusal(): Error | undefined {
    const refused = this.#transaction?.refused;
    return refused instanceof Error ? refused : undefined;
  }

  async commit(changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    this.#check();
    this.#closing = true;
    try {
      if (this.#reads !== undefined && this.#reads.size > 0) await Promise.allSettled(this.#reads);
      if (this.#members !== undefined) await this.#members.done;
      if (this.#turns?.last !== undefined) await this.#turns.last;
      const transaction = this.#transaction;
      if (transaction === undefined) {
        this.checkEnd();
        return await this.#write(changes);
      }
      const connection = transaction.open ?? await transaction.opening;
      this.checkEnd();
      return await this.#commit(transaction, connection, changes);
    } finally {
      this.end();
    }
  }

  async rollback(): Promise<void> {
    this.end();
    await this.#rolledBack;
  }

  /** As {@linkcode RunningUnit.end}. */
  end(cause?: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { cause };
    this.#deaf();
    this.#rolledBack = this.#transaction?.undo() ?? this.#rolledBack;
    this.#locks.release();
    this.#joining?.end();
    this.#host.ended(this, this.#tx);
  }

  /** As {@linkcode RunningUnit.over}. */
  get over(): Promise<void> {
    return this.#rolledBack;
  }

  async #write(changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    const { database } = this.#host;
    const handled = this.#handled();
    const joining = this.#joining;
    const begin = (): void => this.#goesOut();
    if (joining === undefined) {
      const shared = this.#host.share(this.#scope, handled, changes, begin);
      if (shared !== undefined) return await shared;
    } else if (
      await this.#host.shareJoined(this.#scope, handled, changes, joining.all, begin) === true
    ) {
      joining.committed([]);
      return [];
    }
    const joined = joining?.begin() ?? [];
    const written = this.#host.write(this.#scope, handled, [], changes);
    const statements = [...joined, ...written.statements];
    this.#goesOut();
    try {
      const results = await database.write(statements, this.#scope.signal);
      return written.committed(joining?.committed(results) ?? results);
    } catch (error) {
      throw written.explain(joining === undefined ? error : joining.explain(error));
    }
  }

  async #commit(
    transaction: UnitTransaction<Tx>,
    connection: SqlConnection<Tx>,
    changes: Changes,
  ): Promise<readonly Leased<OutboxRow>[]> {
    const [joining, members] = [this.#joining, this.#members];
    const failed = members === undefined
      ? none
      : this.#scope.inbox.filter((_, at) => members.failed(at) && !this.duplicates[at]);
    const written = this.#host.write(this.#scope, none, failed, changes);
    transaction.checkLost(connection);
    const statements = joining === undefined ? written.statements : [...joining.begin(), ...written.statements];
    this.#goesOut();
    try {
      const results = await transaction.commit(connection, statements);
      return written.committed(joining?.committed(results) ?? results);
    } catch (error) {
      const refusal = await transaction.refusal();
      if (error instanceof StoreReadOnlyError && transaction.written) throw madeReadOnly(error);
      throw refusal ?? this.#conflictOr(written.explain(joining === undefined ? error : joining.explain(error)));
    }
  }

  /** Why the server takes nothing more, where that is it: whoever was told may have gone on. */
  #conflictOr(error: unknown): unknown {
    return isAborted(error) ? this.#conflict ?? error : error;
  }

  /** It is on its way: too late for a signal. */
  #goesOut(): void {
    this.checkEnd();
    this.#deaf();
  }

  /** No signal ends it from here on. */
  #deaf(): void {
    if (this.#abort === undefined) return this.#scope.forget?.(this);
    this.#abort.unit = undefined;
    this.#scope.signal.removeEventListener("abort", this.#abort);
  }

  #check(): void {
    if (this.#closing && this.#ended === undefined) throw new TransactionEndedError(storeName);
    this.checkEnd();
  }

  /** As {@linkcode TransactionOwner.checkEnd}. */
  checkEnd(): void {
    if (this.#ended === undefined) return;
    const { cause } = this.#ended;
    if (cause instanceof TransactionEndedError) throw cause; // it says who has ended it
    throw new TransactionEndedError(storeName, cause === undefined ? undefined : { cause });
  }

  async #read({ text, values }: Statement): Promise<readonly SqlRow[]> {
    if (this.#transaction !== undefined) {
      return await this.#use((connection) => connection.query(text, values), explainOwn);
    }
    const reads = this.#reads ??= new Set();
    const read = this.#host.database.query({ text, values });
    reads.add(read);
    try {
      return await read;
    } finally {
      reads.delete(read);
    }
  }

  /**
   * In the transaction, in order of the calls.
   *
   * @param before what has to be done first
   */
  #use<Result>(work: Work<Tx, Result>, means = explain, before?: Promise<unknown>): Promise<Result> {
    if (before === undefined && this.#turns?.last === undefined) return this.#send(work, means, false);
    return this.#sendInTurn(work, means, before);
  }

  async #sendInTurn<Result>(
    work: Work<Tx, Result>,
    means: typeof explain,
    before: Promise<unknown> | undefined,
  ): Promise<Result> {
    this.#check();
    this.#turns ??= new Turns();
    return await this.#turns.take(before, () => this.#send(work, means, true));
  }

  /** @param called whether it was called before, so that a commit that has been called meanwhile waits for it */
  async #send<Result>(work: Work<Tx, Result>, means: typeof explain, called: boolean): Promise<Result> {
    if (called) this.checkEnd();
    else this.#check();
    const transaction = this.#transaction ??= this.#begin();
    const connection = transaction.open ?? await transaction.opening;
    this.checkEnd();
    const member = this.#members?.enter();
    try {
      transaction.checkLost(connection);
      const result = await work(connection);
      if (this.#conflict !== undefined) this.#conflict = undefined;
      return result;
    } catch (error) {
      if (member !== undefined) member.failed = true;
      if (connection.lost || error instanceof TransactionEndedError) this.end(error);
      if (connection.lost && connection.lastWords !== undefined && isLost(error)) throw transaction.lossOf(connection);
      const meant = await transaction.refusalOf(error) ?? this.#conflictOr(means(error, this.#host.database.where));
      this.#conflict = meant instanceof ConflictError ? meant : undefined;
      throw meant;
    }
  }

  #begin(): UnitTransaction<Tx> {
    const record = this.#host.record(this.#scope.bus, this.#recorded());
    return new UnitTransaction(this.#host.database, this, record);
  }

  /** Whose records are written with the beginning: one that fails has its own taken back. */
  #recorded(): readonly InboxKey[] {
    // Most units are about one message.
    if (this.duplicates.length === 1 && this.duplicates[0] === false) return this.#scope.inbox;
    return this.#scope.inbox.filter((_, at) => !this.duplicates[at]);
  }
  /** Whose records are written with the commit. */
  #handled(): readonly InboxKey[] {
    return this.#scope.inbox.filter((_, at) => !this.duplicates[at] && this.#members?.failed(at) !== true);
  }
}
