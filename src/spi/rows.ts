/** What a store keeps: rows, and what a unit of work makes of them. @module */
import type { Frame } from "./frame.ts";
import type { Address } from "./transport.ts";

/** One message at one endpoint. */
export interface MessageKey {
  /** The endpoint that handles it. */
  readonly endpoint: string;
  /** With the number of its deferrals, as a deferred message is handled again on purpose. */
  readonly messageId: string;
}
/** The same, as what must have an effect once. */
export interface InboxKey extends MessageKey {
  /** Epoch milliseconds. */
  readonly keepUntil: number;
}
/** A saga's instance, by what its events are correlated with. */
export interface InstanceKey {
  /** The name of the saga. */
  readonly saga: string;
  /** What its events are correlated with. */
  readonly id: string;
}
/** A saga's instance. */
export interface SagaRow {
  /** The name of the saga. */
  readonly saga: string;
  /** The instance, by what its events are correlated with. */
  readonly id: string;
  /** New for each instance, so that a timeout of an earlier one with the same id is told apart. */
  readonly incarnation: string;
  /** Of the row: 1, 2, … */
  readonly version: number;
  /** Of the data's schema. */
  readonly schema: number;
  /** Its state's name; of a sub-state `a.b`. */
  readonly state: string;
  /** The data as the serializer wrote it. */
  readonly data: Uint8Array;
  /** The `hero-types` of the data. */
  readonly types: string | undefined;
  /** The values of the saga's `indexes`, as text. */
  readonly index: Readonly<Record<string, string>>;
}
/** What has happened to a saga's instance with one commit, kept where its saga asks for it. */
export interface SagaHistoryRow {
  /** As in {@linkcode SagaRow}. */
  readonly saga: string;
  /** As in {@linkcode SagaRow}. */
  readonly id: string;
  /** As in {@linkcode SagaRow}. */
  readonly incarnation: string;
  /** Of the instance's row, once it had happened. */
  readonly version: number;
  /** Epoch milliseconds. */
  readonly at: number;
  /** What it was, as the serializer wrote it. */
  readonly data: Uint8Array;
  /** The `hero-types` of the data. */
  readonly types: string | undefined;
}
/** Which rows of a saga's history are meant: of all instances that have had an id, or from before a time in epoch ms. */
export type HistorySelection = { readonly id: string } | { readonly before: number };
/** A message to be sent once it is due. */
export interface OutboxRow {
  /** The message's id: the same row twice is one. */
  readonly id: string;
  /** The unit that wrote it: its rows of one key leave in the order in which it listed them. */
  readonly group: string;
  /** Ordering key; `undefined`: none, and free to overtake. */
  readonly key: string | undefined;
  /** Where it goes, as in `Outgoing.to`. */
  readonly to: Address;
  /** What is sent, as it is. */
  readonly frame: Frame;
  /**
   * Epoch milliseconds; 0: now, and no sooner than an unsent row of its key whose time was "now" too, unless the clock
   * was set back by more than {@linkcode mostSetBackMs} since: the row would wait as long.
   */
  readonly dueAt: number;
  /** Epoch milliseconds; `undefined`: never. */
  readonly expiresAt: number | undefined;
  /** Whether its id was made for it, so that no row has it: a store need not look. Left out: it may have been given. */
  readonly fresh?: boolean | undefined;
}
/** A message to be sent at a time, unless it is cancelled before. */
export interface ScheduleRow extends OutboxRow {
  /**
   * A second row with it replaces the first: recurring runs have the same token in every process. Its `group` is of this
   * one call: see {@linkcode ScheduleCancel}.
   */
  readonly token: string;
}
/** For how long a store remembers a {@linkcode ScheduleCancel.group}: longer than any transaction lasts. */
export const keepCancelledMs = 86_400_000;
/** A clock that is set back by no more than this reorders no key: see {@linkcode OutboxRow.dueAt}. */
export const mostSetBackMs = 30_000;
/** What a unit makes of a saga's instance: see {@linkcode Changes}. */
export interface SagaChange {
  /** As it was loaded. */
  readonly before: SagaRow | undefined;
  /** As it is to be. */
  readonly after: SagaRow | undefined;
  /** What has happened to it, in this order. It outlives the instance. */
  readonly history?: readonly SagaHistoryRow[];
}
/** What a unit writes. Nothing depends on the order of the lists. */
export interface Changes {
  /**
   * `before` undefined: must not exist; `after` undefined: is deleted; else `before.version` must still be there. Both
   * undefined: it was over at once, and only its history is written.
   */
  readonly sagas: readonly SagaChange[];
  /** In the order in which they shall leave, per key. */
  readonly outbox: readonly OutboxRow[];
  /** Cancelling what is not there, or no longer, is no error. */
  readonly schedules: readonly ({ readonly put: ScheduleRow } | ScheduleCancel)[];
}
/** Takes back what is scheduled under a token. */
export interface ScheduleCancel {
  /** The token. Whatever is there goes. */
  readonly cancel: string;
  /**
   * The group of a row that is to go also if a transaction that has not ended yet brings it: for a day, a row of this
   * token and group is not claimed. Left out: nothing can still come.
   */
  readonly group?: string;
}
