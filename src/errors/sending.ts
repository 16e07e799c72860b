/** Errors of sending, publishing and requesting. @module */
import type { ExceptionInfo } from "./exception_info.ts";
import { HeroError, type HeroErrorOptions } from "./hero_error.ts";

/** A command reached no queue. Thrown by `send` and `request`; not by `publish`: an event may have no subscriber. */
export class UnroutableError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNROUTABLE";
  /**
   * Puts it into words.
   *
   * @param address as in `queue:orders`
   */
  constructor(contract: string, address: string, options?: ErrorOptions) {
    super(
      `Cannot send "${contract}" to "${address}": no queue is bound there. ` +
        `Start the endpoint that handles it, or declare its queue with bus.deploy()`,
      { ...options, details: { contract, address } },
    );
  }
}

/** A command or query was given to a mediator on which nothing handles it. */
export class NoHandlerError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NO_HANDLER";
  /**
   * Puts it into words.
   *
   * @param mediator its name
   */
  constructor(contract: string, mediator: string) {
    super(
      `Cannot hand over "${contract}": nothing on "${mediator}" handles it. ` +
        `Add its handler first: mediator.handle(contract, handler)`,
      { details: { contract, mediator } },
    );
  }
}

/** A message, or its headers, is larger than the transport carries. */
export class MessageTooLargeError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_MESSAGE_TOO_LARGE";
  /** What is too large. */
  readonly part: "body" | "headers" | "frame";
  /** How large that is. */
  readonly sizeInBytes: number;
  /** How large it may be. */
  readonly limitInBytes: number;
  /**
   * Puts it into words.
   *
   * @param part what is too large
   */
  constructor(
    contract: string,
    part: "body" | "headers" | "frame",
    sizeInBytes: number,
    limitInBytes: number,
    options?: ErrorOptions,
  ) {
    super(
      `Cannot send "${contract}": the size of its ${part} is ${sizeInBytes} bytes, and ${limitInBytes} are allowed. ` +
        `Send less, or send a reference to where the data is kept`,
      { ...options, details: { contract, part, sizeInBytes, limitInBytes } },
    );
    this.part = part;
    this.sizeInBytes = sizeInBytes;
    this.limitInBytes = limitInBytes;
  }
}

/** A header has a name or value that cannot be sent. */
export class InvalidHeaderError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INVALID_HEADER";
  /**
   * Puts it into words.
   *
   * @param why what is wrong with it, and what is allowed
   * @param contract the name of the message's
   */
  constructor(header: string, why: string, contract?: string) {
    const whose = contract === undefined ? "" : ` of "${contract}"`;
    super(`Cannot send the header "${header}"${whose}: ${why}`, {
      details: { header, ...(contract === undefined ? {} : { contract }) },
    });
  }
}

/** An id that the sender gives cannot be sent. */
export class InvalidIdError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INVALID_ID";
  /**
   * Puts it into words.
   *
   * @param what `"messageId"` or `"correlationId"`
   * @param why what is wrong with it
   */
  constructor(contract: string, what: "messageId" | "correlationId", why: string) {
    super(
      `Cannot send "${contract}" with this ${what}: ${why}. ` +
        `Give 1 to 128 characters without control characters, or leave it out`,
      { details: { contract, what } },
    );
  }
}

/** What else is known of a value that cannot be carried. */
export interface UnserializableErrorOptions extends ErrorOptions {
  /** The name of the message's contract, which serializers do not know. */
  readonly contract?: string;
  /** How much too large it is, where that is why. */
  readonly excess?: { readonly sizeInBytes: number; readonly limitInBytes: number } | undefined;
}

/** A message holds a value that JSON cannot carry. */
export class UnserializableError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNSERIALIZABLE";
  /** Where the value is, as in `lines.2.price`; empty for the message itself. */
  readonly path: string;
  /** What is wrong with it. */
  readonly why: string;
  /** How much too large it is, where that is why. */
  readonly excess: UnserializableErrorOptions["excess"];
  /**
   * Puts it into words.
   *
   * @param path where the value is, as in `lines.2.price`; empty for the message itself
   * @param why what is wrong with it, and what to do
   */
  constructor(path: string, why: string, { contract, excess, cause }: UnserializableErrorOptions = {}) {
    const message = contract === undefined ? "the message" : `"${contract}"`;
    const value = contract === undefined ? `the value at "${path}"` : `the value at "${path}" of "${contract}"`;
    super(`Cannot serialize ${path === "" ? message : value}: ${why}`, {
      cause,
      details: { path, ...(contract === undefined ? {} : { contract }) },
    });
    this.path = path;
    this.why = why;
    this.excess = excess;
  }
}

/** A message to be sent does not satisfy its contract's schema. */
export class InvalidMessageError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INVALID_MESSAGE";
  /** What the schema said, one entry an issue: `path: message`. */
  readonly issues: readonly string[];
  /** Whether it was found when the message was sent, or when it came. */
  readonly doing: "send" | "receive";
  /**
   * Puts it into words.
   *
   * @param doing `"send"` or `"receive"`
   */
  constructor(contract: string, doing: "send" | "receive", issues: readonly string[]) {
    super(
      `Cannot ${doing} "${contract}": it does not satisfy its contract: ${issues.join("; ")}. ` +
        (doing === "send" ? `Send what the contract takes as input` : `Let the sender send what the contract takes`),
      { details: { contract, issues } },
    );
    this.issues = issues;
    this.doing = doing;
  }
}

