/** What is plain JSON already. @module */

const objectPrototype: object = Object.prototype;
const arrayPrototype: object = Array.prototype;

/**
 * Whether `JSON.stringify` writes `value` without loss, lone surrogates apart (they show in its output). Says `false`
 * where in doubt: the thorough writer then decides and names what is wrong. So it may be quick: no path, no set of
 * seen objects (a cycle exceeds `depth`).
 */
export function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return value - value === 0;
    case "object":
      return value === null || isPlainContainer(value, depth);
    default:
      return false;
  }
}

function isPlainContainer(container: object, depth: number): boolean {
  // JSON.stringify calls toJSON also where it is not enumerable, or comes from a prototype.
  if (depth === 0 || (container as { readonly toJSON?: unknown }).toJSON !== undefined) return false;
  if (Array.isArray(container)) {
    if (Object.getPrototypeOf(container) !== arrayPrototype) return false;
    for (let index = 0; index < container.length; index++) {
      const value: unknown = container[index]; // undefined too where there is a hole
      if (typeof value === "string") continue;
      if (typeof value === "number") {
        if (value - value !== 0) return false;
      } else if (typeof value === "object") {
        if (value !== null && !isPlainContainer(value, depth - 1)) return false;
      } else if (typeof value !== "boolean") return false;
    }
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(container);
  if (prototype !== objectPrototype && prototype !== null) return false;
  // Inherited keys, if someone put any on Object.prototype, are looked at too: at worst the thorough writer has work.
  for (const key in container) {
    const value = (container as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "string") continue;
    if (typeof value === "number") {
      if (value - value !== 0) return false;
    } else if (typeof value === "object") {
      if (value !== null && !isPlainContainer(value, depth - 1)) return false;
    } else if (typeof value !== "boolean" && value !== undefined) return false;
  }
  return true;
}

/**
 * Whether an object with this prototype is plain data. Also of another realm (a worker's context, a frame), whose
 * `Object.prototype` is not ours.
 */
export function isPlainPrototype(prototype: unknown): boolean {
  return prototype === null || prototype === Object.prototype ||
    (typeof prototype === "object" && Object.getPrototypeOf(prototype) === null &&
      Object.hasOwn(prototype, "isPrototypeOf"));
}
