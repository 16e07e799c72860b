/** What columns hold, which in SQLite may be of any type. @module */
import { fromText } from "../../src/envelope/stored_text.ts";

/** @throws {TypeError} if it is no text */
export function textOf(column: unknown, name: string): string {
  if (typeof column === "string") return fromText(column);
  throw wrong(column, name, "a text");
}
/** The same of one that may be empty. */
export function textOrNone(column: unknown, name: string): string | undefined {
  return column === null ? undefined : textOf(column, name);
}
/** @throws {TypeError} if it is no blob */
export function bytesOf(column: unknown, name: string): Uint8Array {
  if (column instanceof Uint8Array) return column;
  throw wrong(column, name, "a blob");
}
/** @throws {TypeError} if it is no number */
export function numberOf(column: unknown, name: string): number {
  if (typeof column === "number") return column;
  throw wrong(column, name, "a number");
}

function wrong(column: unknown, name: string, what: string): TypeError {
  const found = column === null ? "empty" : typeof column === "string" ? "a text" : `a ${typeof column}`;
  return new TypeError(`its column "${name}" is ${column instanceof Uint8Array ? "a blob" : found}, and not ${what}`);
}
