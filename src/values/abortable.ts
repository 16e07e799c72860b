/** Waits that a signal ends. @module */

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
