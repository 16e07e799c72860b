/** Messages as rows. @module */
import { saysExpiry } from "../../src/envelope/expiry.ts";
import { fromText, headersFromText, headersToText, toText } from "../../src/envelope/stored_text.ts";
import type { Delivery, Outgoing } from "../../src/spi/transport.ts";

/** The number of priorities. */
export const priorities = 256;
/** The queue of what a topic gets later. */
export const nowhere = 0;

/** What a row can be. SQLite keeps 0 and 1 in no byte at all: from 2 on a row keeps its size when it changes. */
export const state = {
  waiting: 2,
  /** Due later. */
  later: 3,
  leased: 4,
  /** Behind another of its key. */
  behind: 5,
} as const;

/** What is copied from row to row: texts as columns hold them. */
export interface Contents {
  readonly key: string | null;
  /** Minus the priority: what is smaller comes first. */
  readonly rank: number;
  readonly message_id: string;
  readonly content_type: string;
  readonly headers: string;
  readonly body: Uint8Array;
  /** Epoch milliseconds. */
  readonly expires_at: number | null;
  readonly sent_at: number;
  /** 1: it is an error that no queue gets it. */
  readonly mandatory: number;
}

/** A row under a lease, as whoever holds it knows it. */
export interface Held {
  readonly place: number;
  readonly deliveries: number;
}

/** A row. */
export interface Row extends Contents, Held {
  readonly queue: number;
  readonly state: number;
  /** When it is due, or its lease ends. */
  readonly at: number;
  /** 1: the order of its key counts. */
  readonly keeps: number;
  readonly via: string;
}

/** What is sent, as columns hold it. */
export function contentsOf(outgoing: Outgoing, now: number): Contents {
  const { frame, key, priority, expiresAt } = outgoing;
  return {
    key: key === undefined ? null : toText(key),
    rank: priority === undefined ? 0 : -Math.min(Math.max(Math.trunc(priority), 0), priorities - 1),
    message_id: toText(outgoing.messageId),
    content_type: toText(frame.contentType),
    headers: headersToText(frame.headers),
    body: frame.body,
    expires_at: expiresAt === undefined ? null : Math.ceil(expiresAt),
    sent_at: Math.floor(now),
    mandatory: outgoing.mandatory ? 1 : 0,
  };
}

/** What comes of a row, also of one that was damaged. */
export function deliveryOf(row: Row): Delivery {
  try {
    return {
      frame: { contentType: fromText(row.content_type), headers: headersFromText(row.headers), body: row.body },
      key: row.key === null ? undefined : fromText(row.key),
      via: fromText(row.via),
      deliveryCount: row.deliveries,
    };
  } catch (error) {
    return {
      frame: { contentType: "", headers: {}, body: row.body },
      key: undefined,
      via: undefined,
      deliveryCount: row.deliveries,
      unreadable: error instanceof Error ? error : new Error(String(error)),
    };
  }
}

/** Whether whoever reads the message sees when it expires. */
export function tellsExpiry({ headers }: Row): boolean {
  try {
    return saysExpiry(headersFromText(headers));
  } catch {
    return false; // it was damaged
  }
}

/** By priority, then in order of their places. */
export function before(a: Pick<Row, "rank" | "place">, b: typeof a): number {
  return a.rank - b.rank || a.place - b.place;
}
