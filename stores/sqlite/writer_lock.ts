/** Whose turn it is to write. @module */
import { WriterHeldError } from "../../src/errors/store.ts";
import type { DeadlineClock } from "../../src/values/deadlines.ts";
import { type Link, LinkedList } from "../../src/values/linked_list.ts";
import { storeName } from "./errors.ts";

/** Who keeps others waiting for so long is told of. */
const reportedAfterMs = 1_000;

/** A transaction that lasts for as long as its owner likes. */
export interface Holder {
  /** As errors say it: whose transaction it is. */
  readonly who: string;
  /** Since when it keeps others from writing, by the clock of a {@linkcode Limit}; `undefined`: it does not yet. */
  readonly keepsSince?: number | undefined;
}

/** How long one transaction is waited for. */
export interface Limit {
  /** Of the time that passes, however the system's is set. */
  readonly clock: DeadlineClock;
  readonly lockTimeoutMs: number;
  /** Since when, by this clock. Left out: since now. */
  readonly since?: number | undefined;
}

/** Told of a transaction that keeps others waiting; `undefined`: it does no more. */
export type HeldListener = (held: WriterHeldError | undefined) => void;

/** One who waits. */
interface Waiter {
  readonly since: number;
  readonly limitMs: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * The lock of whoever writes to a file, within a process: first come, first served. What a transaction waits for may wait
 * for its end, and nobody can see that it does. So where one transaction keeps the lock for too long, all who have waited
 * for it as long are told so; as long as turns come, everybody's comes.
 */
export class WriterLock {
  readonly listeners = new Set<HeldListener>();
  readonly #path: string;
  readonly #waiting = new LinkedList<Waiter>();
  #held = false;
  #holder: Holder | undefined;
  /** The clock of who has waited last. */
  #clock: DeadlineClock | undefined;
  /** When it looks at who waits; there is one timer for all, that stays where nobody waits any more. */
  #looksAt = Infinity;
  #disarm: (() => void) | undefined;
  #told = false;

  /** @param path of the file, as errors say it */
  constructor(path: string) {
    this.#path = path;
  }

  /** Whether somebody has it. */
  get isHeld(): boolean {
    return this.#held;
  }
  /** Whether somebody waits for it. */
  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  /** Takes it if it is free; gives whether it did. */
  tryAcquire(): boolean {
    if (this.#held) return false;
    return this.#held = true;
  }

  /**
   * Takes it once it is free.
   *
   * @param limit of who does not wait for ever
   * @returns rejects with the signal's reason when that aborts first
   * @throws {WriterHeldError} where a transaction has kept it for too long
   */
  acquire(signal: AbortSignal, limit?: Limit): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.tryAcquire()) return Promise.resolve();
    const now = limit?.clock.now() ?? 0;
    const since = limit?.since ?? now;
    return new Promise((resolve, reject) => {
      const forget = (): void => signal.removeEventListener("abort", abort);
      const waiter: Waiter = {
        since,
        limitMs: limit?.lockTimeoutMs ?? Infinity,
        resolve: () => {
          forget();
          resolve();
        },
        reject: (reason) => {
          forget();
          reject(reason);
        },
      };
      const link: Link<Waiter> = this.#waiting.pushBack(waiter);
      const abort = (): void => {
        this.#waiting.remove(link);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      if (limit === undefined) return;
      this.#clock = limit.clock;
      this.#arm(since + limit.lockTimeoutMs - now);
    });
  }

  /** To be said by who has taken it for a transaction that lasts for as long as its owner likes. */
  holdFor(holder: Holder): void {
    this.#holder = holder;
    if (this.#waiting.first !== undefined) this.#arm(this.#waiting.first.item.limitMs);
  }

  /** Gives it back, to whoever has waited longest. To be called once by who holds it. */
  release(): void {
    this.#holder = undefined;
    if (this.#told) this.#tell(undefined);
    const next = this.#waiting.popFront();
    if (next === undefined) this.#held = false;
    else next.item.resolve();
  }

  /** Looks no more. */
  close(): void {
    this.#disarm?.();
    this.#looksAt = -Infinity;
  }

  /** When somebody has to be told, as it is now; `Infinity`: never. */
  #due(holder: Holder, now: number): number {
    const since = holder.keepsSince ?? now;
    let due = this.#told ? Infinity : since + reportedAfterMs;
    for (const waiter of this.#waiting) due = Math.min(due, Math.max(waiter.since, since) + waiter.limitMs);
    return due;
  }

  /** Sees to it that those who wait for a transaction are looked at in time. All else comes to an end by itself. */
  #arm(limitMs: number): void {
    if (this.#holder === undefined || this.#clock === undefined) return;
    this.#lookAt(this.#clock.now() + Math.min(reportedAfterMs, limitMs));
  }

  #lookAt(time: number): void {
    if (time >= this.#looksAt || this.#clock === undefined) return;
    this.#disarm?.();
    this.#looksAt = time;
    this.#disarm = this.#clock.at(time, () => this.#look());
  }

  #look(): void {
    this.#looksAt = Infinity;
    const holder = this.#holder;
    if (holder === undefined || this.#clock === undefined || !this.isAwaited) return;
    const now = this.#clock.now();
    const since = holder.keepsSince ?? now;
    const held = new WriterHeldError(storeName, this.#path, holder.who, now - since);
    if (!this.#told && now - since >= reportedAfterMs) this.#tell(held);
    for (let link = this.#waiting.first; link !== undefined;) {
      const { next, item } = link;
      if (Math.max(item.since, since) + item.limitMs <= now && this.#waiting.remove(link)) item.reject(held);
      link = next;
    }
    if (this.isAwaited) this.#lookAt(this.#due(holder, now));
  }

  #tell(held: WriterHeldError | undefined): void {
    this.#told = held !== undefined;
    for (const listener of [...this.listeners]) listener(held);
  }
}
