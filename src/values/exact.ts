/** Callbacks that return a message and nothing beside it. @module */
import type { Awaitable } from "./awaitable.ts";

/** The property names of every member of a union. */
export type KeyOf<T> = T extends unknown ? keyof T : never;
/** Shown in the error for a property that the contract does not declare. */
export interface NotInMessage<Property> {
  /** The name of the unknown property. */
  readonly "~unknown": Property;
}
/** The properties of `P` that `T` does not declare. */
export type Extra<P, T> = string extends KeyOf<T> ? never : Exclude<KeyOf<P>, KeyOf<T>>;
/** A `T` whose extra properties cannot be given. */
export type WithoutExtra<T, Keys extends PropertyKey> = T & { readonly [K in Keys]: NotInMessage<K> };
/**
 * The callback `F` that makes a message `T`, refused where it returns a property that `T` does not declare: TypeScript
 * itself does not check what arrow functions return for excess properties. A conditional type, so that the checker
 * resolves it before it types the callback; `"a" | "b"` then stays a literal.
 */
export type Make<Context, T, F> = F extends (...args: never) => infer P ? [Extra<Awaited<P>, T>] extends [never] ? F
  : (context: Context) => Awaitable<WithoutExtra<T, Extra<Awaited<P>, T>>>
  : F;
