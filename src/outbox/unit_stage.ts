/** Puts each attempt into a unit of work. @module */
import { ClaimLostError } from "../errors/receiving.ts";
import { ConflictError, DuplicateError, OutcomeUnknownError } from "../errors/store.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import { wait } from "../pipeline/recovery.ts";
import type { Run, Stage } from "../pipeline/stage.ts";
import type { InboxKey } from "../spi/store.ts";
import { isPromise } from "../values/awaitable.ts";
import type { Backoff } from "../values/backoff.ts";
import { beginUnit, conflictBackoff, isHandled, keyOf, mostConflicts } from "./beginning.ts";
import { conclude } from "./concluding.ts";
import type { Storage } from "./storage.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

/**
 * Runs each attempt in a unit of work: inbox record, what handlers write with `ctx.tx`, and what they send become true
 * in one commit, before the message is accepted. A message that the inbox knows is accepted, unhandled. Queries change
 * nothing, and get none.
 *
 * @param whose `stateful`: only what is for a saga, on an endpoint without an outbox
 */
export function unitOfWork(storage: Storage, whose: "all" | "stateful" = "all"): Stage {
  return {
    name: whose === "all" ? "inbox and outbox" : "inbox and outbox of sagas",
    around: (next) => (consumption) =>
      hasUnit(consumption) && (whose === "all" || consumption.match?.stateful === true)
        ? runAlone(consumption, storage, next, undefined)
        : next(consumption),
  };
}

/**
 * Whether a message gets a unit here: a query gets none but of a saga, and what is handled in a batch is in the unit of
 * its batch.
 */
export function hasUnit({ definition, match }: Consumption): boolean {
  return (definition?.kind !== "query" || match?.stateful === true) && match?.batched !== true;
}

/**
 * Runs an attempt in a unit of its own.
 *
 * @param unknown where a commit before, of unknown outcome, may have made it true: what had become of the message then
 */
export function runAlone(
  consumption: Consumption,
  storage: Storage,
  next: Run,
  unknown: { readonly unhandled: Consumption["unhandled"] } | undefined,
): Promise<void> {
  return new Attempt(consumption, storage).run(next, unknown);
}

/** All handlers run in it, also those that succeeded in an earlier one: that was rolled back. */
export function enter(consumption: Consumption, unit: UnitOfWork): void {
  consumption.unit = unit;
  consumption.target = unit;
  consumption.nextReading = 0;
  reset(consumption);
}

/** What was done in it has not been done. */
export function leave(consumption: Consumption): void {
  consumption.unit = undefined;
  consumption.target = consumption.services.outbound;
  reset(consumption);
}

function reset(consumption: Consumption): void {
  consumption.responded = false;
  consumption.outcome = undefined;
  consumption.unhandled = undefined;
}

class Attempt {
  readonly #consumption: Consumption;
  readonly #storage: Storage;
  readonly #attempt: number;
  readonly #inbox: readonly InboxKey[];
  #conflictWait: Backoff | undefined;

  constructor(consumption: Consumption, storage: Storage) {
    // A query is asked again at will.
    this.#inbox = consumption.definition?.kind === "query" ? [] : [keyOf(consumption)];
    this.#consumption = consumption;
    this.#storage = storage;
    this.#attempt = consumption.attempt;
  }

  async run(next: Run, before: { readonly unhandled: Consumption["unhandled"] } | undefined): Promise<void> {
    const consumption = this.#consumption;
    let done = before?.unhandled;
    let unknown = before !== undefined;
    for (let conflicts = 0;; conflicts++) {
      const unit = await this.#begin();
      if (unit.duplicates[0] === true) {
        await unit.rollback();
        // Its own commit, whose outcome was not known.
        consumption.unhandled = unknown ? done : "duplicate";
        return;
      }
      unit.conflicts = conflicts;
      enter(consumption, unit);
      let committing = false;
      try {
        // It may have waited for long.
        if (this.#interrupted) throw consumption.whyOver(this.#attempt);
        const handled = next(consumption);
        if (isPromise(handled)) await handled;
        if (consumption.isOver(this.#attempt)) throw consumption.whyOver(this.#attempt);
        conclude(consumption, unit);
        done = consumption.unhandled;
        committing = true;
        await unit.commit();
        return;
      } catch (thrown) {
        await unit.rollback();
        leave(consumption);
        if ((committing && thrown instanceof DuplicateError) || isHandled(thrown, this.#inbox)) {
          consumption.unhandled = "duplicate";
          return;
        }
        // Another process has it by now, of which this one has not heard yet: nothing is tried again here, or told.
        if (committing && thrown instanceof ClaimLostError && !consumption.lost) consumption.lose(thrown);
        unknown = committing && thrown instanceof OutcomeUnknownError;
        if (!(unknown || thrown instanceof ConflictError) || conflicts >= mostConflicts || this.#interrupted) {
          throw thrown;
        }
        this.#conflictWait ??= conflictBackoff(consumption.services.random);
        await wait(consumption, this.#conflictWait(conflicts));
        if (this.#interrupted) throw thrown;
      }
    }
  }

  get #interrupted(): boolean {
    const { lost, stopping } = this.#consumption;
    return lost || stopping || this.#consumption.isOver(this.#attempt);
  }

  #begin(): Promise<UnitOfWork> {
    const { signal } = this.#consumption;
    return beginUnit(this.#storage, this.#consumption, this.#inbox, signal, () => this.#interrupted);
  }
}
