/** A unit of work, as handlers and what they send see it. @module */
import type { InUnit } from "../spi/store.ts";
import type { SendTarget } from "./outgoing_message.ts";

/** The unit of work of one attempt: what handlers send goes into it, and becomes true together with what they write. */
export interface OpenUnit extends SendTarget {
  /**
   * The store's transaction.
   *
   * @throws {TransactionEndedError} once the unit has ended
   */
  readonly tx: unknown;
  /** For `Store.tx`. Throws as `tx` does. */
  readonly own: InUnit["~unit"];
  /** Whether anybody has asked for the transaction: it is open then, and nothing must wait in it. */
  readonly opened: boolean;
  /**
   * The commit waits for it: what middleware or a schema holds up belongs to the unit all the same.
   *
   * @returns what the sender waits for
   */
  track<Result>(sending: Promise<Result>): Promise<Result>;
}
