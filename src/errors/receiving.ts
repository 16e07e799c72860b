/** Errors of receiving and handling. @module */
import { HeroError } from "./hero_error.ts";
import { messageOf } from "./thrown.ts";

/** The body or the headers of a message cannot be read: it goes to the error queue as it came. */
export class UnreadableMessageError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNREADABLE_MESSAGE";
  /**
   * Puts it into words.
   *
   * @param why what is wrong with it
   */
  constructor(why: string, options?: ErrorOptions) {
    super(`Cannot read the message: ${why}. Its body is unchanged; put it back once its reader or sender is mended`, {
      ...options,
      details: { why },
    });
  }
}

/** No serializer of the bus reads the message's content type. */
export class UnknownContentTypeError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNKNOWN_CONTENT_TYPE";
  /**
   * Puts it into words.
   *
   * @param known what the bus reads
   */
  constructor(contentType: string, known: readonly string[]) {
    super(
      `Cannot read the content type "${contentType}": the bus reads ${known.map((each) => `"${each}"`).join(", ")}. ` +
        `Add its serializer to createBus({ serializers })`,
      { details: { contentType, known } },
    );
  }
}

/** The message is of a later version than its consumer, and does not satisfy the consumer's schema. */
export class VersionAheadError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_VERSION_AHEAD";
  /**
   * Puts it into words.
   *
   * @param issues what the consumer's schema said
   */
  constructor(contract: string, version: number, known: number, issues: readonly string[]) {
    super(
      `Cannot read version ${version} of "${contract}": this consumer knows version ${known}, ` +
        `and the message does not satisfy it: ${issues.join("; ")}. Deploy the consumer, then put the message back`,
      { details: { contract, version, known, issues } },
    );
  }
}

/** The message is of an earlier version from which the consumer's contract has no upcast. */
export class NoUpcastError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NO_UPCAST";
  /**
   * Puts it into words.
   *
   * @param known the consumer's version
   */
  constructor(contract: string, version: number, known: number) {
    super(
      `Cannot read version ${version} of "${contract}" as version ${known}: there is no upcast. ` +
        `Add .upcast(…) to the contract's version ${known}`,
      { details: { contract, version, known } },
    );
  }
}

/** The message has been delivered again and again without an outcome: it may be what kills its process. */
export class DeliveryLimitError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_DELIVERY_LIMIT";
  /**
   * Puts it into words.
   *
   * @param deliveries by the broker's count
   */
  constructor(endpoint: string, deliveries: number) {
    super(
      `A message came to "${endpoint}" ${deliveries} times without an outcome, and is not handled again. ` +
        `See whether it ends the process that handles it, then put it back`,
      { details: { endpoint, deliveries } },
    );
  }
}

/** The claim on the message is gone (channel, lock, lease, rebalance): another consumer may have it by now. */
export class ClaimLostError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_CLAIM_LOST";
  /**
   * Puts it into words.
   *
   * @param endpoint whose delivery was lost
   */
  constructor(endpoint: string, options?: ErrorOptions) {
    super(
      `The claim on a message of "${endpoint}" is lost: what its handler still does has no effect on the message. ` +
        `Stop when ctx.signal aborts`,
      { ...options, details: { endpoint } },
    );
  }
}

/** A handler took longer than the endpoint's timeout. */
export class HandlerTimeoutError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_HANDLER_TIMEOUT";
  /**
   * Puts it into words.
   *
   * @param timeoutInMs the endpoint's
   */
  constructor(endpoint: string, timeoutInMs: number) {
    super(
      `A handler of "${endpoint}" did not finish within ${timeoutInMs} ms. ` +
        `Let it stop when ctx.signal aborts, or raise { timeout }`,
      { details: { endpoint, timeoutInMs } },
    );
  }
}

/** Several handlers of one message failed on a mediator, each for itself. One that fails alone is not wrapped. */
export class HandlersFailedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_HANDLERS_FAILED";
  /** What they threw, as it was thrown, in the order in which they ran. */
  readonly errors: readonly unknown[];
  /**
   * Puts it into words. The first error is the cause.
   *
   * @param mediator its name
   * @param errors at least two
   */
  constructor(contract: string, mediator: string, errors: readonly unknown[]) {
    super(
      `${errors.length} handlers of "${contract}" on "${mediator}" failed; the first said: ${messageOf(errors[0])}. ` +
        `Look through { errors }`,
      { cause: errors[0], details: { contract, mediator, failed: errors.length } },
    );
    this.errors = errors;
  }
}
