/** Typed keys of what middleware puts on a context. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";

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
 * @throws {ConfigurationError} if it is no text
 * @example
 * ```ts
 * import { contextKey } from "./context_key.ts";
 *
 * const tenant = contextKey<string>("tenant");
 * ```
 */
export function contextKey<T>(name: string): ContextKey<T> {
  if (typeof name === "string") return { name };
  throw new ConfigurationError(`Cannot make a context key: its name is ${shown(name)}. Give a text, as in "tenant"`);
}

/**
 * From JavaScript a key may be a text, under which nobody else would find anything.
 *
 * @throws {ConfigurationError}
 */
export function checkContextKey(key: unknown): void {
  if (typeof key === "object" && key !== null) return;
  throw new ConfigurationError(
    `Cannot use ${shown(key)} as a context key: it is none. Make one, once, with contextKey<Value>("name")`,
  );
}
