/** Typed keys of what middleware puts on a context. @module */

/** A key for a value that middleware puts on the context and handlers read, typed at both ends. */
export interface ContextKey<in out T> {
  /** For errors. Two keys of one name are two keys. */
  readonly name: string;
  /** Never set; carries the type. */
  readonly "~type"?: ((value: T) => T) | undefined;
}

/**
 * A key of its own.
 *
 * @param name of what it holds, for errors
 * @example
 * ```ts
 * import { contextKey } from "./context_key.ts";
 *
 * const tenant = contextKey<string>("tenant");
 * ```
 */
export function contextKey<T>(name: string): ContextKey<T> {
  return { name };
}
