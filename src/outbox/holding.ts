/** How messages wait for a store that takes nothing. @module */
import { StoreFullError, StoreReadOnlyError, StoreUnavailableError } from "../errors/store.ts";
import { toError } from "../errors/thrown.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import { wait } from "../pipeline/recovery.ts";
import { type Backoff, exponentialBackoff } from "../values/backoff.ts";
import type { Random } from "../values/random.ts";
import type { StoreTrouble } from "./store_trouble.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

/** How long to wait before a store is asked again. */
export function holdBackoff(random: Random): Backoff {
  return exponentialBackoff({ min: 100, max: "5s" }, random);
}

/**
 * What a unit has failed with where that is its store's doing, and none of its message's: its beginning was refused,
 * whatever its handler has made of that, or its commit was, as it would have been for any other.
 *
 * @param thrown what it has failed with
 */
export function refusalOf(unit: UnitOfWork | undefined, thrown: unknown, committing: boolean): Error | undefined {
  const { refusal } = unit ?? {};
  if (refusal instanceof StoreUnavailableError || takesNothing(refusal)) return refusal;
  return committing && (thrown instanceof StoreUnavailableError || takesNothing(thrown)) ? thrown : undefined;
}

/**
 * Whether a store that said so still answers: then the beginning of the next unit, which only reads, tells nothing of
 * what its end will meet.
 */
export function takesNothing(error: unknown): error is StoreReadOnlyError | StoreFullError {
  return error instanceof StoreReadOnlyError || error instanceof StoreFullError;
}

/** Has messages wait until their store takes something again, for as long as that takes: they have not failed. */
export class Hold {
  readonly #trouble: StoreTrouble;
  readonly #first: Consumption;
  readonly #interrupted: () => boolean;
  readonly #runAgain: Backoff;
  readonly #askAgain: Backoff;
  #refusals = 0;

  /**
   * @param first of those that wait
   * @param interrupted whether nobody wants them any more
   */
  constructor(trouble: StoreTrouble, first: Consumption, interrupted: () => boolean) {
    this.#trouble = trouble;
    this.#first = first;
    this.#interrupted = interrupted;
    // What is tried may fit where the unit does not: what its handlers do outside of it is not to be done all the time.
    this.#runAgain = exponentialBackoff({ min: 100, max: "1m" }, first.services.random);
    this.#askAgain = holdBackoff(first.services.random);
  }

  /**
   * Each time for longer.
   *
   * @param messages how many wait
   * @returns whether the unit is to be begun again; false: nobody wants it any more
   */
  async wait(refusal: Error, messages: number): Promise<boolean> {
    let waitInMs = this.#runAgain(this.#refusals++);
    let error = refusal;
    for (let asked = 0;; asked++) {
      if (this.#interrupted()) return false;
      const letGo = this.#trouble.hold(error, messages);
      try {
        await wait(this.#first, waitInMs);
        if (this.#interrupted()) return false;
        await this.#trouble.tryWrite();
        return true;
      } catch (thrown) {
        error = toError(thrown);
        // Another trouble than this one is for the next beginning to meet.
        if (!takesNothing(error)) return true;
        waitInMs = this.#askAgain(asked);
      } finally {
        letGo();
      }
    }
  }
}
