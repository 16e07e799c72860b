/** Sending, publishing and requesting, as an application sees them. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import type { Headers } from "../envelope/headers.ts";
import type { Destination } from "../values/destination.ts";
import type { Duration } from "../values/duration.ts";
import type { Instant } from "../values/instant.ts";

/** How a message is sent, whatever it is. */
export interface MessageOptions {
  /** Left out: a new one. The same twice is one message to an inbox. 1 to 128 characters, none of control. */
  readonly messageId?: string;
  /**
   * Left out: none. What is sent while a message is handled carries its correlation id, else its request id, as
   * `initiatorId`, and its `conversationId`.
   */
  readonly correlationId?: string;
  /** Instead of the contract's. */
  readonly key?: string;
  /** 0 (default) to 255, whole; above the transport's highest it counts as that. */
  readonly priority?: number;
  /** The application's own. Those of the message being handled flow on, unless set here. */
  readonly headers?: Headers;
  /** Instead of the contract's. */
  readonly ttl?: Duration;
  /** Gives up waiting; what the broker has is not taken back. */
  readonly signal?: AbortSignal;
}
/** How an event is published. */
export interface PublishOptions<out Tx = never> extends MessageOptions {
  /** Not before. No token: to take it back, `schedule`. */
  readonly delay?: Duration;
  /** The caller's own open transaction: the message leaves when it commits. Only on a bus with a store. */
  readonly tx?: Tx;
}
/** How a command is sent. */
export interface SendOptions<out Tx = never> extends PublishOptions<Tx> {
  /** Before the bus' `routes` and the contract's `to`. */
  readonly to?: Destination;
}
/** How a request is made. */
export interface RequestOptions extends MessageOptions {
  /** Before the bus' `routes` and the contract's `to`. */
  readonly to?: Destination;
  /** 30 s; also the request's `ttl`. */
  readonly timeout?: Duration;
}
/** How a message is scheduled. */
export interface ScheduleOptions<out Tx = never> extends MessageOptions {
  /** Before the bus' `routes` and the contract's `to`. */
  readonly to?: Destination;
  /** The caller's own open transaction: the schedule exists when it commits. */
  readonly tx?: Tx;
  /**
   * Replaces what this bus has scheduled under the same, in whatever process, and not sent yet. Left out: a new one. Only
   * where the store keeps schedules.
   */
  readonly token?: string;
  /**
   * How much later than it is due it may still be sent, after a time when no process ran or the broker was away. What is
   * later is dropped: observers are told with `MissedScheduleError`, health and telemetry count it. Left out: it is sent
   * once, however late. Only where the store keeps schedules.
   */
  readonly late?: Duration;
}
/** When something scheduled is due. */
export type When =
  | { readonly in: Duration; readonly at?: never }
  | { readonly at: Instant; readonly in?: never };
/** Plain data, so that it can be kept. */
export interface ScheduleToken {
  /** Opaque. */
  readonly id: string;
}

/**
 * What a bus and every context can do; in a unit of work it is part of that. `NoInfer` makes the contract, not the
 * message, decide the type.
 */
export interface Sender<in Tx = never> {
  /**
   * Tells whoever subscribes. Resolves when the broker has it for good; no subscriber is no error.
   *
   * @throws {InvalidMessageError} if the message does not satisfy the contract's schema, or, without one, is no object
   * @throws {UnserializableError} if it holds what JSON cannot carry
   * @throws {InvalidHeaderError} for a header that cannot be sent, {@linkcode InvalidIdError} for such an id
   * @throws {MessageTooLargeError} if it is larger than the transport carries
   * @throws {NotStartedError} before `start()`, {@linkcode StoppedError} after `stop()`
   */
  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: PublishOptions<Tx>): Promise<void>;
  /**
   * To the one owner: `options.to`, the bus' `routes`, the contract's `to`, else the contract's entity (`topic:<name>`),
   * to which the owner's queue is bound. Resolves when the broker has it for good.
   *
   * @throws {UnroutableError} where no queue is; and all that `publish` throws
   */
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions<Tx>): Promise<void>;
  /**
   * Sends a command or publishes an event later.
   *
   * @returns what `unschedule` takes
   */
  schedule<In>(
    contract: Contract<In, unknown, unknown, "command" | "event">,
    message: NoInfer<In>,
    when: When,
    options?: ScheduleOptions<Tx>,
  ): Promise<ScheduleToken>;
  /**
   * Takes back what was scheduled. Does nothing once it is out.
   *
   * @throws {NotCancellableError} where the broker keeps what is due later and does not give it back
   */
  unschedule(token: ScheduleToken, options?: { readonly tx?: Tx }): Promise<void>;
}

/** What can wait for an answer. Not a saga's context: there, `.request` is a step, durable. */
export interface Requester {
  /**
   * Asks the contract's owner and waits for the answer; of a command without a reply, until it has been handled.
   *
   * @throws {RequestTimeoutError} if none comes in time
   * @throws {RequestFaultError} if the owner gave the request up
   * @throws {RequestInTransactionError} in an open transaction, which it would hold
   * @throws {RequestCycleError} where it would wait for the caller's own endpoint's last free slot, or own key
   */
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: RequestOptions,
  ): Promise<Reply>;
}
