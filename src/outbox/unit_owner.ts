/** What a unit of work needs of its bus. @module */
import type { OutgoingMessage } from "../pipeline/outgoing_message.ts";
import type { InboxKey, OutboxRow } from "../spi/rows.ts";
import type { Leased, Store, Unit } from "../spi/store.ts";
import type { Enlistment, Receiver } from "../spi/transport.ts";

/** Whose units they are: what a bus has of its store. */
export interface UnitOwner {
  readonly store: Store<unknown>;
  /** The rows of messages, in their order. */
  rowsOf(messages: readonly OutgoingMessage[]): Promise<readonly OutboxRow[]> | readonly OutboxRow[];
  /** Does to a message what is done to all that the bus sends. */
  transform(message: OutgoingMessage): Promise<void> | undefined;
  /** Where the broker lives in the store's database: its end of a unit's transaction. */
  enlist(unit: Pick<Unit<unknown>, "tx">, receiver: Receiver | undefined): Enlistment | undefined;
  /** Whether the broker keeps a message until it is due. */
  carries(message: OutgoingMessage): boolean;
  /** The broker has a message by a unit's own commit. */
  sent(message: OutgoingMessage): void;
  /**
   * Sends what a commit has left to this process.
   *
   * @param now what the time was lately, if it was looked at
   */
  committed(
    rows: readonly OutboxRow[],
    leased: readonly Leased<OutboxRow>[],
    messages: readonly OutgoingMessage[],
    now: number | undefined,
  ): void;
  /** A unit has failed, for whatever reason. */
  failed(error: unknown): void;
  /** Warns of a unit that has held the store's only writer for too long. */
  ended(inbox: readonly InboxKey[], heldSince: number): void;
}
