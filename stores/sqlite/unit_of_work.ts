/** A unit of work. @module */
import { TransactionEndedError } from "../../src/errors/store.ts";
import type { Changes, InboxKey, OutboxRow, SagaRow } from "../../src/spi/rows.ts";
import type { Leased, Scope, Unit } from "../../src/spi/store.ts";
import { type Awaitable, isPromise } from "../../src/values/awaitable.ts";
import type { Link } from "../../src/values/linked_list.ts";
import { Failures } from "./answer.ts";
import type { Connection } from "./connection.ts";
import type { File } from "./file.ts";
import type { Session } from "./due.ts";
import { Ending } from "../../src/values/ending.ts";
import { HeldLocks } from "../../src/values/held_locks.ts";
import { explain, explainOwn, storeName } from "./errors.ts";
import { type Group, Members } from "./members.ts";
import { type JoinableUnit, type Joined, Transaction } from "./transaction.ts";
import type { Holder } from "./writer_lock.ts";

/** What a unit needs of its store. */
export interface UnitHost {
  readonly session: Session;
  load(connection: Connection, bus: string, saga: string, id: string): SagaRow | undefined;
  find(connection: Connection, bus: string, ...rest: Parameters<Unit<unknown>["find"]>): readonly SagaRow[];
  /** Refuses what others have done first. */
  checkInbox(connection: Connection, bus: string, keys: readonly InboxKey[]): void;
  /**
   * Checks and writes all, and gives what to do once it is committed.
   *
   * @param alone whether nobody else has written since `checkInbox` has let it pass
   */
  write(
    connection: Connection,
    scope: Scope,
    handled: readonly InboxKey[],
    changes: Changes,
    alone: boolean,
  ): { readonly leased: readonly Leased<OutboxRow>[]; committed(): void };
  /** Whether no other unit of the store has begun: nobody would share a commit. */
  readonly alone: boolean;
  /** The unit is over. */
  ended(unit: SqliteUnit): void;
}

/** A unit of work: a transaction from the first use of `tx` on, else one commit at the end. */
export class SqliteUnit implements Unit<Transaction>, JoinableUnit, Group, Holder {
  readonly duplicates: readonly boolean[];
  readonly tx: Transaction;
  /** Its place among the host's units: the host's own. */
  link: Link<SqliteUnit> | undefined;
  readonly #host: UnitHost;
  readonly #scope: Scope;
  readonly #locks: HeldLocks;
  readonly #joined: Joined[] = [];
  #members: Members | undefined;
  /** The transaction, from its first use on. */
  #open: Awaitable<Connection> | undefined;
  /** Whether it holds the writer. */
  #writes = false;
  #heldSince: number | undefined;
  #keepsSince: number | undefined;
  /** Of what handlers run. */
  #failures: Failures | undefined;
  /** `commit` was called: nothing more is taken. */
  #closing = false;
  #ended: { readonly cause: unknown } | undefined;
  #refusal: Error | undefined;
  /** Where the scope has to be listened at. */
  readonly #abort: Ending | undefined;

  /** @param locks that it holds, by name, and gives back */
  constructor(host: UnitHost, scope: Scope, locks: readonly string[], duplicates: readonly boolean[]) {
    this.#host = host;
    this.#scope = scope;
    this.#locks = new HeldLocks(host.session.file.locks, locks);
    this.duplicates = duplicates;
    this.tx = new Transaction((work) => this.#use(work, this.#noted), (error) => this.#noted.failed(error), this);
    if (scope.listen === undefined) scope.signal.addEventListener("abort", this.#abort = new Ending(this));
    else scope.listen(this);
  }

  get #noted(): Failures {
    return this.#failures ??= new Failures();
  }

  /** As {@linkcode Unit.refusal}. */
  get refusal(): Error | undefined {
    return this.#refusal;
  }
  get heldSince(): number | undefined {
    return this.#heldSince;
  }
  /** As {@linkcode Holder.keepsSince}. */
  get keepsSince(): number | undefined {
    return this.#keepsSince;
  }
  /** As {@linkcode Holder.who}. */
  get who(): string {
    const [first] = this.#scope.inbox;
    return first === undefined ? `a transaction of the bus "${this.#scope.bus}"` : `a handler of "${first.endpoint}"`;
  }

  get open(): Awaitable<Connection> | undefined {
    return this.#open;
  }
  get failures(): Failures | undefined {
    return this.#failures;
  }
  get over(): boolean {
    return this.#ended !== undefined;
  }
  get file(): File {
    return this.#host.session.file;
  }

  join(joined: Joined): void {
    this.#check();
    this.#joined.push(joined);
  }

  load(saga: string, id: string, lock: boolean): Promise<SagaRow | undefined> {
    const read = (connection: Connection) => this.#host.load(connection, this.#scope.bus, saga, id);
    return lock && this.#open === undefined ? this.#lockAndUse(saga, id, read) : this.#read(read);
  }

  async #lockAndUse<Result>(saga: string, id: string, read: (connection: Connection) => Result): Promise<Result> {
    this.#check();
    // Within the process, whoever waits does not hold the writer.
    await this.#locks.lockSaga(this.#scope.bus, saga, id, this.#scope.signal);
    this.check();
    return await this.#use(read);
  }

