/** Headers where a broker carries only text: each value with its type. */
import type { FrameHeaders, NativeValue } from "../../../src/spi/frame.ts";

type Packed = readonly [type: string, value: string];

/** All headers in one text. */
export function packHeaders(headers: FrameHeaders): string {
  return JSON.stringify(Object.entries(headers).map(([name, value]) => [name, ...pack(value)]));
}

/** What {@linkcode packHeaders} was given. */
export function unpackHeaders(packed: string): FrameHeaders {
  const entries = JSON.parse(packed) as readonly (readonly [string, ...Packed])[];
  return Object.fromEntries(entries.map(([name, ...value]) => [name, unpack(value)]));
}

function pack(value: NativeValue): Packed {
  if (value instanceof Uint8Array) return ["bytes", [...value].join(" ")];
  if (value instanceof Date) return ["date", String(value.getTime())];
  return [typeof value, String(value)];
}

function unpack([type, value]: Packed): NativeValue {
  switch (type) {
    case "bytes":
      return Uint8Array.from(value === "" ? [] : value.split(" "), Number);
    case "date":
      return new Date(Number(value));
    case "number":
      return Number(value);
    case "boolean":
      return value === "true";
    case "bigint":
      return BigInt(value);
    default:
      return value;
  }
}
