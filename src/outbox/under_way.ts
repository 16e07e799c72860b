/** Messages of rows of which the broker has not said yet that it has them. @module */
import type { OutgoingMessage } from "../pipeline/outgoing_message.ts";
import type { OutboxRow, ScheduleRow } from "../spi/rows.ts";
import type { Leased } from "../spi/store.ts";

/** One row's; no literal, as none outlives what refers to it then. */
class Send {
  readonly row: OutboxRow;
  /** `undefined`: it is over. */
  message: OutgoingMessage | undefined;

  constructor(row: OutboxRow, message: OutgoingMessage) {
    this.row = row;
    this.message = message;
  }
}

/** Rows that were leased together, until all of them are over. */
export class SendBatch {
  readonly #sends: Send[] = [];
  /** What was under way when they were leased, by name: of those that were leased before. */
  readonly again: ReadonlyMap<string, OutgoingMessage> | undefined;
  left: number;

  constructor(size: number, again: ReadonlyMap<string, OutgoingMessage> | undefined) {
    this.left = size;
    this.again = again;
  }

  get sends(): readonly Send[] {
    return this.#sends;
  }
  begin(row: OutboxRow, message: OutgoingMessage): Send {
    const send = new Send(row, message);
    this.#sends.push(send);
    return send;
  }
}

/**
 * What is under way. A row whose lease ends meanwhile is claimed again, mostly by the same process, and must not be sent
 * beside itself. Kept by batch: a place in a table for each row took a tenth of all that is done for it.
 */
export class UnderWay {
  readonly #batches = new Set<SendBatch>();

  begin(rows: readonly Leased<OutboxRow>[]): SendBatch {
    const batch = new SendBatch(rows.length, this.#of(rows));
    this.#batches.add(batch);
    return batch;
  }
  /** One of its rows is over. */
  over(batch: SendBatch): void {
    if (--batch.left === 0) this.#batches.delete(batch);
  }

  #of(rows: readonly Leased<OutboxRow>[]): ReadonlyMap<string, OutgoingMessage> | undefined {
    if (this.#batches.size === 0 || rows.every(({ fence }) => fence === 1)) return undefined;
    const found = new Map<string, OutgoingMessage>();
    for (const { sends } of this.#batches) {
      for (const { row, message } of sends) if (message !== undefined) found.set(nameOf(row), message);
    }
    return found;
  }
}

/** One row's own: schedules may share a message id. */
export function nameOf(row: OutboxRow | ScheduleRow): string {
  return "token" in row ? row.token : row.id;
}
