/** Messages as rows. @module */
import { fromText, headersFromText, headersToText } from "../../src/envelope/stored_text.ts";
import type { Delivery, Outgoing } from "../../src/spi/transport.ts";
import type { SqlRow } from "../../stores/postgres/sql_client.ts";
import { bytesOf, column } from "../../stores/postgres/statement.ts";

/** The number of priorities. */
export const priorities = 256;
/** The queue of what a topic gets later. */
export const nowhere = 0;

/** What a row can be; whether it is leased is said beside. */
export const state = {
  ready: 2,
  /** Due later. */
  later: 3,
  /** Behind another of its key. */
  behind: 5,
} as const;

/** A row under a lease, as whoever holds it knows it. */
export interface Held {
  readonly place: number;
  readonly deliveries: number;
}

/** A row that was taken or looked at. */
export interface Found extends Held {
  /** Minus the priority: what is smaller comes first. */
  readonly rank: number;
  /** Whether the order of its key counts. */
  readonly keeps: boolean;
  readonly expired: boolean;
  readonly delivery: Delivery;
}

/** The columns of a {@linkcode Found}, of the table `m`, where the time is `now`. */
export function foundColumns(now: string): string {
  return `m.place, m.deliveries, m."rank", m.keeps, coalesce(m.expires_at <= ${now}, false), m."key", m.via, ` +
    `m.content_type, m.headers, m.body`;
}

/** As many columns of nothing. */
export const nothingFound = "NULL::int, NULL::int, NULL::boolean, NULL::boolean, NULL::text, NULL::text, NULL::text, " +
  "NULL::text, NULL::bytea";

/** What comes of a row, also of one that was damaged. */
export function foundOf(
  [place, deliveries, rank, keeps, expired, key, via, contentType, headers, body]: SqlRow,
): Found {
  const held = { place: Number(place), deliveries: Number(deliveries) };
  return {
    ...held,
    rank: Number(rank),
    keeps: keeps === true,
    expired: expired === true,
    delivery: deliveryOf(held.deliveries, key, String(via), String(contentType), String(headers), bytesOf(body)),
  };
}

function deliveryOf(
  deliveryCount: number,
  key: unknown,
  via: string,
  contentType: string,
  headers: string,
  body: Uint8Array,
): Delivery {
  try {
    return {
      frame: { contentType: fromText(contentType), headers: headersFromText(headers), body },
      key: key === null ? undefined : fromText(String(key)),
      via: fromText(via),
      deliveryCount,
    };
  } catch (error) {
    return {
      frame: { contentType: "", headers: {}, body },
      key: undefined,
      via: undefined,
      deliveryCount,
      unreadable: error instanceof Error ? error : new Error(String(error)),
    };
  }
}

/** By priority, then in order of their places. */
export function before(a: Pick<Found, "rank" | "place">, b: typeof a): number {
  return a.rank - b.rank || a.place - b.place;
}

/** The columns that a message brings, and their types. */
export const sentColumns = "address text, past json, key text, rank int, message_id text, content_type text, " +
  "headers text, start int, size int, expires float8, due float8, mandatory boolean";

/** What is sent to one address, as those columns hold it; its body lies elsewhere. */
export function sentOf(
  { frame, key, priority, expiresAt, dueAt, mandatory, messageId, to }: Outgoing,
  where: { readonly start: number; readonly size: number },
): Readonly<Record<string, unknown>> {
  return {
    address: column(to),
    key: key === undefined ? null : column(key),
    rank: priority === undefined ? 0 : -Math.min(Math.max(Math.trunc(priority), 0), priorities - 1),
    message_id: column(messageId),
    content_type: column(frame.contentType),
    headers: headersToText(frame.headers),
    ...where,
    expires: expiresAt ?? null,
    due: dueAt ?? null,
    mandatory,
  };
}
