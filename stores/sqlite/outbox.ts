/** Messages to be sent once they are due. @module */
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Leased } from "../../src/spi/store.ts";
import type { Connection } from "./connection.ts";
import { DueTable } from "./due_table.ts";

/** How long what a commit gives is leased where the scope does not say. */
const defaultLeaseMs = 30_000;

/** What a unit wrote, and what of it is its own to send. */
export interface Written {
  readonly leased: readonly Leased<OutboxRow>[];
  /** When the first of them is free for anyone. */
  readonly freeAt: number;
}

/** The outbox' statements. */
export class Outbox extends DueTable<OutboxRow> {
  /** @param prefix of the tables */
  constructor(prefix: string) {
    super({ table: `${prefix}outbox`, more: "", values: () => [], read: (row) => row });
  }

  /** Writes a unit's rows; those that are due come back leased, as far as nothing goes before them. */
  write(
    connection: Connection,
    bus: string,
    rows: readonly OutboxRow[],
    leaseMs: number | undefined,
    now: number,
  ): Written {
    const lease = { until: Math.ceil(now + (leaseMs ?? defaultLeaseMs)), mine: new Set<number>() };
    const leased: Leased<OutboxRow>[] = [];
    let freeAt = Infinity;
    for (const row of rows) {
      const written = this.insert(connection, bus, row, now, lease);
      if (written === undefined) continue;
      freeAt = Math.min(freeAt, written.freeAt);
      if (written.leased !== undefined) leased.push(written.leased);
    }
    return { leased, freeAt };
  }
}
