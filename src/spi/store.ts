/**
 * The store plug-in: inbox, outbox, sagas and schedules, changed together. Knows rows and bytes, no contracts or
 * handlers.
 *
 * How each fits:
 * - **Memory**: `Tx` is `undefined`; one turn is one transaction; leases and due times by `host.clock`.
 * - **SQLite**: one writer, behind a mutex; BEGIN IMMEDIATE on first use of `tx`, synchronous commit.
 * - **PostgreSQL, SQL Server**: interactive, joinable; BEGIN and the inbox go out in the handler's first flight, all
 *   changes in one at the commit; rows claimed with SKIP LOCKED (READPAST); woken by NOTIFY, else polled.
 * - **MongoDB**: `Tx` is the `ClientSession`, joinable; saga rows by version, woken by a change stream.
 * - **Redis**: one Lua script on one hash tag; `Tx` collects commands.
 * - **DynamoDB**: one TransactWriteItems with conditions (100 operations); `Tx` collects items; inbox records expire by
 *   TTL.
 * - **Cosmos**: one transactional batch in the unit's partition; the outbox rows live there too, found by the change
 *   feed.
 *
 * The errors named here are classes of `src/errors/store.ts`; anything else that a method rejects with is tried again
 * later.
 *
 * @module
 */
import type {
  Changes,
  HistorySelection,
  InboxKey,
  InstanceKey,
  MessageKey,
  OutboxRow,
  SagaHistoryRow,
  SagaRow,
  ScheduleRow,
} from "./rows.ts";
import type { Change, DeployMode, Host } from "./transport.ts";

/** What a store can do. What an endpoint needs and the store lacks is refused at start. */
export interface StoreCapabilities {
  /** Whether what was committed outlives the process. Left out: it does. */
  readonly durable?: boolean;
  /** What one unit may touch. `partition`: one saga or one message, no batch and no group. */
  readonly atomic: "database" | "partition";
  /** False: `tx` collects writes and reads nothing back. */
  readonly interactive: boolean;
  /** How many units may be open at once for writing: 1 on SQLite. */
  readonly writers: number;
  /** Whether `find` works. */
  readonly query: "indexed" | "id";
  /** Whether `Due.next` is told of a row, or has to look. */
  readonly wake: "push" | "poll";
  /**
   * Whether `load` and `find` give the very objects that were committed as rows of instances, as a store within the
   * process may. Their `data` is then made when somebody asks for it, which a copy by `{ ...row }` does not. Left out:
   * they do not.
   */
  readonly keepsRows?: boolean;
  /** Of one unit. */
  readonly maxOperations: number;
  /** Of one unit, all rows together. */
  readonly maxBytes: number;
}

/** What a unit is about. */
export interface Scope {
  /** The name of the bus: its rows are its own. */
  readonly bus: string;
  /** The saga's id, else the message's: where a partitioned store puts everything. */
  readonly partition: string;
  /** None outside of a delivery; several for a batch or a group. */
  readonly inbox: readonly InboxKey[];
  /**
   * Instances that the unit will load, unlocked, unless its message is a duplicate. A hint, to be asked by stores that
   * are far away: they may look these up with the inbox, and `load` then gives them as they were; `commit` finds what has
   * changed since.
   */
  readonly instances?: (() => readonly InstanceKey[]) | undefined;
  /** Ends every wait; the unit then rolls back, also one that waits for nothing. */
  readonly signal: AbortSignal;
  /**
   * Has one unit ended when `signal` aborts, in place of the last: at once if it has, else before whoever listens at that,
   * which need not be made for it. Left out: the signal itself tells.
   */
  listen?(unit: Endable): void;
  /** Takes that back, if it is this unit. */
  forget?(unit: Endable): void;
  /** For how long `commit` leases the rows that it gives back. Left out: 30 s. */
  readonly leaseMs?: number | undefined;
}

/** What can be ended from outside: a unit of work. */
export interface Endable {
  /** Ends it; `cause` is the reason of the signal that aborted. */
  end(cause: unknown): void;
}

