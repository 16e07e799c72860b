/** Errors of stores and units of work. @module */
import { HeroError } from "./hero_error.ts";

/** Another unit changed the same instance first; nothing was written. The core loads again and retries. */
export class ConflictError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_CONFLICT";
  /**
   * Puts it into words.
   *
   * @param what changed, as in `saga order "42"`
   */
  constructor(what: string, options?: ErrorOptions) {
    super(`Cannot commit: ${what} has been changed meanwhile. Load it again`, { ...options, details: { what } });
  }
}

/** Another unit has handled the same message first; nothing was written. */
export class DuplicateError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_DUPLICATE";
  /**
   * Puts it into words.
   *
   * @param messageId of the message that is handled already
   */
  constructor(endpoint: string, messageId: string, options?: ErrorOptions) {
    super(`The message "${messageId}" has been handled by "${endpoint}" already. Nothing needs doing`, {
      ...options,
      details: { endpoint, messageId },
    });
  }
}

/**
 * The connection broke during a commit: whether it was written is unknown. The inbox tells. Of a message that was being
 * sent, `details` has the `messageId` to send it again with.
 */
export class OutcomeUnknownError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_OUTCOME_UNKNOWN";
  /**
   * Puts it into words.
   *
   * @param store its name
   * @param sent the message that was to be written, where it was one
   */
  constructor(
    store: string,
    options?: ErrorOptions,
    sent?: { readonly contract: string; readonly messageId: string },
  ) {
    super(
      sent === undefined
        ? `Lost "${store}" during a commit: its outcome is unknown. Begin again; the inbox tells what was done`
        : `Lost "${store}" while it took "${sent.contract}": whether it was sent is unknown. Send it again with ` +
          `{ messageId: "${sent.messageId}" }: an endpoint with { outbox: true } handles it once`,
      { ...options, details: { store, ...sent } },
    );
  }
}

/** `ctx.tx`, or `store.tx(ctx)`, where the context has no unit of work, or one of another store. */
export class NoTransactionError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NO_TRANSACTION";
  /**
   * Puts it into words.
   *
   * @param store whose transaction was asked for, where it was one store's
   * @param why there is none
   * @param instead what to do
   */
  constructor(store: string | undefined, why: string, instead: string = "Set { outbox: true } on the endpoint") {
    super(`There is no transaction${store === undefined ? "" : ` of "${store}"`} here: ${why}. ${instead}`, {
      details: store === undefined ? {} : { store },
    });
  }
}

/**
 * A transaction was used after its end; a handler's ends when its delivery is settled or lost. Or a statement of the
 * handler has ended it, which the unit alone may.
 */
export class TransactionEndedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_TRANSACTION_ENDED";
  /**
   * Puts it into words.
   *
   * @param store its name
   * @param by the handler's statement that has ended it, where it was one
   */
  constructor(store: string, options?: ErrorOptions, by?: string) {
    super(
      by === undefined
        ? `The transaction of "${store}" has ended: nothing was done. Await all work before the function that was given it returns`
        : `The transaction of "${store}" was ended by ${by}, a statement of its handler: what was written there is kept or ` +
          `lost for itself, and the unit commits nothing more. Take ${by} away, or use tx.savepoint()`,
      { ...options, details: by === undefined ? { store } : { store, by } },
    );
  }
}

/** There is no room left where the store keeps its rows; nothing was written. */
export class StoreFullError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STORE_FULL";
  /**
   * Puts it into words.
   *
   * @param where the file or database
   */
  constructor(store: string, where: string, options?: ErrorOptions) {
    super(`Cannot write to "${store}": there is no room left at "${where}", and nothing was written. Make room`, {
      ...options,
      details: { store, where },
    });
  }
}

/** The store's rows can be read, but not written. */
export class StoreReadOnlyError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STORE_READ_ONLY";
  /**
   * Puts it into words.
   *
   * @param where the file or database
   * @param next what to do
   */
  constructor(
    store: string,
    where: string,
    options?: ErrorOptions,
    next: string = "Grant this process the right to write there",
  ) {
    super(`Cannot write to "${store}": "${where}" is read-only. ${next}`, { ...options, details: { store, where } });
  }
}

/** What the store finds is damaged, or not a database at all. */
export class StoreCorruptError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STORE_CORRUPT";
  /**
   * Puts it into words.
   *
   * @param where the file or database
   */
  constructor(store: string, where: string, options?: ErrorOptions) {
    super(`Cannot use "${store}": "${where}" is damaged, or no database. Restore it from a backup, or name another`, {
      ...options,
      details: { store, where },
    });
  }
}

/** Another process, or what shares no connection with it in this one, has kept the store locked for too long; nothing was written. */
export class StoreLockedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STORE_LOCKED";
  /**
   * Puts it into words.
   *
   * @param where the file or database
   * @param waitedInMs how long was waited
   */
  constructor(store: string, where: string, waitedInMs: number, options?: ErrorOptions) {
    super(
      `Cannot write to "${store}": another process, or what shares no connection with it in this one, has kept ` +
        `"${where}" locked for ${waitedInMs} ms. End its transaction, or raise { lockTimeout }`,
      { ...options, details: { store, where, waitedInMs } },
    );
  }
}

