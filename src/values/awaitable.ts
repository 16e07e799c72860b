/** Values that may have to be waited for. @module */

/** Either the value or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Whether a value must be awaited: a promise, or anything with a `then` to call. Asked on the path of every message, as
 * awaiting a plain value costs a turn.
 */
export function isPromise<T>(value: T | PromiseLike<T>): value is Promise<T> {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as { readonly then?: unknown }).then === "function";
}
