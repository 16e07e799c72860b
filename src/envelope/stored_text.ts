/** Text and headers as they lie in a column of a database. @module */
import type { FrameHeaders, NativeValue } from "../spi/frame.ts";

/**
 * Text as a column holds it. Some databases, and some runtimes, have no text with a NUL, so that is written as two other
 * characters; all else stays as it is, and readable.
 */
export function toText(text: string): string {
  return text.includes("\0") || text.includes("\x1a")
    ? text.replaceAll("\x1a", "\x1a1").replaceAll("\0", "\x1a0")
    : text;
}

/** The text that a column holds. */
export function fromText(column: string): string {
  return column.includes("\x1a") ? column.replaceAll("\x1a0", "\0").replaceAll("\x1a1", "\x1a") : column;
}

/** Text, numbers and booleans as JSON has them; the rest as a tag and a text. */
type Written = string | boolean | readonly [tag: "n" | "i" | "d" | "b", text: string];

/** Headers as text: JSON, in which NUL and lone surrogates are escaped. */
export function headersToText(headers: FrameHeaders): string {
  return JSON.stringify(Object.entries(headers).map(([name, value]) => [name, write(value)]));
}

/** The headers that a text holds. */
export function headersFromText(text: string): FrameHeaders {
  const entries = JSON.parse(text) as readonly (readonly [string, Written])[]; // written above
  const headers: Record<string, NativeValue> = {};
  for (const [name, value] of entries) {
    // That one cannot be assigned.
    if (name === "__proto__") return Object.fromEntries(entries.map(([name, value]) => [name, read(value)]));
    headers[name] = read(value);
  }
  return headers;
}

function write(value: NativeValue): Written {
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return ["n", Object.is(value, -0) ? "-0" : String(value)];
  if (typeof value === "bigint") return ["i", String(value)];
  if (value instanceof Date) return ["d", String(value.getTime())];
  let binary = "";
  for (let at = 0; at < value.length; at += 8_192) binary += String.fromCharCode(...value.subarray(at, at + 8_192));
  return ["b", btoa(binary)];
}

function read(written: Written): NativeValue {
  if (typeof written !== "object") return written;
  const [tag, text] = written;
  switch (tag) {
    case "n":
      return Number(text);
    case "i":
      return BigInt(text);
    case "d":
      return new Date(Number(text));
    case "b":
      return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  }
}
