/** One message at a time for each instance, within a process. @module */
import type { Consumption } from "../../pipeline/consumption.ts";
import { type ContextKey, contextKey } from "../../values/context_key.ts";
import type { KeyedLocks } from "../../values/keyed_locks.ts";
import type { Found, SagaPart } from "./part.ts";

/** An instance that a message is for, of which only the store knew, is being handled: to be waited for outside. */
export class InstanceBusyError extends Error {
  override readonly name = "InstanceBusyError";
}

/** Which instances a message has for itself: from before its unit begins until after it has ended. */
export class Reservation {
  readonly #locks: KeyedLocks;
  /** Each once. */
  #wanted: readonly string[];
  #held: string[] = [];
  #found: Map<SagaPart, Found> | undefined;

  constructor(locks: KeyedLocks, names: readonly string[]) {
    this.#locks = locks;
    this.#wanted = names.length > 1 ? [...new Set(names)] : names;
  }

  /** Of a message that has these in hand already. */
  static holding(locks: KeyedLocks, names: readonly string[]): Reservation {
    const reservation = new Reservation(locks, names);
    reservation.#held = [...names];
    return reservation;
  }

  /** What the store has said of it, by what it is for. */
  get found(): Map<SagaPart, Found> {
    return this.#found ??= new Map();
  }

  /** The reservation of a message that is being handled. */
  static of(consumption: Consumption): Reservation | undefined {
    return consumption.item(key) as Reservation | undefined; // nothing else is set under it
  }
  /** To be found by {@linkcode Reservation.of}. */
  attach(consumption: Consumption): void {
    consumption.setItem(key, this);
  }

  /** Takes all at once if they are free; gives whether it did. */
  tryTake(): boolean {
    for (const name of this.#wanted) {
      if (!this.#locks.tryAcquire(name)) {
        this.release();
        return false;
      }
      this.#held.push(name);
    }
    return true;
  }
  /** Waits for all, in one order, so that no two messages wait for each other. All or none. */
  async take(signal: AbortSignal): Promise<void> {
    try {
      for (const name of [...this.#wanted].sort()) {
        await this.#locks.acquire(name, signal);
        this.#held.push(name);
      }
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /**
   * Takes more, of which the store has told only now.
   *
   * @throws {InstanceBusyError} if one is taken: with others in hand, and a unit begun, it is not waited for
   */
  add(names: readonly string[]): void {
    let busy = false;
    for (const name of names) {
      if (this.#held.includes(name)) continue;
      if (!this.#wanted.includes(name)) this.#wanted = [...this.#wanted, name];
      if (busy || !this.#locks.tryAcquire(name)) busy = true;
      else this.#held.push(name);
    }
    if (busy) throw new InstanceBusyError();
  }

  /** Gives all back. */
  release(): void {
    for (const name of this.#held) this.#locks.release(name);
    this.#held.length = 0;
  }
}

const key: ContextKey<unknown> = contextKey<unknown>("the instances of a message");
