/** A stand-in for the part of `@std/async` that the tests use, where JSR cannot be reached. */

export interface DelayOptions {
  signal?: AbortSignal;
}
export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
export async function deadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  const end = new AbortController();
  try {
    return await Promise.race([
      promise,
      delay(ms, { signal: end.signal }).then(() => {
        throw new DOMException("Signal timed out.", "TimeoutError");
      }),
    ]);
  } finally {
    end.abort();
  }
}
