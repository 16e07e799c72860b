/** The base of every error of the library. @module */

const brand: unique symbol = Symbol.for("@hero/messaging/error");

/** What an error carries beside its message. */
export interface HeroErrorOptions extends ErrorOptions {
  /** What the error is about, as plain data: contract, endpoint, address, limits. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The base of every error of the library. Branch on {@linkcode HeroError.code}, which is stable, or by `instanceof`,
 * which works across two loaded copies of the package too.
 *
 * @example
 * ```ts
 * import { HeroError } from "@hero/messaging";
 *
 * try {
 *   throw new Error("not ours");
 * } catch (error) {
 *   if (error instanceof HeroError) console.error(error.code, error.details);
 * }
 * ```
 */
export abstract class HeroError extends Error {
  /** Stable: branch on it. */
  abstract readonly code: `HERO_${string}`;
  /** What the error is about, as plain data. */
  readonly details: Readonly<Record<string, unknown>>;

  /**
   * For subclasses, which put their own case into words.
   *
   * @param message what happened, where and why, and what to do next
   */
  constructor(message: string, options: HeroErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.details = options.details ?? {};
    Object.defineProperty(this, brand, { value: lineage(new.target), enumerable: false });
  }

  /** Compares by class name where the error comes from another copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    if (typeof value !== "object" || value === null || !(brand in value)) return false;
    const names = value[brand];
    return Array.isArray(names) && names.includes(this.name);
  }
}

/** The names of a class and its bases, up to `HeroError`. */
function lineage(type: { readonly name: string }): readonly string[] {
  const names: string[] = [];
  for (
    let at: { readonly name: string } | null = type;
    at !== null && at !== Error;
    at = Object.getPrototypeOf(at) as { readonly name: string } | null
  ) names.push(at.name);
  return names;
}