/** A unit of work. Used by one delivery; its calls may be sent without awaiting the one before. */
export interface Unit<out Tx> {
  /**
   * Which of `Scope.inbox` were handled before, by its order, or are in it before; those are skipped, and not recorded
   * again.
   */
  readonly duplicates: readonly boolean[];
  /** Opened on first use; whatever is done with it after the end rejects, and never runs outside of the transaction. */
  readonly tx: Tx;
  /**
   * Where `writers` is 1: since when this unit has kept all others from writing, in epoch milliseconds by the host's
   * clock; `undefined`: it does not. The core warns of what holds it long.
   */
  readonly heldSince?: number | undefined;
  /** `lock`: until the end no other unit changes it, where the store can; else `commit` finds the conflict. */
  load(saga: string, id: string, lock: boolean): Promise<SagaRow | undefined>;
  /** By all of these indexes, exactly; unlocked. By id, after `after`, at most `limit`. */
  find(
    saga: string,
    where: Readonly<Record<string, string>>,
    after: string | undefined,
    limit: number,
  ): Promise<readonly SagaRow[]>;
  /**
   * One member of a group, by its place in `Scope.inbox`: what `work` wrote is undone if it rejects, its inbox record is
   * not written, unless it is tried again and succeeds, and the unit goes on. One after the other, in order of the
   * calls; a savepoint within `work` would wait for ever.
   */
  savepoint<Result>(member: number, work: () => Promise<Result>): Promise<Result>;
  /**
   * The inbox records and all changes, all or nothing, in one flight. The outbox rows that are due, and have no unsent
   * row of their key before them, come back leased to this process, to be sent directly. `ConflictError`: nothing was
   * written, load again; `DuplicateError`: another unit was first; `OutcomeUnknownError`: begin again, the inbox tells.
   * Ends the unit in any case.
   */
  commit(changes: Changes): Promise<readonly Leased<OutboxRow>[]>;
  /** Of units that `Store.beginNow` gives: as `load` without a lock, with no promise. */
  loadNow?(saga: string, id: string): SagaRow | undefined;
  /** Of the same: as `commit`, with no promise; throws what that rejects with. */
  commitNow?(changes: Changes): readonly Leased<OutboxRow>[];
  /** Idempotent; does nothing after `commit`; never rejects. */
  rollback(): Promise<void>;
  /**
   * Why the database refused its beginning (`StoreUnavailableError`, `StoreReadOnlyError`, `StoreFullError`), where that
   * is made by the first use of `tx` or by a lock: no message has failed by it, whatever its handler made of the error
   * that it met. Left out, or `undefined`: it has begun, or not yet.
   */
  readonly refusal?: Error | undefined;
}

/** A row that this process alone may send, until the lease ends. The core sends none later than that. */
export interface Leased<out Row> {
  /** The row as it was written. */
  readonly row: Row;
  /** 1 of the first lease, more with every claim and every `later`; what comes with an older one is ignored. */
  readonly fence: number;
  /** Failed ones that counted. */
  readonly attempts: number;
  /** Epoch milliseconds, by the host's clock: the lease ends no sooner, whatever clock the store goes by. */
  readonly until: number;
  /** Why the row cannot be read as it was written; what of it can be is there. `UnreadableRowError`; the core parks it. */
  readonly unreadable?: Error;
}
/**
 * Rows due at a time, claimed by a lease that expires by the store's clock. Outbox and schedules are the same thing.
 */
export interface Due<in out Row> {
  /**
   * Due ones, by due time, then in order of writing; never past an unsent row of the same key that was due earlier (one
   * put back by `later` keeps its place), leased or not. A row not yet due, or parked, holds nothing up. Several of one
   * key may come in one answer, in their order: whoever claimed them keeps it.
   */
  claim(bus: string, limit: number, leaseMs: number): Promise<readonly Leased<Row>[]>;
  /** Sent: deletes them. Known by the objects that `claim` or `commit` gave; foreign and outdated ones are ignored. */
  done(rows: readonly Leased<Row>[]): Promise<void>;
  /** Failed: free again at `dueAt`, or parked, for an operator. Ends the lease, and counts the attempt where it counts. */
  later(rows: readonly Postponed<Row>[]): Promise<void>;
  /**
   * Resolves when a row can be claimed, with the time since when: at once if there is one; where the store is told of
   * rows (`wake`), sooner than planned when one comes that is due sooner. A hint: the core polls as well. Rejects with
   * the signal's reason.
   */
  next(bus: string, signal: AbortSignal): Promise<number>;
  /** For health, of one bus. */
  stats(bus: string): Promise<{
    /** Neither sent nor parked. */
    readonly waiting: number;
    /** Given up, until an operator takes them up again. */
    readonly parked: number;
    /** When the oldest that is due became so, by the host's clock. */
    readonly oldest: number | undefined;
  }>;
  /** Parked ones by id, after `after`. */
  parked(bus: string, after: string | undefined, limit: number): Promise<readonly Parked<Row>[]>;
  /** Due now, with no attempts counted. Gives how many of them were parked. */
  unpark(bus: string, ids: readonly string[]): Promise<number>;
  /** Deletes parked ones. Gives how many. */
  discard(bus: string, ids: readonly string[]): Promise<number>;
}
/** A row that waits for an operator; nobody has leased it. */
export interface Parked<out Row> extends Leased<Row> {
  /** Why, as `Postponed.error` said last. */
  readonly error: string;
}
/** A row whose sending failed. */
export interface Postponed<out Row> {
  /** As it was claimed: an outdated fence makes this a no-op. */
  readonly leased: Leased<Row>;
  /** Epoch milliseconds: not before. */
  readonly dueAt: number;
  /** For an operator: why. */
  readonly error: string;
  /** Whether only an operator frees it. */
  readonly park: boolean;
  /** False: `attempts` stays as it is, as nothing is wrong with the row. Left out: it grows by 1. */
  readonly counts?: boolean;
}

