/** What a value is, in words. @module */

/** What a value is instead of an object; `undefined` if it is one, and no array. */
export function otherThanObject(value: unknown): string | undefined {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? undefined : `a ${typeof value}`;
}
