/** Messages as rows. @module */
import { fromText, headersFromText, headersToText } from "../../src/envelope/stored_text.ts";
import type { Delivery, Outgoing } from "../../src/spi/transport.ts";
import type { SqlRow } from "../../stores/postgres/sql_client.ts";
import { bytesIn, bytesOf, column } from "../../stores/postgres/statement.ts";

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
    `m.content_type, m.headers, ${bytesIn("m.body")}`;
}

/** As many columns of nothing. */
export const nothingFound: string = "NULL::int, NULL::int, NULL::boolean, NULL::boolean, NULL::text, NULL::text, " +
  `NULL::text, NULL::text, ${bytesIn("NULL::bytea")}`;

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

/** The columns that a message brings, by short names, as each row says them again; and what they are called then. */
export const sentColumns =
  "a text, v json, k text, r int, i text, c text, h text, s int, z int, e float8, d float8, m boolean";
export const sentNames = `r.a AS address, r.v AS past, r.k AS "key", coalesce(r.r, 0) AS "rank", r.i AS message_id, ` +
  `r.c AS content_type, r.h AS headers, r.s AS start, r.z AS size, r.e AS expires, r.d AS due, ` +
  `coalesce(r.m, false) AS mandatory`;

/** A priority as a row has it. */
export function rankOf(priority = 0): number {
  return -Math.min(Math.max(Math.trunc(priority), 0), priorities - 1);
}

/** One message, as its own statement takes it: in order, but for what says where it is. */
export function oneOf(
  { frame, to, priority, expiresAt, mandatory, messageId }: Outgoing,
): readonly (string | Uint8Array | null)[] {
  return [
    column(to),
    String(rankOf(priority)),
    column(messageId),
    column(frame.contentType),
    headersToText(frame.headers),
    frame.body,
    expiresAt === undefined ? null : String(expiresAt),
    String(mandatory),
  ];
}

/** What is sent to one address, as those columns hold it; its body lies elsewhere. What is usual is left out. */
export function sentOf(
  { frame, key, priority, expiresAt, dueAt, mandatory, messageId }: Outgoing,
  to: string,
  { start, size }: { readonly start: number; readonly size: number },
): Readonly<Record<string, unknown>> {
  return {
    a: column(to),
    k: key === undefined ? undefined : column(key),
    r: priority === undefined ? undefined : rankOf(priority),
    i: column(messageId),
    c: column(frame.contentType),
    h: headersToText(frame.headers),
    s: start,
    z: size,
    e: expiresAt,
    d: dueAt,
    m: mandatory || undefined,
  };
}
