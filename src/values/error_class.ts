/** Errors by class. @module */

/** The constructor of an error class. */
export type ErrorClass<E extends Error = Error> = abstract new (...args: never[]) => E;

/** Chains longer than this are taken for endless ones. */
const depth = 16;

/**
 * Whether an error, or one that led to it (`cause`, and so on), is of one of the classes or of a subclass.
 *
 * @param error anything that was thrown
 * @param classes none: false
 */
export function matches(error: unknown, classes: readonly ErrorClass[]): boolean {
  try {
    let at = error;
    for (let level = 0; level < depth && at !== undefined && at !== null; level++) {
      for (const type of classes) if (at instanceof type) return true;
      at = typeof at === "object" && "cause" in at ? at.cause : undefined;
    }
  } catch {
    // A getter or proxy that throws when it is looked at: there is nothing more to know.
  }
  return false;
}