/** The transport's bounded buffer is full, and the message was not taken. */
export class BackpressureError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_BACKPRESSURE";
  /**
   * Puts it into words.
   *
   * @param limit how many messages may wait there
   */
  constructor(address: string, limit: number, options?: ErrorOptions) {
    super(
      `Cannot send to "${address}": ${limit} messages wait already. Send more slowly, or raise the limit`,
      { ...options, details: { address, limit } },
    );
  }
}

/** The broker refused to take a message, without a reason: its queue is full, or it could not keep it. */
export class NotConfirmedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NOT_CONFIRMED";
  /**
   * Puts it into words.
   *
   * @param address as in `queue:orders`
   */
  constructor(contract: string, address: string, options?: ErrorOptions) {
    super(
      `Cannot send "${contract}" to "${address}": the broker refused it. ` +
        `See whether a queue there is full, then try again with the same message id`,
      { ...options, details: { contract, address } },
    );
  }
}

/** No answer came within the request's timeout. */
export class RequestTimeoutError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_REQUEST_TIMEOUT";
  /**
   * Puts it into words.
   *
   * @param timeoutInMs how long was waited
   */
  constructor(contract: string, address: string, timeoutInMs: number) {
    super(
      `No answer to "${contract}", requested at "${address}", within ${timeoutInMs} ms. ` +
        `See whether its endpoint runs and keeps up, or raise { timeout }`,
      { details: { contract, address, timeoutInMs } },
    );
  }
}

/** The endpoint that was asked gave the request up. */
export class RequestFaultError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_REQUEST_FAULT";
  /** What was thrown there, the reason first. */
  readonly exceptions: readonly ExceptionInfo[];
  /**
   * Puts it into words.
   *
   * @param exceptions at least one
   */
  constructor(contract: string, exceptions: readonly ExceptionInfo[]) {
    const [reason] = exceptions;
    super(
      `The request "${contract}" failed at its endpoint, which keeps it in its error queue, with ${
        reason === undefined ? "an unknown error" : `${reason.type}: ${reason.message}`
      }`,
      { details: { contract, exceptions } },
    );
    this.exceptions = exceptions;
  }
}

/** A request would wait for the last free slot of its own endpoint, which the caller holds. */
export class RequestCycleError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_REQUEST_CYCLE";
  /**
   * Puts it into words.
   *
   * @param endpoint whose concurrency, or prefetch, is used up
   * @param key of both messages, where that is what they wait for each other by
   */
  constructor(contract: string, endpoint: string, key?: string) {
    super(
      key === undefined
        ? `Cannot request "${contract}" from a handler of "${endpoint}": its answer would need that endpoint's last ` +
          `slot. Handle it on an endpoint of its own, or raise { concurrency }, and { prefetch } with it`
        : `Cannot request "${contract}" from a handler of "${endpoint}" under the same key, "${key}": that endpoint ` +
          `handles messages of one key one after the other. Handle it on an endpoint of its own, or give another key`,
      { details: { contract, endpoint, ...(key === undefined ? {} : { key }) } },
    );
  }
}

/** `ctx.request` inside an open transaction, which would be held while the answer is awaited. */
export class RequestInTransactionError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_REQUEST_IN_TRANSACTION";
  /**
   * Puts it into words.
   *
   * @param endpoint whose handler asked
   */
  constructor(contract: string, endpoint: string) {
    super(
      `Cannot request "${contract}" in the open transaction of "${endpoint}". ` +
        `Ask before the first use of ctx.tx, or use a saga's request step`,
      { details: { contract, endpoint } },
    );
  }
}

/** What was scheduled is in the broker's hands, which cannot give it back. */
export class NotCancellableError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NOT_CANCELLABLE";
  /**
   * Puts it into words.
   *
   * @param transport its name
   */
  constructor(token: string, transport: string, options?: HeroErrorOptions) {
    super(
      `Cannot unschedule "${token}": "${transport}" does not give back what it delays. Give the bus a durable store`,
      { ...options, details: { token, transport } },
    );
  }
}

/** What was scheduled with `{ late }` could not be sent in that time, and is dropped. Observers are told. */
export class MissedScheduleError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_MISSED_SCHEDULE";
  /**
   * Puts it into words.
   *
   * @param messageId of what is not sent
   * @param lateInMs how long after the latest time that its schedule allows
   */
  constructor(contract: string, messageId: string, lateInMs: number) {
    super(
      `Dropped the schedule "${messageId}" of "${contract}": it could have been sent ${lateInMs} ms after the latest ` +
        `time that its { late } allows. Allow more, or leave { late } out: then it is sent once, however late`,
      { details: { contract, messageId, lateInMs } },
    );
  }
}
