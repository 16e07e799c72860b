/** The rows of all buses that share a memory. @module */
import type { OutboxRow, ScheduleRow } from "../../src/spi/rows.ts";
import { KeyedLocks } from "../../src/values/keyed_locks.ts";
import { Cancelled } from "./cancelled.ts";
import { DueRows } from "./due_rows.ts";
import { Inbox } from "./inbox.ts";
import { Sagas } from "./sagas.ts";

/** A database for the stores of one process. Made with `memoryDatabase()`, passed to `memoryStore({ database })`. */
export interface MemoryDatabase {
  /** How many rows there are, of all buses. For tests. */
  readonly counts: MemoryDatabaseCounts;
}
/** How many rows a database has. */
export interface MemoryDatabaseCounts {
  /** Messages that are known to be handled. */
  readonly inbox: number;
  /** Instances. */
  readonly sagas: number;
  /** Messages to be sent, the parked ones with them. */
  readonly outbox: number;
  /** Messages to be sent later, the parked ones with them. */
  readonly schedules: number;
}

interface LeaseRecord {
  readonly owner: string;
  readonly fence: number;
  readonly until: number;
}

/** What one bus has. */
export class BusRows {
  /** By endpoint. */
  readonly inboxes: Map<string, Inbox> = new Map();
  readonly sagas: Sagas = new Sagas();
  readonly outbox: DueRows<OutboxRow> = new DueRows<OutboxRow>(({ id }) => id);
  readonly schedules: DueRows<ScheduleRow> = new DueRows<ScheduleRow>(({ token }) => token);
  readonly cancelled: Cancelled = new Cancelled();
  /** What was asked for last: a unit asks twice. */
  #endpoint = "";
  #inbox: Inbox | undefined;

  /** What an endpoint has handled. */
  inbox(endpoint: string): Inbox {
    if (this.#inbox !== undefined && endpoint === this.#endpoint) return this.#inbox;
    let inbox = this.inboxes.get(endpoint);
    if (inbox === undefined) this.inboxes.set(endpoint, inbox = new Inbox());
    this.#endpoint = endpoint;
    return this.#inbox = inbox;
  }
}

/** All rows, by bus. */
export class Database implements MemoryDatabase {
  readonly buses = new Map<string, BusRows>();
  /** Of sagas, by their names. */
  readonly locks: KeyedLocks = new KeyedLocks();
  readonly #leases = new Map<string, LeaseRecord>();
  /** What was asked for last: mostly there is one. */
  #bus = "";
  #rows: BusRows | undefined;

  /** As {@linkcode MemoryDatabase.counts}. */
  get counts(): MemoryDatabaseCounts {
    const counts = { inbox: 0, sagas: 0, outbox: 0, schedules: 0 };
    for (const { inboxes, sagas, outbox, schedules } of this.buses.values()) {
      for (const { size } of inboxes.values()) counts.inbox += size;
      counts.sagas += sagas.size;
      counts.outbox += outbox.size;
      counts.schedules += schedules.size;
    }
    return counts;
  }

  /** The rows of one bus. */
  of(bus: string): BusRows {
    if (this.#rows !== undefined && bus === this.#bus) return this.#rows;
    let rows = this.buses.get(bus);
    if (rows === undefined) this.buses.set(bus, rows = new BusRows());
    this.#bus = bus;
    return this.#rows = rows;
  }

  /** As `Store.sweep`. */
  sweep(limit: number, now: number): number {
    let count = 0;
    for (const { inboxes, cancelled } of this.buses.values()) {
      cancelled.sweep(now);
      for (const inbox of inboxes.values()) count += inbox.sweep(limit - count, now);
    }
    return count;
  }

  /** As `Store.lease`. */
  lease(name: string, owner: string, ms: number, now: number): { readonly fence: number } | undefined {
    const held = this.#leases.get(name);
    if (held !== undefined && held.owner !== owner && held.until > now) return undefined;
    const fence = held === undefined ? 1 : held.owner === owner ? held.fence : held.fence + 1;
    this.#leases.set(name, { owner, fence, until: now + ms });
    return { fence };
  }
}

/** The name of a saga's lock. */
export function sagaName(bus: string, saga: string, id: string): string {
  return `saga ${bus.length}:${bus}${saga.length}:${saga}${id}`;
}
