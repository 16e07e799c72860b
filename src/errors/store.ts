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

/** The connection broke during a commit: whether it was written is unknown. The inbox tells. */
export class OutcomeUnknownError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_OUTCOME_UNKNOWN";
  /**
   * Puts it into words.
   *
   * @param store its name
   */
  constructor(store: string, options?: ErrorOptions) {
    super(`Lost "${store}" during a commit: its outcome is unknown. Begin again; the inbox tells what was done`, {
      ...options,
      details: { store },
    });
  }
}

/** `store.tx(ctx)` where the context has no unit of work of that store. */
export class NoTransactionError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NO_TRANSACTION";
  /**
   * Puts it into words.
   *
   * @param why there is none
   */
  constructor(store: string, why: string) {
    super(`There is no transaction of "${store}" here: ${why}. Set { outbox: true } on the endpoint`, {
      details: { store },
    });
  }
}

/** A transaction was used after its delivery was settled or lost. */
export class TransactionEndedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_TRANSACTION_ENDED";
  /**
   * Puts it into words.
   *
   * @param store its name
   */
  constructor(store: string, options?: ErrorOptions) {
    super(`The transaction of "${store}" has ended: nothing was done. Await all work before the handler returns`, {
      ...options,
      details: { store },
    });
  }
}
