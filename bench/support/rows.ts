/** Rows of an outbox and of schedules, as a bus writes them. @module */
import { type Command, command } from "../../mod.ts";
import type { Address } from "../../src/spi/transport.ts";
import type { Changes, OutboxRow, ScheduleRow } from "../../src/spi/rows.ts";
import type { Store } from "../../src/spi/store.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { createUuidV7 } from "../../src/values/uuid_v7.ts";

/** The bus that they belong to. */
export const busName = "bench";
/** Where those go that are handled: the queue of the endpoint `sink`. */
const sink = "queue:sink";
/** Where those go that nobody handles. */
export const nobody: Address = "topic:bench.drained";
/** What they are, with the time for which they were written. */
export const Drained: Command<{ readonly dueAt: number }> = command("bench.drained");
/** So many are written in one unit. */
const ROWS_AT_ONCE = 1000;

const encoder = new TextEncoder();
/** An id as a bus makes them: in the order of time, so that an index has those together that come together. */
export const newId: () => string = createUuidV7(systemClock);
let made = 0;

/** A command with a new id. */
export function outboxRow(dueAt: number, to: Address = sink): OutboxRow {
  const id = newId();
  const number = ++made;
  return {
    id,
    group: "bench",
    key: undefined,
    to,
    frame: {
      contentType: "application/json",
      headers: {
        "hero-id": id,
        "hero-type": "bench.drained",
        "hero-sent-at": "2026-01-01T00:00:00.000Z",
      },
      body: encoder.encode(JSON.stringify({ number, dueAt, payload: "x".repeat(100) })),
    },
    dueAt,
    expiresAt: undefined,
  };
}

/** The same for a time. */
export function scheduleRow(dueAt: number): ScheduleRow {
  const row = outboxRow(dueAt);
  return { ...row, token: row.id };
}

/** Writes in units of a thousand rows, and leaves all of them to whoever claims them. */
export async function writeAll(
  store: Store<unknown>,
  count: number,
  changes: (count: number) => Partial<Changes>,
): Promise<void> {
  for (let left = count; left > 0; left -= ROWS_AT_ONCE) {
    const unit = await store.begin({
      bus: busName,
      partition: "bench",
      inbox: [],
      signal: new AbortController().signal,
      leaseMs: 0,
    });
    await unit.commit({ sagas: [], outbox: [], schedules: [], ...changes(Math.min(ROWS_AT_ONCE, left)) });
  }
}

/** Backlog of an outbox. */
export function writeOutbox(store: Store<unknown>, count: number, to?: Address): Promise<void> {
  return writeAll(store, count, (some) => ({ outbox: Array.from({ length: some }, () => outboxRow(0, to)) }));
}

/** Schedules, each at its time. */
export function writeSchedules(store: Store<unknown>, count: number, dueAt: (i: number) => number): Promise<void> {
  let i = 0;
  return writeAll(store, count, (some) => ({
    schedules: Array.from({ length: some }, () => ({ put: scheduleRow(dueAt(i++)) })),
  }));
}
