/** Waiting for another process' lock. @module */
import { StoreLockedError } from "../../src/errors/store.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { abortable } from "../../src/values/abortable.ts";
import type { DeadlineClock } from "../../src/values/deadlines.ts";
import { isBusy, storeName } from "./errors.ts";

/** How another process' lock is waited for. */
export interface Patience {
  readonly clock: Clock;
  /** The same, of the time that passes, however that is set. */
  readonly time: DeadlineClock;
  readonly signal: AbortSignal;
  readonly lockTimeoutMs: number;
}

/** Does it again while another process has the lock, without keeping this one from working. */
export async function patiently<Result>(work: () => Result, path: string, patience: Patience): Promise<Result> {
  const { clock, time, signal, lockTimeoutMs } = patience;
  let since: number | undefined;
  for (let tries = 0;; tries++) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      const now = time.now();
      since ??= now;
      if (now - since >= lockTimeoutMs) throw new StoreLockedError(storeName, path, now - since, { cause: error });
      // 1, 1, 2, 2, 4 … 16 ms, a little different for each, so that two do not meet again and again.
      await pause(clock, clock.now() + Math.min(2 ** (tries >> 1), 16) * (0.5 + Math.random()), signal);
    }
  }
}

async function pause(clock: Clock, until: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.at(until, resolve);
  try {
    await abortable(promise, signal);
  } finally {
    cancel();
  }
}
