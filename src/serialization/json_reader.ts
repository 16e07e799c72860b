/** Restores what JSON lacks in a parsed body. @module */
import { UnreadableMessageError } from "../errors/receiving.ts";
import { fromBase64 } from "../values/base64.ts";
import { maxBigintDigits } from "./limits.ts";
import type { Kind, TypeTree } from "./type_tree.ts";

/** Up to this many keys are looked for in a value; where there are more, the value's keys are looked for among them. */
const few = 8;

/**
 * Restores, in place, what `types` names in a parsed JSON value. Takes time linear to both: each value is met once.
 *
 * @throws {UnreadableMessageError} if a value is not what its kind is written as
 */
export function restore(types: TypeTree, value: unknown): unknown {
  if (value === null) return null;
  if (typeof value === "object") {
    if (types.all !== undefined) {
      for (const key of Object.keys(value)) restoreOwn(types.all, value, key);
    } else if (types.keys !== undefined) {
      restoreKeys(types.keys, value);
    }
  }
  return types.kind === undefined ? value : restoreKind(types.kind, value);
}

function restoreKeys(types: ReadonlyMap<string, TypeTree>, value: object): void {
  if (types.size <= few) {
    for (const [key, child] of types) {
      if (Object.hasOwn(value, key)) restoreOwn(child, value, key);
    }
  } else {
    for (const key of Object.keys(value)) {
      const child = types.get(key);
      if (child !== undefined) restoreOwn(child, value, key);
    }
  }
}

function restoreOwn(types: TypeTree, holder: object, key: string): void {
  if (key === "length" && Array.isArray(holder)) return;
  const values = holder as Record<string, unknown>;
  const value = values[key];
  const restored = restore(types, value);
  if (restored === value) return;
  if (key !== "__proto__") values[key] = restored;
  else Object.defineProperty(holder, key, { value: restored, writable: true, enumerable: true, configurable: true });
}

function restoreKind(kind: Kind, value: unknown): unknown {
  switch (kind) {
    case "date":
      return restoreDate(value);
    case "bigint":
      if (typeof value === "string" && value.length <= maxBigintDigits && /^-?\d+$/.test(value)) return BigInt(value);
      throw unreadable(kind, "whole digits", value);
    case "bytes":
      return restoreBytes(kind, value);
    case "buffer":
      return restoreBytes(kind, value).buffer;
    case "map":
      return restoreMap(value);
    case "set": {
      if (!Array.isArray(value)) throw unreadable(kind, "an array", value);
      const set = new Set(value);
      if (set.size < value.length) throw unreadable(kind, "an array of different members", value);
      return set;
    }
  }
}

function restoreDate(value: unknown): Date {
  if (typeof value === "string" && isoInstant.test(value)) {
    const date = new Date(value);
    if (!Number.isNaN(date.getTime())) return date;
  }
  throw unreadable("date", "an ISO 8601 instant", value);
}

/** As `toISOString` writes it, and as other languages do: fewer or more digits of the second, an offset. */
const isoInstant = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

function restoreBytes(kind: Kind, value: unknown): Uint8Array<ArrayBuffer> {
  if (typeof value !== "string") throw unreadable(kind, "base64", value);
  try {
    return fromBase64(value);
  } catch (cause) {
    throw unreadable(kind, "base64", value, { cause });
  }
}

function restoreMap(value: unknown): Map<unknown, unknown> {
  const wanted = "an array of entries [key, value] with different keys";
  if (!Array.isArray(value)) throw unreadable("map", wanted, value);
  const map = new Map<unknown, unknown>();
  for (const entry of value as readonly unknown[]) {
    if (!Array.isArray(entry) || entry.length !== 2) throw unreadable("map", wanted, value);
    map.set(entry[0], entry[1]);
  }
  if (map.size < value.length) throw unreadable("map", wanted, value);
  return map;
}

function unreadable(kind: Kind, wanted: string, value: unknown, options?: ErrorOptions): UnreadableMessageError {
  const found = Array.isArray(value)
    ? "another array"
    : typeof value === "string"
    ? "another text"
    : `a ${typeof value}`;
  return new UnreadableMessageError(
    `its types header names a ${kind}, written as ${wanted}; there is ${found}`,
    options,
  );
}