/** What is asked about the instances of sagas, outside of units. */
export interface SagaRecords {
  /** How many a saga has: all, or those in a state. */
  count(bus: string, saga: string, state: string | undefined): Promise<number>;
  /**
   * What has happened to the instances that have had an id, in order of writing, after a place; at most `limit`. Places
   * grow, and say nothing else.
   */
  history(
    bus: string,
    saga: string,
    id: string,
    after: number | undefined,
    limit: number,
  ): Promise<readonly { readonly place: number; readonly row: SagaHistoryRow }[]>;
  /** Deletes what has happened to instances: at most `limit` rows, in no order; gives the number. Places of others stay. */
  forget(
    bus: string,
    saga: string,
    which: HistorySelection,
    limit: number,
  ): Promise<number>;
}

/** What the core's contexts show to a store. */
export interface InUnit {
  /** The delivery's unit; `undefined` where it has none. */
  readonly "~unit": { readonly store: Store<unknown>; readonly unit: Unit<unknown> } | undefined;
}

/** A store: `postgres("postgres://…")`. `Tx` is what handlers write with: postgres.js' `TransactionSql`, `SqliteTransaction`, … */
export interface Store<out Tx> {
  /** As errors say it: `"postgres"`. */
  readonly name: string;
  /** Constant: read before `open`. */
  readonly capabilities: StoreCapabilities;
  /**
   * The open transaction of this context, for code that is not written inside `endpoint()`: `transactionOf(this,
   * context)`.
   */
  tx(context: InUnit): Tx;
  /**
   * By one bus or several, once by each; the clock is the first one's. Comes back by itself when the database does.
   */
  open(host: Host): Promise<void>;
  /** The tables, as `Transport.deploy` does the topology. `apply` in two processes at once is safe. */
  deploy(mode: DeployMode): Promise<readonly Change[]>;
  /** The same as scripts, in order, for those who apply them by other means. None where there is nothing to create. */
  migrations(): readonly { readonly id: string; readonly script: string }[];
  /**
   * Looks the inbox up (calls of one tick in one flight; see also `foresee`). In this process, waits for a concurrent unit of the same key.
   * Another process's is excluded from the first use of `tx` on; before that, `commit` finds it (`DuplicateError`:
   * nothing written, the delivery is accepted). A crash frees the key.
   */
  begin(scope: Scope): Promise<Unit<Tx>>;
  /**
   * Units of these messages are likely to begin soon, each alone or with others. A hint, for stores that are far away:
   * they may look all of them up at once, and `begin` may go by what was found, for a moment, unless a unit of the same
   * message has begun in this process since. Never throws.
   */
  foresee?(bus: string, messages: readonly MessageKey[]): void;
  /**
   * Of a store that answers within the call, where promises are much of what all costs: as `begin`, with none;
   * `undefined`: there is something to wait for. Throws what `begin` rejects with. Whoever calls it, and what only such
   * units have, makes sure that the scope's signal has not aborted: that is made when it is first read.
   */
  beginNow?(scope: Scope): Unit<Tx> | undefined;
  /** The instances of sagas, for operators. */
  readonly sagas: SagaRecords;
  /** Messages that units wrote. */
  readonly outbox: Due<OutboxRow>;
  /** Messages for later that units wrote, by token. */
  readonly schedules: Due<ScheduleRow>;
  /**
   * Taken or renewed for `ms` by the store's clock; `undefined`: another has it. The fence grows with every new owner.
   * Names are of the whole store: the core puts its bus' name into each.
   */
  lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined>;
  /**
   * Deletes inbox records past `keepUntil`, and what cancels no longer have to know, at most `limit` of each; gives the
   * number. 0 where they expire by themselves.
   */
  sweep(limit: number): Promise<number>;
  /**
   * After the last unit, by each that opened it: the last one ends it. Idempotent; then every method rejects with
   * `ClosedError`.
   */
  close(): Promise<void>;
}
/** Of a database whose transaction a caller may have opened: `bus.send(X, x, { tx })`. */
export interface JoinableStore<in out Tx> extends Store<Tx> {
  /**
   * `commit` only writes, and leases nothing; the caller commits, and delivery is by wake or poll. `rollback` does
   * nothing.
   */
  join(tx: Tx, scope: Scope): Unit<Tx>;
}
