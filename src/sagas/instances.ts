/** The instances of a saga, as an application and its operators see them. @module */
import type { ExceptionInfo } from "../errors/exception_info.ts";
import { type Event, event } from "../contracts/event.ts";
import type { Instant } from "../values/instant.ts";
import type { Shape, StateOf } from "./context.ts";

/** An instance as it is stored. */
export interface SagaView<S extends Shape> {
  /** By what its events are correlated with. */
  readonly id: string;
  /** The state that it is in. */
  readonly state: StateOf<S> | "initial" | "final";
  /** A copy: changing it changes nothing. */
  readonly data: S["data"];
  /** New for each instance: tells it apart from others that have had the same id. */
  readonly incarnation: string;
  /** How often it was written. */
  readonly version: number;
  /** The timeouts that are on their way. */
  readonly timeouts: readonly S["timeout"][];
  /** The ids of requests that have not been answered. */
  readonly requests: readonly string[];
  /** The names of what is to be undone, in the order in which it was registered. */
  readonly undos: readonly string[];
  /** Whether undos are being run. */
  readonly compensating: boolean;
}

/** One thing that has happened to an instance. */
export interface SagaHistoryEntry {
  /** By the clock of the process that handled it. */
  readonly at: Date;
  /** Which of the instances that have had the id. */
  readonly incarnation: string;
  /** How often the instance had been written with it. */
  readonly version: number;
  /**
   * What came: an event, a timeout, the answer to a request, or that there is none, an undo that was due; or an
   * operator, with `set`.
   */
  readonly kind: "event" | "timeout" | "completed" | "faulted" | "timedOut" | "compensate" | "set";
  /** The name of the event or timeout. */
  readonly name: string | undefined;
  /** The message that brought it, as it was handled. */
  readonly message: unknown;
  /** Of that message. */
  readonly messageId: string | undefined;
  /** Of that message. */
  readonly conversationId: string | undefined;
  /** The endpoint that sent it, as in `queue:orders`; of `set`, who said to have done it. */
  readonly by: string | undefined;
  /** The transitions that were made, in order. */
  readonly transitions: readonly { readonly from: string; readonly to: string }[];
  /** The state afterwards. */
  readonly state: string;
  /** Of `set`: why. */
  readonly reason: string | undefined;
}

/** What an operator changes of an instance; what is left out stays. */
export interface SagaCorrection<S extends Shape> {
  /** No rule runs: neither those of the state that is left nor those of the one that is entered. */
  readonly state?: StateOf<S> | "final";
  /** In place of what there is. */
  readonly data?: S["data"];
}

/** The instances of a saga: `bus.sagas(OrderSaga)`. */
export interface SagaInstances<S extends Shape> {
  /**
   * One, if it is there.
   *
   * @throws {UnreadableSagaError}, {@linkcode SagaVersionAheadError} if this version of the saga does not go with it
   */
  get(id: string): Promise<SagaView<S> | undefined>;
  /**
   * Those that have these values in their indexes, or all, in order of their ids.
   *
   * @param where properties that are `indexes` of the saga; none: all instances
   * @param options `after`: behind that id. `limit`: at most so many; 100 unless said otherwise
   * @throws {ConfigurationError} if one is no index, and what `get` throws
   */
  find(
    where: Partial<S["data"]>,
    options?: { readonly after?: string; readonly limit?: number },
  ): Promise<readonly SagaView<S>[]>;
  /** How many there are: all, or those in a state. */
  count(state?: StateOf<S> | "initial" | "final"): Promise<number>;
  /**
   * What has happened to the instances that have had an id, oldest first: of a saga with `history: true`, and whatever
   * `set` has done.
   */
  history(id: string): AsyncIterable<SagaHistoryEntry>;
  /**
   * Changes an instance by hand. No rule runs; its timeouts and requests stay, unless it is over then: whoever waits for
   * what an answer would have led to is told by a fault. What was done is kept in its history. Not a way to answer for
   * messages: `redeliver` is.
   *
   * @param options `reason`: why, for whoever reads the history. `by`: who
   * @throws {SagaNotFoundError} if it is not there
   * @throws {ConfigurationError} if the saga has no such state, {@linkcode InvalidSagaDataError} if its schema refuses
   * the data
   */
  set(
    id: string,
    correction: SagaCorrection<S>,
    options: { readonly reason: string; readonly by?: string },
  ): Promise<void>;
  /**
   * Puts back the messages for an instance that its endpoint has given up, from its error queue. Where it compensates
   * and there is none, its compensation goes on.
   *
   * @returns how many are handled again
   */
  redeliver(id: string): Promise<number>;
  /**
   * Deletes what is kept of an instance that is over: the instance, where its saga archives them, and the history of all
   * that have had its id.
   *
   * @returns whether there was anything
   * @throws {ConfigurationError} if one of that id is not over
   */
  forget(id: string): Promise<boolean>;
  /**
   * Deletes what has happened to instances of the saga before a time, whether they are over or not: no instance needs its
   * history. Archived instances stay. Looks through what is kept: for the quiet hours.
   *
   * @param options `limit`: at most so many entries; 1,000 unless said otherwise
   * @returns how many entries were deleted: fewer than `limit` once there are none left
   * @throws {InvalidInstantError} if it is no time
   */
  prune(before: Instant, options?: { readonly limit?: number }): Promise<number>;
}

/** That an undo was given up: the instance stays as it was before, and its message waits in the error queue. */
export interface CompensationFailed {
  /** The saga's name. */
  readonly saga: string;
  /** The instance's. */
  readonly id: string;
  /** The name under which the undo was registered. */
  readonly undo: string;
  /** What it failed with, the reason first. */
  readonly exceptions: readonly ExceptionInfo[];
  /** Of the message that waits for an operator in the endpoint's error queue. */
  readonly messageId: string;
  /** ISO 8601. */
  readonly timestamp: string;
}

/**
 * Published when an undo of a compensation has failed for good. Once its cause is mended, `bus.sagas(…).redeliver(id)`
 * goes on with it.
 */
export const CompensationFailed: Event<CompensationFailed> = event<CompensationFailed>("hero.compensation-failed");
