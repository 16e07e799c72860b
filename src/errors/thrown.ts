/** What was thrown, which may be anything. @module */
import { HeroError } from "./hero_error.ts";

/** A handler threw something that is not an `Error`. */
export class NonErrorThrownError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NON_ERROR_THROWN";
  /** What was thrown. */
  readonly thrown: unknown;
  /**
   * Puts it into words.
   *
   * @param thrown anything
   */
  constructor(thrown: unknown) {
    super(`A handler threw ${describe(thrown)}, which is not an Error. Throw an Error, so that its stack is known`, {
      details: { type: typeof thrown },
    });
    this.thrown = thrown;
  }
}

/** What was thrown, as an `Error`. */
export function toError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  // As in `throw Promise.reject(…)`, where `return` or `await` was meant: what it rejects with has no other handler.
  if (isPlainPromise(thrown)) thrown.catch(() => {});
  return new NonErrorThrownError(thrown);
}

function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    // A proxy whose prototype cannot be read.
    return false;
  }
}

function isPlainPromise(thrown: unknown): thrown is Promise<unknown> {
  try {
    return thrown instanceof Promise;
  } catch {
    return false;
  }
}

function describe(thrown: unknown): string {
  if (typeof thrown === "string") return `the text "${thrown.slice(0, 200)}"`;
  if (typeof thrown !== "object" || thrown === null) return String(thrown);
  try {
    const keys = Object.keys(thrown).slice(0, 20).map((key) => `"${key}"`).join(", ");
    return `an object with the keys ${keys || "(none)"}`;
  } catch {
    return "an object that cannot be looked at";
  }
}

/** What an error says; of anything else, what it is. */
export function messageOf(thrown: unknown): string {
  return isError(thrown) ? thrown.message : describe(thrown);
}
