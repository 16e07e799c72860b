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
  if (classes.length === 0) return false;
  let at = error;
  for (let level = 0; level < depth && at !== undefined && at !== null; level++) {
    for (const type of classes) if (at instanceof type) return true;
    at = causeOf(at);
  }
  return false;
}

function causeOf(error: unknown): unknown {
  try {
    return typeof error === "object" && error !== null && "cause" in error ? error.cause : undefined;
  } catch {
    // A getter that throws: there is nothing more to know.
    return undefined;
  }
}
