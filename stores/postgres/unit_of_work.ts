/** A unit of work. @module */
import { StoreUnavailableError, TransactionEndedError } from "../../src/errors/store.ts";
import type { Changes, InboxKey, InstanceKey, OutboxRow, SagaRow } from "../../src/spi/rows.ts";
import type { Leased, Scope, Unit } from "../../src/spi/store.ts";
import type { Awaitable } from "../../src/values/awaitable.ts";
import { Ending } from "../../src/values/ending.ts";
import { HeldLocks } from "../../src/values/held_locks.ts";
import type { Link } from "../../src/values/linked_list.ts";
import { none } from "../../src/values/none.ts";
import { undo } from "./database.ts";
import { explain, explainOwn, isAborted, storeName } from "./errors.ts";
import { type Joined, Joining } from "./joining.ts";
import { Members } from "./members.ts";
import { sagaOf } from "./sagas.ts";
import type { SqlConnection, SqlRow, UseTransaction } from "./sql_client.ts";
import type { Statement } from "./statement.ts";
import type { RunningUnit, UnitHost } from "./unit_host.ts";

/** An instance as it was when a unit began. */
export interface LoadedInstance extends InstanceKey {
  /** As the database has given it; `undefined`: it was not there. */
  readonly row: SqlRow | undefined;
}

/** A unit of work: a transaction from the first use of `tx` on, else one flight at the end. */
export class PostgresUnit<Tx> implements Unit<Tx>, RunningUnit {
  readonly duplicates: readonly boolean[];
  readonly #host: UnitHost<Tx>;
  readonly #scope: Scope;
  readonly #locks: HeldLocks;
  readonly #loaded: readonly LoadedInstance[];
  // Few units have these.
  #joining: Joining | undefined;
  #members: Members | undefined;
  /** From the first use on. */
  #opening: Awaitable<SqlConnection<Tx>> | undefined;
  #connection: SqlConnection<Tx> | undefined;
  /** To be rolled back and given back. */
  #held: SqlConnection<Tx> | undefined;
  /** The answer to its beginning: it may come in one turn with that to what follows. */
  #begun: Promise<unknown> | undefined;
  /** Why the transaction failed at its beginning. */
  #refusal: unknown;
  /** `commit` was called: nothing more is taken. */
  #closing = false;
  /** Why what comes later is refused. Made into an error when that happens: most units end unasked. */
  #ended: { readonly cause: unknown } | undefined;
  #tx: Tx | undefined;
  /** Under way on other connections than the commit will be: it must not pass them. */
  #reads: Set<Promise<unknown>> | undefined;
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

