/** Signals, and waits that one ends. @module */
import { ConfigurationError } from "../errors/configuration.ts";

/**
 * Waits for a promise until a signal aborts. Leaves no listener behind.
 *
 * @returns what the promise resolves with; rejects with the signal's reason when it aborts first
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Whether it is a signal: from JavaScript it may be the controller, or anything. */
export function isSignal(value: unknown): value is AbortSignal {
  return typeof value === "object" && value !== null && "throwIfAborted" in value && "addEventListener" in value;
}

/**
 * Refuses a signal that is none; there need not be one.
 *
 * @param whose as in `start() on "orders"`
 * @throws {ConfigurationError} which says what it is instead
 */
export function checkSignal(value: unknown, whose: string): void {
  if (value !== undefined && !isSignal(value)) throw noSignal(value, whose);
}

/** What one that is none deserves; `whose` as for {@linkcode checkSignal}. */
export function noSignal(value: unknown, whose: string): ConfigurationError {
  const why = value instanceof AbortController
    ? "it is the controller. Give its signal"
    : "it is no AbortSignal. Give one";
  return new ConfigurationError(`Cannot use the { signal } of ${whose}: ${why}, as in AbortSignal.timeout(60_000)`);
}
