/** Errors as data, as faults and error queues carry them. @module */

/** An error, as data. */
export interface ExceptionInfo {
  /** The name of its class; of a value that is no `Error`, its type: `"string"`. */
  readonly type: string;
  /** Its message, cut if it is long. */
  readonly message: string;
  /** Where it was thrown, as the runtime writes it. */
  readonly stack?: string;
  /** What led to it; of an `AggregateError` without a cause, its first error. */
  readonly cause?: ExceptionInfo;
}

/** How much of an error is kept. */
export interface ExceptionLimits {
  /** In UTF-16 code units. 2,048 unless said otherwise. */
  readonly message?: number;
  /** In UTF-16 code units; 0 leaves stacks out. 4,096 unless said otherwise. */
  readonly stack?: number;
  /** How many causes of causes. 5 unless said otherwise. */
  readonly causes?: number;
}

/**
 * Turns whatever was thrown into data that can be sent. Long texts are cut and end in `…`, lone surrogates become
 * U+FFFD, cycles end the chain of causes. Never throws, also where a getter does.
 *
 * @param thrown an `Error`, or anything else
 * @param limits how much of it is kept
 * @example
 * ```ts
 * import { exceptionInfo } from "./exception_info.ts";
 *
 * exceptionInfo(new TypeError("no")).type; // "TypeError"
 * ```
 */
export function exceptionInfo(thrown: unknown, limits: ExceptionLimits = {}): ExceptionInfo {
  return info(thrown, { message: limits.message ?? 2048, stack: limits.stack ?? 4096, causes: limits.causes ?? 5 }, []);
}

function info(thrown: unknown, limits: Required<ExceptionLimits>, above: readonly unknown[]): ExceptionInfo {
  const type = cut(typeOf(thrown), 256);
  const message = cut(messageOf(thrown), limits.message);
  const stack = limits.stack > 0 ? property(thrown, "stack") : undefined;
  const cause = causeOf(thrown);
  const path = [...above, thrown];
  return {
    type,
    message,
    ...(typeof stack === "string" ? { stack: cut(stack, limits.stack) } : {}),
    ...(cause === undefined || path.length > limits.causes || path.includes(cause)
      ? {}
      : { cause: info(cause, limits, path) }),
  };
}

/** The class, also of those that did not set `name`, which then is the base's: `"Error"`. */
function typeOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return thrown === null ? "null" : typeof thrown;
  const name = property(thrown, "name");
  const className = property(property(thrown, "constructor"), "name");
  const own = typeof name === "string" && name !== "" && name !== "Error" ? name : undefined;
  return own ?? (typeof className === "string" && className !== "" ? className : "Error");
}

function messageOf(thrown: unknown): string {
  const message = property(thrown, "message");
  if (typeof message === "string") return message;
  if (typeof thrown !== "object" || thrown === null) {
    return typeof thrown === "function" ? "a function" : String(thrown);
  }
  try {
    return `an object with the keys ${
      Object.keys(thrown).slice(0, 20).map((key) => `"${key}"`).join(", ") || "(none)"
    }`;
  } catch {
    return "an object";
  }
}

function causeOf(thrown: unknown): unknown {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const cause = property(thrown, "cause");
  if (cause !== undefined && cause !== null) return cause;
  const errors = property(thrown, "errors");
  // Only arrays of errors count: other errors keep unrelated data under that name.
  const first = Array.isArray(errors) ? property(errors, 0) : undefined;
  return isError(first) ? first : undefined;
}

function isError(value: unknown): boolean {
  try {
    return value instanceof Error;
  } catch {
    // A proxy whose prototype cannot be read.
    return false;
  }
}

/** Reads a property of anything; `undefined` where there is none, or where reading it throws. */
function property(of: unknown, key: PropertyKey): unknown {
  if ((typeof of !== "object" && typeof of !== "function") || of === null) return undefined;
  try {
    return Reflect.get(of, key);
  } catch {
    return undefined;
  }
}

function cut(text: string, limit: number): string {
  return (text.length > limit ? `${text.slice(0, Math.max(0, limit - 1))}…` : text).toWellFormed();
}
