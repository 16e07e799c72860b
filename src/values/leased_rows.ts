/** Rows that a table of a store has given out. @module */

/** One of them. */
export class LeasedRow<out Row> {
  readonly row: Row;
  readonly fence: number;
  readonly attempts: number;
  readonly until: number;
  declare readonly unreadable?: Error;
  readonly #by: object;
  readonly #place: unknown;

  constructor(
    row: Row,
    fence: number,
    attempts: number,
    until: number,
    unreadable: Error | undefined,
    by: object,
    place: unknown,
  ) {
    this.row = row;
    this.fence = fence;
    this.attempts = attempts;
    this.until = until;
    if (unreadable !== undefined) this.unreadable = unreadable;
    this.#by = by;
    this.#place = place;
  }

  static placeOf(leased: object, by: object): unknown {
    return #place in leased && leased.#by === by ? leased.#place : undefined;
  }
}

/**
 * Gives out rows, and knows where each of its own is. The place is in the row itself, where nobody else sees it: a map of
 * so many is slow to collect, and small collections take all that is in a `WeakMap` for alive. Nor is a row a literal: V8
 * makes what many of those give in its old generation once a burst of them has outlived a small collection, and what they
 * refer to stays with them.
 */
export class LeasedRows<Row, Place> {
  /** The rest is as the interface of stores says of a leased row. */
  give(place: Place, row: Row, fence: number, attempts: number, until: number, unreadable?: Error): LeasedRow<Row> {
    return new LeasedRow(row, fence, attempts, until, unreadable, this, place);
  }

  /** Where a row is; `undefined`: it is none of these. */
  placeOf(leased: object): Place | undefined {
    return LeasedRow.placeOf(leased, this) as Place | undefined; // these give no other places
  }
}