  get tx(): Tx {
    const use: UseTransaction<Tx> = (work) => this.#use(({ tx }) => work(tx));
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
    if (lock && this.#opening === undefined) {
      await this.#locks.lockSaga(bus, saga, id, this.#scope.signal);
      this.#checkEnd();
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
      send: (...texts) => this.#send(...texts),
      run: async (text) => await this.#held?.query(text),
      check: () => this.#checkEnd(),
    });
    return await this.#members.run(number, work);
  }

  /** As {@linkcode RunningUnit.join}. */
  join(joined: Joined): void {
    this.#check();
    (this.#joining ??= new Joining()).add(joined);
  }

  async commit(changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    this.#check();
    this.#closing = true;
    try {
      if (this.#reads !== undefined && this.#reads.size > 0) await Promise.allSettled(this.#reads);
      if (this.#members !== undefined) await this.#members.done;
      const connection = this.#opening === undefined ? undefined : this.#connection ?? await this.#opening;
      this.#checkEnd();
      return await (connection === undefined ? this.#write(changes) : this.#commit(connection, changes));
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
    const connection = this.#held;
    this.#held = undefined;
    if (connection !== undefined) this.#rolledBack = undo(connection);
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

  async #commit(connection: SqlConnection<Tx>, changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    const { database } = this.#host;
    const [joining, members] = [this.#joining, this.#members];
    const failed = members === undefined
      ? none
      : this.#scope.inbox.filter((_, at) => members.failed(at) && !this.duplicates[at]);
    const written = this.#host.write(this.#scope, none, failed, changes);
    if (connection.lost) throw new StoreUnavailableError(storeName, database.where, "the connection was lost");
    const all = joining === undefined ? written.statements : [...joining.begin(), ...written.statements];
    this.#goesOut();
    this.#held = undefined;
    // A transaction that has failed answers COMMIT with a rollback, and no error: something must ask.
    const statements = all.length > 0 ? all : [{ text: "SELECT 1", values: [] }];
    try {
      const results = await database.commit(connection, statements);
      return written.committed(joining?.committed(results) ?? results);
    } catch (error) {
      await this.#begun;
      throw this.#refusal ?? written.explain(joining === undefined ? error : joining.explain(error));
    }
  }

  /** It is on its way: too late for a signal. */
  #goesOut(): void {
    this.#checkEnd();
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
    this.#checkEnd();
  }

  #checkEnd(): void {
    if (this.#ended !== undefined) throw ended(this.#ended.cause);
  }

  async #read({ text, values }: Statement): Promise<readonly SqlRow[]> {
    if (this.#opening !== undefined) return await this.#use((connection) => connection.query(text, values), explainOwn);
    const reads = this.#reads ??= new Set();
    const read = this.#host.database.query({ text, values });
    reads.add(read);
    try {
      return await read;
    } finally {
      reads.delete(read);
    }
  }

  /** In the transaction, in order of the calls. */
  async #use<Result>(
    work: (connection: SqlConnection<Tx>) => Result | PromiseLike<Result>,
    means = explain,
  ): Promise<Result> {
    this.#check();
    if (this.#opening === undefined) this.#open();
    const connection = this.#connection ?? await this.#opening!; // it was opened
    this.#checkEnd();
    const member = this.#members?.enter();
    const { where } = this.#host.database;
    try {
      // Of what is sent to a connection that is lost, nobody knows where it ends up.
      if (connection.lost) throw new StoreUnavailableError(storeName, where, "the connection was lost");
      return await work(connection);
    } catch (error) {
      if (member !== undefined) member.failed = true;
      if (connection.lost) this.end(error);
      if (isAborted(error)) await this.#begun;
      throw isAborted(error) && this.#refusal !== undefined ? this.#refusal : means(error, where);
    }
  }

  /** With no promise where a connection is free. */
  #open(): void {
    let opening: Promise<SqlConnection<Tx>>;
    try {
      const free = this.#host.database.client.free?.();
      if (free !== undefined) {
        this.#opening = this.#connection = this.#begin(free);
        return;
      }
      opening = this.#connect();
    } catch (error) {
      opening = Promise.reject(error);
    }
    this.#opening = opening;
    // The first to be told, so that none overtakes those that wait.
    opening.then((connection) => this.#connection = connection, () => {});
  }

  async #connect(): Promise<SqlConnection<Tx>> {
    const connection = await this.#host.database.connect(this.#scope.signal, false);
    if (this.#ended === undefined) return this.#begin(connection);
    connection.release();
    throw ended(this.#ended.cause);
  }

  /** In the first flight: the beginning, what no other process may handle from here on, and what asked for it. */
  #begin(connection: SqlConnection<Tx>): SqlConnection<Tx> {
    const { bus } = this.#scope;
    this.#held = connection;
    const { statements, explain } = this.#host.record(bus, this.#recorded());
    const refuse = (error: unknown) => this.#refusal ??= explain(error);
    const [record] = statements;
    const begun = record === undefined ? undefined : connection.together?.("BEGIN", record.text, record.values, "");
    if (begun !== undefined) this.#begun = begun.catch(refuse);
    else {
      const all = [{ text: "BEGIN", values: [] }, ...statements];
      const answers = all.map(({ text, values }) => connection.query(text, values).catch(refuse));
      this.#begun = Promise.all(answers);
    }
    return connection;
  }

  /** Without an answer: where it fails, so does what follows. */
  #send(...texts: readonly string[]): void {
    const connection = this.#held;
    if (connection?.lost !== false) return;
    const [first, second] = texts;
    const together = first === undefined || second === undefined
      ? undefined
      : connection.together?.(first, second, [], "");
    const answers = together === undefined ? texts.map((text) => connection.query(text)) : [together];
    for (const answer of answers) answer.catch(() => {});
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

function ended(cause: unknown): TransactionEndedError {
  return new TransactionEndedError(storeName, cause === undefined ? undefined : { cause });
}
