/** Copies of plain data, as they would come back from JSON. @module */

/** What a value takes as text at most, beside its letters: a number's digits, quotes, a colon and a comma. */
const mostEach = 32;
/** Of a letter, in bytes: `\u0000`. */
const mostPerLetter = 6;

/** How much of a copy under way may still come, in bytes of its text at most. */
let room = 0;

/**
 * A copy of what `JSON.stringify` writes without loss, equal to what `JSON.parse` would make of that; nobody else holds
 * any of it. `undefined` where in doubt, or where its text might be too large: then the text is to be written.
 *
 * @param depth how many containers may stand inside one another
 * @param bytes of its text
 */
export function copyIfPlain(value: object, depth: number, bytes: number): object | undefined {
  const outer = room; // of a copy whose getter or proxy has this one made
  room = bytes;
  try {
    return copyContainer(value, depth);
  } catch {
    return undefined; // A getter or proxy threw: the thorough writer meets it again and names the path.
  } finally {
    room = outer;
  }
}

function copyContainer(container: object, depth: number): object | undefined {
  // As in serialization/plain.ts.
  if (depth === 0 || (container as { readonly toJSON?: unknown }).toJSON !== undefined) return undefined;
  const prototype: unknown = Object.getPrototypeOf(container);
  if (Array.isArray(container)) return prototype === Array.prototype ? copyArray(container, depth) : undefined;
  // What `JSON.rawJSON` gave has none, and is its text.
  if (prototype !== Object.prototype && (prototype !== null || Object.hasOwn(container, "rawJSON"))) return undefined;
  const copy: Record<string, unknown> = {};
  for (const key in container) {
    // Assigned, it would be the prototype. What is inherited, if someone put any on Object.prototype, JSON leaves out.
    if (key === "__proto__" || !Object.hasOwn(container, key)) return undefined;
    const value = (container as Readonly<Record<string, unknown>>)[key];
    if (value === undefined) continue;
    const copied = copyValue(value, depth);
    if (copied === undefined || !takes(key)) return undefined;
    copy[key] = copied;
  }
  return copy;
}

function copyArray(values: readonly unknown[], depth: number): unknown[] | undefined {
  const copy: unknown[] = [];
  for (let at = 0; at < values.length; at++) {
    const copied = copyValue(values[at], depth);
    if (copied === undefined) return undefined;
    copy.push(copied);
  }
  return copy;
}

/** `undefined`: it is not plain. */
function copyValue(value: unknown, depth: number): unknown {
  room -= mostEach;
  if (room < 0) return undefined;
  switch (typeof value) {
    case "string":
      return takes(value) ? value : undefined;
    case "boolean":
      return value;
    case "number":
      // JSON has no −0.
      return value - value === 0 ? value + 0 : undefined;
    case "object":
      return value === null ? null : copyContainer(value, depth - 1);
    default:
      return undefined;
  }
}

function takes(text: string): boolean {
  room -= text.length * mostPerLetter;
  return room >= 0 && text.isWellFormed();
}

/** A copy of what {@linkcode copyIfPlain} gave, of which nobody else holds any part. */
export function copyOfPlain<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each: unknown) => copyOfPlain(each)) as Value; // as it was
  const copy = { ...value };
  for (const key in copy) {
    const part = copy[key];
    if (typeof part === "object" && part !== null) copy[key] = copyOfPlain(part);
  }
  return copy;
}

/** Whether two of them would be one text. */
export function isSamePlain(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((each, at) => isSamePlain(each, b[at]));
  }
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  const others = Object.keys(b);
  if (keys.length !== others.length) return false;
  // Neither is null, nor an array.
  const [values, otherValues] = [a, b] as [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>];
  return keys.every((key, at) => key === others[at] && isSamePlain(values[key], otherValues[key]));
}
