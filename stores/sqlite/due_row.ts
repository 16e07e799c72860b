/** Messages that wait, as they were written. @module */
import { fromText } from "../../src/envelope/stored_text.ts";
import { UnreadableRowError } from "../../src/errors/store.ts";
import { toError } from "../../src/errors/thrown.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import { bytesOf, numberOf, textOf, textOrNone } from "./columns.ts";
import { storeName } from "./errors.ts";
import { fromHeaders } from "./text.ts";

/** A row as statements give it. */
export interface Found {
  readonly place: number;
  readonly bus: string;
  readonly id: string;
  readonly unit: string;
  readonly key: string | null;
  readonly destination: string;
  readonly content_type: string;
  readonly headers: Uint8Array;
  readonly body: Uint8Array;
  readonly written_due_at: number;
  readonly expires_at: number | null;
  readonly due_at: number;
  readonly free_at: number;
  readonly waits: number;
  readonly fence: number;
  readonly attempts: number;
  readonly error: string | null;
  /** Of schedules. */
  readonly token?: string;
}
/** A row, and what is wrong with it, if anything is. */
export interface Read<out Row> {
  readonly row: Row;
  readonly unreadable?: Error;
}

/**
 * Reads a row, or what of it can be read.
 *
 * @param more adds what rows of its kind have beside
 */
export function readRow<Row extends OutboxRow>(
  table: string,
  found: Found,
  more: (row: OutboxRow, found: Found) => Row,
): Read<Row> {
  try {
    return { row: more(exact(found), found) };
  } catch (thrown) {
    const { id, token } = found;
    const what = `the message "${text(id)}" in "${table}"`;
    const cause = toError(thrown);
    return {
      row: more(partial(found), { ...found, token: token === undefined ? "" : text(token) }),
      unreadable: new UnreadableRowError(storeName, what, cause.message, { cause }),
    };
  }
}

function exact(found: Found): OutboxRow {
  return {
    id: textOf(found.id, "id"),
    group: textOf(found.unit, "unit"),
    key: textOrNone(found.key, "key"),
    to: textOf(found.destination, "destination") as OutboxRow["to"], // written as one
    frame: {
      contentType: textOf(found.content_type, "content_type"),
      headers: fromHeaders(bytesOf(found.headers, "headers")),
      body: bytesOf(found.body, "body"),
    },
    dueAt: numberOf(found.written_due_at, "written_due_at"),
    expiresAt: found.expires_at === null ? undefined : numberOf(found.expires_at, "expires_at"),
  };
}

function partial(found: Found): OutboxRow {
  return {
    id: text(found.id),
    group: text(found.unit),
    key: found.key === null ? undefined : text(found.key),
    to: text(found.destination) as OutboxRow["to"], // nothing is sent there
    frame: {
      contentType: text(found.content_type),
      headers: {},
      body: found.body instanceof Uint8Array ? found.body : new Uint8Array(),
    },
    dueAt: Number(found.written_due_at),
    expiresAt: undefined,
  };
}

function text(column: unknown): string {
  return typeof column === "string" ? fromText(column) : "";
}
