/** What a store needs of a driver for PostgreSQL. @module */

/** What a statement is given. */
export type SqlValue = string | number | Uint8Array | null;
/** The values of a row, in order of its columns: text, numbers (or their text), booleans, bytes. */
export type SqlRow = readonly unknown[];

/** Where statements go. */
export interface SqlSession {
  /**
   * Runs one statement, with `$1`, `$2`, … for its values, each of which it casts itself. Statements run in the order of
   * the calls; the next may be called before the one before has ended, and is sent at once where the driver can. The
   * texts of those with values are few: preparing them pays. Those without are not to be prepared.
   */
  query(text: string, values?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
}

/** A transaction that an application has begun. */
export interface JoinedSession extends SqlSession {
  /**
   * Runs several statements, without values, in one message: where one fails, those after it are not run. Left out: they
   * are sent one by one, and what was not awaited may be written after the transaction, for itself.
   */
  script?(text: string): Promise<unknown>;
}

/** A connection that one unit of work has for itself. */
export interface SqlConnection<out Tx> extends SqlSession {
  /** What a handler writes with, on this connection. */
  readonly tx: Tx;
  /** The server or the way to it has gone: nothing more may be sent, as a driver could send it elsewhere. */
  readonly lost: boolean;
  /** Why the server has closed it: SQLSTATE, and in its own words. Left out, or `undefined`: nobody knows. */
  readonly lastWords?: { readonly state: string; readonly message: string } | undefined;
  /**
   * Runs a statement with another one before or after it, and no values, in one message, and so with one answer: what
   * it gave. Where one fails, those after it are not run. `undefined`, or left out: they have to be sent one by one.
   *
   * @param before as `BEGIN`; `""`: none
   * @param after as `COMMIT`; `""`: none
   */
  together?(
    before: string,
    text: string,
    values: readonly SqlValue[],
    after: string,
  ): Promise<readonly SqlRow[]> | undefined;
  /**
   * Gives it back, outside of a transaction. A lost one is thrown away. Once.
   *
   * @param broken nobody knows how it is: it is thrown away, too
   */
  release(broken?: boolean): void;
}

/**
 * Does something with the transaction: at once if it is open, else in order of the calls, when it is. Not before `before`
 * has settled, where that is given: what is called later, and the commit, come after it all the same.
 */
export type UseTransaction<out Tx> = <Result>(
  work: (tx: Tx) => Result | PromiseLike<Result>,
  before?: Promise<unknown>,
) => Promise<Result>;

/**
 * A driver, as a store uses it: `postgres({ client })`. `Tx` is what handlers write with.
 *
 * Errors come as the driver throws them: the five characters of SQLSTATE in `code`, `detail`, `constraint`; what is no
 * SQLSTATE counts as a lost connection.
 */
export interface SqlClient<in out Tx> extends SqlSession {
  /** The most connections that it opens, without the one that listens and the one more that `connect` speaks of. */
  readonly max: number;
  /**
   * A connection that is free, or a new one. Waits while all are taken; best not for ever, as those who have them may wait
   * for one as well.
   *
   * @param signal ends the wait
   * @param brief whether it is for a few statements, and is back soon. Else an application may do anything meanwhile, also
   * what needs another: best have one more for that where such ones have all. Left out: no
   */
  connect(signal: AbortSignal, brief?: boolean): Promise<SqlConnection<Tx>>;
  /** As `connect`, not brief, if there is one that nobody waits for. Left out, or `undefined`: there is none. */
  free?(): SqlConnection<Tx> | undefined;
  /** Statements within a transaction that an application has begun. */
  join(tx: Tx): JoinedSession;
  /**
   * What stands for a transaction that is not open yet: each of its calls goes through `use`, and looks like the call of
   * a `Tx`. Best it refuses what would end the transaction: a store does not see what it is told to run.
   */
  defer(use: UseTransaction<Tx>): Tx;
  /**
   * Listens on a connection of its own. Left out: the store has to look.
   *
   * @param heard called with the payload of each notification
   * @returns ends it; resolves when it listens
   */
  listen?(channel: string, heard: (payload: string) => void): Promise<() => Promise<void>>;
  /** Closes all connections. Once, after the last release. */
  close(): Promise<void>;
}