  /** In the transaction, where there is one. */
  #read<Result>(read: (connection: Connection) => Result): Promise<Result> {
    if (this.#open !== undefined) return this.#use(read);
    try {
      this.#check();
      return this.#host.session.read(read);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  find(...[saga, where, after, limit]: Parameters<Unit<unknown>["find"]>): Promise<readonly SagaRow[]> {
    return this.#read((connection) => this.#host.find(connection, this.#scope.bus, saga, where, after, limit));
  }

  async savepoint<Result>(number: number, work: () => Promise<Result>): Promise<Result> {
    this.#check();
    return await (this.#members ??= new Members(this)).run(number, work);
  }

  async commit(changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    this.#check();
    this.#closing = true;
    try {
      await this.#members?.done;
      const connection = this.#open === undefined ? undefined : await this.#open;
      this.#failures?.check();
      const { leased, committed } = connection === undefined
        ? await this.#writeShared(changes)
        : this.#writeOn(connection, changes);
      this.#endJoined(true);
      committed();
      return leased;
    } finally {
      this.end();
    }
  }

  async #writeShared(changes: Changes): Promise<ReturnType<UnitHost["write"]>> {
    const { writer } = this.#host.session;
    const write = (connection: Connection) => this.#write(connection, changes, false);
    const written = this.#host.alone ? writer.writeSoon(write) : undefined;
    return written === undefined ? await writer.write(write, this.#scope.signal) : written.result;
  }

  #writeOn(connection: Connection, changes: Changes): ReturnType<UnitHost["write"]> {
    const { writer, file: { path } } = this.#host.session;
    try {
      const written = this.#write(connection, changes, true);
      this.#writes = false;
      writer.commit();
      return written;
    } catch (error) {
      throw explainOwn(error, path);
    }
  }

  rollback(): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  /** Undoes what is not committed and gives all back; what comes later rejects. */
  end(cause?: unknown): void {
    if (this.#ended !== undefined) return;
    this.#heldSince = this.#keepsSince = undefined;
    this.#ended = { cause };
    if (this.#abort === undefined) this.#scope.forget?.(this);
    else {
      this.#scope.signal.removeEventListener("abort", this.#abort);
      this.#abort.unit = undefined;
    }
    const { writer } = this.#host.session;
    if (this.#writes) {
      this.#writes = false;
      try {
        writer.rollback();
      } catch {
        // A rollback that fails leaves nothing behind: what is not committed is not there.
      }
    }
    this.#locks.release();
    this.#endJoined(false);
    this.#host.ended(this);
  }

  #check(): void {
    if (this.#closing && this.#ended === undefined) throw new TransactionEndedError(storeName);
    this.check();
  }

  check(): void {
    if (this.#ended !== undefined) throw ended(this.#ended);
  }

  /**
   * In the transaction, in order of the calls.
   *
   * @param failures where it is noted if it fails and nobody waits for it; what comes too late to matter is not
   */
  #use<Result>(work: (connection: Connection) => Result, failures?: Failures): Promise<Result> {
    const noted = this.#closing || this.#ended !== undefined ? undefined : failures;
    try {
      this.#check();
      const open = this.#open ??= this.#beginNow() ?? this.#begin();
      if (!isPromise(open)) return Promise.resolve(this.#run(open, work));
      const run = (connection: Connection) => this.#run(connection, work);
      return noted === undefined ? open.then(run) : noted.later(open, run);
    } catch (error) {
      return noted === undefined ? Promise.reject(error) : noted.failed(error);
    }
  }

  #run<Result>(connection: Connection, work: (connection: Connection) => Result): Result {
    this.check();
    try {
      this.#members?.enter(connection);
      return work(connection);
    } catch (error) {
      throw explain(error, this.#host.session.file.path);
    } finally {
      // SQLite ends a transaction by itself where it must: nothing may then run outside of it.
      if (!connection.inTransaction) this.end();
    }
  }

  /** With no promise; `undefined`: something has to be waited for. */
  #beginNow(): Connection | undefined {
    let connection: Connection | undefined;
    try {
      connection = this.#host.session.writer.openNow(this);
    } catch (error) {
      throw this.#refused(error);
    }
    return connection && this.#begun(connection);
  }

  #refused(error: unknown): unknown {
    if (error instanceof Error) this.#refusal = error;
    return error;
  }

  async #begin(): Promise<Connection> {
    const { writer } = this.#host.session;
    const connection = await writer.open(this.#scope.signal, this).catch((error) => {
      throw this.#refused(error);
    });
    if (this.#ended !== undefined) {
      writer.rollback();
      throw ended(this.#ended);
    }
    return this.#begun(connection);
  }

  #begun(connection: Connection): Connection {
    this.#writes = true;
    const { clock, time } = this.#host.session;
    this.#heldSince = clock.now();
    this.#keepsSince = time.now(this.#heldSince);
    try {
      // From here on no other process can handle them; one may have since `begin`.
      this.#host.checkInbox(connection, this.#scope.bus, this.#handled());
    } catch (error) {
      this.end(error);
      throw explainOwn(error, this.#host.session.file.path);
    }
    return connection;
  }

  /** Those whose inbox records this unit writes. */
  #handled(): readonly InboxKey[] {
    return this.#scope.inbox.filter((_, at) => !this.duplicates[at] && this.#members?.failed(at) !== true);
  }

  #write(connection: Connection, changes: Changes, alone: boolean): ReturnType<UnitHost["write"]> {
    // What has joined was told of an end that came while this waited for its turn, and would not be written with it.
    this.check();
    for (const joined of this.#joined) joined.check(connection);
    const written = this.#host.write(connection, this.#scope, this.#handled(), changes, alone); // which may refuse, too
    for (const joined of this.#joined) joined.write(connection);
    return written;
  }

  #endJoined(committed: boolean): void {
    for (const joined of this.#joined.splice(0)) joined.ended(committed);
  }
}

function ended({ cause }: { readonly cause: unknown }): TransactionEndedError {
  return new TransactionEndedError(storeName, cause === undefined ? undefined : { cause });
}
