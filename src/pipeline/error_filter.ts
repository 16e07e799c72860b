/** Which errors count. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { type ErrorClass, matches } from "../values/error_class.ts";

/** Says whether an error counts. Must not throw: thrown is taken for `false`. */
export type ErrorPredicate = (error: Error) => boolean;

/**
 * Which errors count: those of `handle` (left out: all) that are not of `ignore`. Each entry is a class, which stands
 * for its subclasses too, or a predicate; both are asked of the error and of its `cause`s.
 */
export interface RetryFilter {
  /** Left out: every error. */
  readonly handle?: readonly (ErrorClass | ErrorPredicate)[];
  /** Wins over `handle`. Left out: none. */
  readonly ignore?: readonly (ErrorClass | ErrorPredicate)[];
}

/**
 * Compiles a filter.
 *
 * @param where whose filter it is, as in `retry.immediate`
 * @returns whether an error counts; never throws
 * @throws {ConfigurationError} if an entry is neither a class nor a function
 */
export function createErrorFilter(filter: RetryFilter, where: string): ErrorPredicate {
  const handle = filter.handle === undefined ? undefined : compile(filter.handle, "handle", where);
  const ignore = filter.ignore === undefined ? [] : compile(filter.ignore, "ignore", where);
  return (error) => (handle === undefined || matches(error, handle)) && !matches(error, ignore);
}

function compile(entries: RetryFilter["handle"] & object, list: string, where: string): readonly ErrorClass[] {
  if (!Array.isArray(entries)) {
    throw new ConfigurationError(
      `Cannot use the { ${list} } of ${where}: it is not a list. Give one, as in [TypeError]`,
    );
  }
  return entries.map((entry: ErrorClass | ErrorPredicate, index) => {
    if (typeof entry !== "function") {
      throw new ConfigurationError(
        `Cannot use ${list}[${index}] of ${where}: it is ${shown(entry)}, no class and no function ` +
          `(a cycle of imports leaves classes undefined). Give error classes or (error) => boolean`,
      );
    }
    return isClass(entry) ? entry : asClass(entry);
  });
}

/** Classes, built in or not, have a `prototype` that cannot be replaced; those of old compilers inherit from Error's. */
function isClass(entry: ErrorClass | ErrorPredicate): entry is ErrorClass {
  const prototype = Object.getOwnPropertyDescriptor(entry, "prototype");
  return prototype !== undefined && (prototype.writable === false || prototype.value instanceof Error);
}

/** So that classes and predicates walk the causes in one way. */
function asClass(predicate: ErrorPredicate): ErrorClass {
  const type = {
    [Symbol.hasInstance](value: unknown): boolean {
      try {
        return value instanceof Error && predicate(value);
      } catch {
        // The handler's error is what must be dealt with; one of the filter would only hide it.
        return false;
      }
    },
  };
  // `instanceof`, all that is done with it, asks an object for no more than Symbol.hasInstance.
  return type as unknown as ErrorClass;
}
