/** Statements, and how lists travel in them. @module */
import { toText } from "../../src/envelope/stored_text.ts";
import type { SqlValue } from "./sql_client.ts";

/** A statement with its values. */
export interface Statement {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** Now, by the database's clock, in epoch milliseconds: within a transaction time goes on. */
export const nowMs = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/**
 * One row to select from, of which a planner believes that there may be a million for each row that stands beside it: of
 * so many, the first are what it is quick to find. So it goes by the order of an index, and does not read and sort all
 * that is due, as it would while it takes that for a few rows: until a table is analyzed that has grown, or where many
 * buses share one.
 */
export const oneOfMany: string = "generate_series(1, (SELECT 1)), generate_series(1, (SELECT 1)) AS again";

/** Text as a column holds it. JSON of a half of a surrogate pair is refused by PostgreSQL. */
export function column(text: string): string {
  return toText(text).toWellFormed();
}

/**
 * Rows of a list that travels as one text of JSON, so that a statement is the same for every length, and no driver has
 * to know arrays. `n` counts from 1.
 *
 * @param parameter as in `$2`
 * @param columns as in `id text, size int`
 */
export function rowsOf(parameter: string, columns: string): string {
  const names = columns.split(",").map((each) => each.trim().split(" ")[0]).join(", ");
  return `ROWS FROM (json_to_recordset(${parameter}::text::json) AS (${columns})) WITH ORDINALITY AS r(${names}, n)`;
}

/**
 * Rows of lists, one for each column, which travel as texts of arrays: several times as cheap for the server as JSON.
 * `n` counts from 1. How long they are stands in a SELECT, and so is nothing to plan by: else each execution would be
 * planned anew, for its own length, which takes longer than most of them.
 *
 * @param first the number of the first parameter
 * @param columns as in `id text, size bigint`
 */
export function rowsOfLists(first: number, columns: string): string {
  const each = columns.split(",").map((column) => column.trim().split(" "));
  const lists = each.map(([, type], at) => `unnest((SELECT $${first + at}::text::${type}[]))`);
  return `ROWS FROM (${lists.join(", ")}) WITH ORDINALITY AS r(${each.map(([name]) => name).join(", ")}, n)`;
}

/** A list as the text of an array. Nothing in it is NULL: with `array_nulls = off` that is a text of four letters. */
export function listOf(values: readonly (string | number)[]): string {
  return listFrom(values, (value) => value);
}

/** The same, of what each item has. */
export function listFrom<Item>(items: readonly Item[], of: (item: Item) => string | number): string {
  let text = "";
  for (let at = 0; at < items.length; at++) {
    const value = of(items[at]!); // within it
    if (at > 0) text += ",";
    text += typeof value === "string" ? `"${escaped(value)}"` : value;
  }
  return `{${text}}`;
}

/** A letter is looked for several times faster than an expression, and hardly any text has one. */
function escaped(text: string): string {
  const once = text.includes("\\") ? text.replaceAll("\\", "\\\\") : text;
  return once.includes('"') ? once.replaceAll('"', '\\"') : once;
}

/** What stands in a list for a text that is not there: {@linkcode column} gives nothing such. */
export const noText = "\x1a";
/** A text of a list as it was. */
export function textOrNull(column: string): string {
  return `nullif(${column}, E'\\x1a')`;
}

/** Bodies one after the other: bytes have no place in JSON. */
export class Bytes {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Adds some, and says where they are. */
  add(bytes: Uint8Array): { readonly start: number; readonly size: number } {
    const start = this.#length;
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return { start, size: bytes.length };
  }

  /** All of them. */
  get all(): Uint8Array {
    if (this.#parts.length === 1) return this.#parts[0]!; // there is one
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

/** Where a runtime reads hexadecimal digits itself, that takes a fraction of what a driver takes for bytes. */
const { fromHex } = Uint8Array as { readonly fromHex?: (digits: string) => Uint8Array };

/** A column of bytes, as {@linkcode bytesOf} takes them. */
export function bytesIn(column: string): string {
  return fromHex === undefined ? column : `encode(${column}, 'hex')`;
}

/** Bytes as the library has them: drivers give kinds of their own. */
export function bytesOf(value: unknown): Uint8Array {
  if (typeof value === "string" && fromHex !== undefined) return fromHex(value);
  const bytes = value as Uint8Array; // of a column of bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * What a statement says by failing, as that undoes all: which of its list cannot be.
 *
 * @param kind as in `duplicate`
 */
export function refusal(kind: string): string {
  return `('hero ${kind} ' || r.n)::integer`;
}

/** Which of a list was refused; `undefined`: the error is another one. */
export function refused(error: unknown, kind: string): number | undefined {
  if (!(error instanceof Error)) return undefined;
  // Not with the marks around it: those are the server's language's.
  const found = new RegExp(`hero ${kind} (\\d+)`).exec(error.message)?.[1];
  return found === undefined ? undefined : Number(found) - 1;
}
