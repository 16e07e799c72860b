/** Messages of rows of which the broker has not said yet that it has them. @module */
import type { OutgoingMessage } from "../pipeline/outgoing_message.ts";
import type { OutboxRow, ScheduleRow } from "../spi/rows.ts";
import type { Leased } from "../spi/store.ts";

/** Rows of one key that go one after the other. */
export interface Chain<Row> {
  /** Those that have not begun, in order. */
  rest: Leased<Row>[];
  /** When their lease ends, by this process' clock, at the earliest. */
  until: number;
}

/** One row's. */
class Send<Row> {
  /** By the last lease: that is what the store is told of. */
  leased: Leased<Row>;
  readonly message: OutgoingMessage;
  readonly batch: SendBatch<Row>;
  readonly chain: Chain<Row> | undefined;
  over = false;

  constructor(
    leased: Leased<Row>,
    message: OutgoingMessage,
    batch: SendBatch<Row>,
    chain: Chain<Row> | undefined,
  ) {
    this.leased = leased;
    this.message = message;
    this.batch = batch;
    this.chain = chain;
  }

  /**
   * It has been leased anew, and what follows it in its key. However often, it is waited for once.
   *
   * @param chain is left empty
   * @returns how many more are to be sent than were
   */
  renew(leased: Leased<Row>, chain: Chain<Row> | undefined): number {
    this.leased = leased;
    if (this.chain === undefined || chain === undefined) return 0;
    const more = chain.rest.length - this.chain.rest.length;
    this.batch.left += more;
    this.chain.rest = chain.rest;
    this.chain.until = chain.until;
    chain.rest = [];
    return more;
  }
}
export type { Send };

/** Rows that were leased together, until all of them are over. */
export class SendBatch<Row> {
  /** What was under way when they were leased, by name: of those that were leased before. */
  readonly again: ReadonlyMap<string, Send<Row>> | undefined;
  left: number;
  #sends: Send<Row>[] = [];

  constructor(size: number, again: ReadonlyMap<string, Send<Row>> | undefined) {
    this.left = size;
    this.again = again;
  }

  get sends(): readonly Send<Row>[] {
    return this.#sends;
  }
  begin(leased: Leased<Row>, message: OutgoingMessage, chain: Chain<Row> | undefined): Send<Row> {
    const send = new Send(leased, message, this, chain);
    this.#sends.push(send);
    return send;
  }
  /** One of them is over. Those that are no longer under way are not kept for one that is. */
  end(): void {
    if (--this.left * 2 < this.#sends.length) this.#sends = this.#sends.filter(({ over }) => !over);
  }
}

/**
 * What is under way. A row whose lease ends meanwhile is claimed again, mostly by the same process, and must not be sent
 * beside itself. Kept by batch: a place in a table for each row took a tenth of all that is done for it.
 */
export class UnderWay<Row extends OutboxRow> {
  readonly #batches = new Set<SendBatch<Row>>();

  begin(rows: readonly Leased<Row>[]): SendBatch<Row> {
    const batch = new SendBatch(rows.length, this.#of(rows));
    this.#batches.add(batch);
    return batch;
  }
  /** One of its rows is over. */
  over(batch: SendBatch<Row>): void {
    batch.end();
    if (batch.left === 0) this.#batches.delete(batch);
  }

  #of(rows: readonly Leased<Row>[]): ReadonlyMap<string, Send<Row>> | undefined {
    if (this.#batches.size === 0 || rows.every(({ fence }) => fence === 1)) return undefined;
    const names = new Set(rows.map(({ row }) => nameOf(row)));
    const found = new Map<string, Send<Row>>();
    for (const { sends } of this.#batches) {
      for (const send of sends) {
        const name = nameOf(send.leased.row);
        if (!send.over && names.has(name)) found.set(name, send);
      }
    }
    return found;
  }
}

/** One row's own: schedules may share a message id. */
export function nameOf(row: OutboxRow | ScheduleRow): string {
  return "token" in row ? row.token : row.id;
}