/**
 * A transaction of this process has kept a store that has one writer for too long; nothing was written. Also why such a
 * store is degraded, while others wait.
 */
export class WriterHeldError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_WRITER_HELD";
  /**
   * Puts it into words.
   *
   * @param where the file or database
   * @param who whose transaction it is, as in `a handler of "orders"`
   * @param heldInMs for how long it has kept the store so far
   */
  constructor(store: string, where: string, who: string, heldInMs: number) {
    super(
      `Cannot write to "${store}": ${who} has kept "${where}" to itself for ${heldInMs} ms. If it waits for this, it ` +
        `waits for itself: where ctx.tx was used, send and schedule with ctx, in bus.transaction() with the sender that it ` +
        `gives, and not with the bus. Else await nothing slow there, or raise { lockTimeout }`,
      { details: { store, where, who, heldInMs } },
    );
  }
}

/** For too long, no connection to the store came free for anyone who waits for one; nothing was written. */
export class StoreBusyError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STORE_BUSY";
  /**
   * Puts it into words.
   *
   * @param where the database
   * @param connections how many there are
   * @param waitedInMs how long nobody's turn came
   */
  constructor(store: string, where: string, connections: number, waitedInMs: number) {
    super(
      `Cannot get a connection to "${store}" at "${where}": of the ${connections} that there may be, none came free for ` +
        `those who wait in ${waitedInMs} ms. Raise { max } to the concurrency of all handlers that use ctx.tx, and ` +
        `two more; in such a handler begin no other transaction`,
      { details: { store, where, connections, waitedInMs } },
    );
  }
}

/** The store cannot be reached, or not be read and written. It is tried again by itself. */
export class StoreUnavailableError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STORE_UNAVAILABLE";
  /**
   * Puts it into words.
   *
   * @param where the file or database
   * @param why as the database says it
   */
  constructor(store: string, where: string, why: string, options?: ErrorOptions) {
    super(`Cannot use "${store}" at "${where}": ${why}. See whether it is there and this process may use it`, {
      ...options,
      details: { store, where, why },
    });
  }
}

/**
 * The store has ended a statement that took too long, or waited too long for a lock, or a transaction whose handler did
 * too long without it; nothing was written. In a unit of work it is a failed attempt, as the next may meet the same.
 */
export class StoreTimeoutError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STORE_TIMEOUT";
  /**
   * Puts it into words.
   *
   * @param where the database
   * @param why as the database says it
   * @param what what it has ended
   */
  constructor(
    store: string,
    where: string,
    why: string,
    options?: ErrorOptions,
    what: "a statement" | "a transaction that waited for its handler" = "a statement",
  ) {
    super(
      `"${store}" at "${where}" has ended ${what}: ${why}. Nothing was written. ` +
        (what === "a statement"
          ? `See who holds what it waits for, or raise the timeout`
          : `Do what takes long before the first use of ctx.tx, or raise the timeout`),
      { ...options, details: { store, where, why, what } },
    );
  }
}

/** A handler has sent, scheduled and changed more than the store writes at once. Nothing of it was written. */
export class UnitTooLargeError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNIT_TOO_LARGE";
  /**
   * Puts it into words.
   *
   * @param store its name
   * @param what what there is too much of
   * @param size how many there are
   * @param limit how many there may be
   */
  constructor(store: string, what: "operations" | "bytes", size: number, limit: number) {
    super(
      `Cannot commit ${size} ${what} in one unit of work: "${store}" takes at most ${limit}. ` +
        `Send less while one message is handled, or handle fewer messages together`,
      { details: { store, what, size, limit } },
    );
  }
}

/** A row of the store is damaged. It is left as it is, and holds up no other. */
export class UnreadableRowError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNREADABLE_ROW";
  /**
   * Puts it into words.
   *
   * @param store its name
   * @param row as in `the message "m-1" in "hero_outbox"`
   * @param why what is wrong with it
   */
  constructor(store: string, row: string, why: string, options?: ErrorOptions) {
    super(
      `Cannot read ${row} of "${store}": ${why}. It is parked, unchanged: mend its row and release it with ` +
        `bus.parked().release(), or delete its row`,
      { ...options, details: { store, row, why } },
    );
  }
}

const ofStores: readonly (abstract new (...args: never[]) => Error)[] = [
  OutcomeUnknownError,
  StoreBusyError,
  StoreCorruptError,
  StoreFullError,
  StoreLockedError,
  StoreReadOnlyError,
  StoreTimeoutError,
  StoreUnavailableError,
];

/**
 * Whether an error says how the store is, and not what is wrong with the unit that met it. Who keeps its writer is told
 * of while that lasts.
 */
export function tellsOfStore(error: unknown): error is Error {
  return ofStores.some((kind) => error instanceof kind);
}
