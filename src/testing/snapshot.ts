/** What a test is shown of a message. @module */

/**
 * A message as it is now, whatever its sender makes of it later: its plain objects and lists are copied, all else is as it
 * was. Of what cannot be read, the thing itself: it is refused as a message.
 */
export function snapshot(message: unknown): unknown {
  try {
    return copied(message, new Map());
  } catch {
    return message; // a getter or proxy threw
  }
}

/** @param done by what they are copies of: an object may stand in several places, or in itself */
function copied(value: unknown, done: Map<object, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = done.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    done.set(value, list);
    for (const each of value) list.push(copied(each, done));
    return list;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy = Object.create(prototype as object | null) as object;
  done.set(value, copy);
  for (const [key, each] of Object.entries(value)) {
    // Assigned, one that is named `__proto__` would be the prototype.
    Object.defineProperty(copy, key, {
      value: copied(each, done),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return copy;
}
