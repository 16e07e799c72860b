/** Values that move by reference, made safe to share. @module */
import { isPlainPrototype } from "./plain.ts";

/**
 * Freezes a value and all data that it holds, in place: what one handler gets, another may hold too. Cycles are fine.
 *
 * Data are plain objects and arrays, and what is held by a `Map` or `Set`. Left as they are: the bytes of typed arrays,
 * the time of a `Date` and the membership of a `Map` or `Set`, which nothing can freeze; and functions and instances
 * of classes, which may be alive outside the message.
 *
 * @returns `value` itself
 */
export function deepFreeze<T>(value: T): T {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  // A list, not recursion: what moves by reference has no depth limit.
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof Map) { for (const [key, held] of next) waiting.push(key, held); }
    else if (next instanceof Set) { for (const held of next) waiting.push(held); }
    else if (Array.isArray(next) || isPlainPrototype(Object.getPrototypeOf(next))) {
      Object.freeze(next);
      // By descriptor: a getter is not run.
      for (const key of Reflect.ownKeys(next)) waiting.push(Object.getOwnPropertyDescriptor(next, key)?.value);
    }
  }
  return value;
}
