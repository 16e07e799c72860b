/** Puts each attempt into a unit of work. @module */
import { ClaimLostError } from "../errors/receiving.ts";
import { DuplicateError, OutcomeUnknownError } from "../errors/store.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import { wait } from "../pipeline/recovery.ts";
import type { Run, Stage } from "../pipeline/stage.ts";
import type { InboxKey } from "../spi/rows.ts";
import type { Endable, Scope } from "../spi/store.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import type { Backoff } from "../values/backoff.ts";
import { beginUnit, conflictBackoff, instancesOf, isConflict, isHandled, keyOf, mostConflicts } from "./beginning.ts";
import { conclude } from "./concluding.ts";
import { leaseInMs } from "./deliverer.ts";
import { Hold, refusalOf, takesNothing } from "./holding.ts";
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
): void | Promise<void> {
  const attempt = new Attempt(consumption, storage);
  return unknown === undefined ? attempt.runNow(next) : attempt.run(next, unknown);
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

/**
 * What runs already. No literal: once many messages at a time have outlived a small collection, V8 makes those of a
 * place in its old generation from the start, and all that they refer to outlives small collections, too.
 */
class Begun {
  readonly unit: UnitOfWork;
  readonly running: Promise<void>;
  readonly committing: boolean;

  constructor(unit: UnitOfWork, running: Promise<void>, committing: boolean) {
    this.unit = unit;
    this.running = running;
    this.committing = committing;
  }
}

/** An attempt, and what its unit is about. */
export class Attempt implements Scope {
  readonly inbox: readonly InboxKey[];
  readonly #consumption: Consumption;
  readonly #storage: Storage;
  readonly #attempt: number;
  readonly #begunAt: number;
  #conflictWait: Backoff | undefined;
  #signal: AbortSignal | undefined;
  /** What had become of the message when it was last to be committed. */
  #done: Consumption["unhandled"];

  constructor(consumption: Consumption, storage: Storage) {
    // A query is asked again at will.
    this.#begunAt = consumption.services.look.now();
    this.inbox = consumption.definition?.kind === "query" ? [] : [keyOf(consumption, this.#begunAt)];
    this.#consumption = consumption;
    this.#storage = storage;
    this.#attempt = consumption.attempt;
  }

  get bus(): string {
    return this.#consumption.services.bus;
  }
  get partition(): string {
    return this.#consumption.envelope.messageId;
  }
  get leaseMs(): number {
    return leaseInMs;
  }
  /** Made when it is first asked for, which most units do not: that of the attempt, also once the next has begun. */
  get signal(): AbortSignal {
    return this.#signal ??= this.#consumption.signal;
  }
  listen(unit: Endable): void {
    this.#consumption.ending = unit;
    const { aborted } = this.#consumption;
    if (aborted !== undefined) unit.end(aborted);
  }
  forget(unit: Endable): void {
    if (this.#consumption.ending === unit) this.#consumption.ending = undefined;
  }
  get instances(): Scope["instances"] {
    return instancesOf(this.#consumption);
  }

  /** With no promise where nothing has to be waited for; from where something has on, as {@linkcode Attempt.run}. */
  runNow(next: Run): void | Promise<void> {
    const consumption = this.#consumption;
    const unit = this.#beginNow();
    if (unit === undefined) return this.run(next);
    if (unit.duplicates[0] === true) return this.#skip(unit, "duplicate");
    unit.begunAt = this.#begunAt;
    enter(consumption, unit);
    let committing = false;
    let running: void | Promise<void>;
    try {
      running = next(consumption);
      if (!isPromise(running)) {
        this.#conclude(unit);
        committing = true;
        const committed = this.#commit(unit);
        if (!isPromise(committed)) return;
        running = committed;
      }
    } catch (thrown) {
      running = Promise.reject(thrown);
    }
    return this.run(next, undefined, new Begun(unit, running, committing));
  }

  #beginNow(): UnitOfWork | undefined {
    const { aborted, services: { settling } } = this.#consumption;
    if (aborted !== undefined || this.#interrupted) return undefined;
    try {
      return this.#storage.beginNow(this, settling.receiver);
    } catch {
      return undefined; // where it is waited for, that is dealt with
    }
  }

  #skip(unit: UnitOfWork, unhandled: Consumption["unhandled"]): Promise<void> {
    this.#consumption.unhandled = unhandled;
    return unit.rollback();
  }

  #conclude(unit: UnitOfWork): void {
    const consumption = this.#consumption;
    if (consumption.isOver(this.#attempt)) throw consumption.whyOver(this.#attempt);
    conclude(consumption, unit);
    this.#done = consumption.unhandled;
  }

  #commit(unit: UnitOfWork): Awaitable<void> {
    return unit.commit(this.#consumption.aborted === undefined);
  }

  /**
   * @param before where a commit before, of unknown outcome, may have made it true: what had become of the message then
   * @param begun what runs already
   */
  async run(
    next: Run,
    before?: { readonly unhandled: Consumption["unhandled"] },
    begun?: Begun,
  ): Promise<void> {
    const consumption = this.#consumption;
    this.#done = before?.unhandled;
    let unknown = before !== undefined;
    let running = begun?.running;
    let committing = begun?.committing ?? false;
    let first = begun?.unit;
    let hold: Hold | undefined;
    for (let conflicts = 0;;) {
      const unit = first ?? await this.#begin();
      first = undefined;
      // Its own commit, whose outcome was not known.
      if (unit.duplicates[0] === true) return await this.#skip(unit, unknown ? this.#done : "duplicate");
      unit.conflicts = conflicts;
      try {
        if (running === undefined) {
          enter(consumption, unit);
          // It may have waited for long.
          if (this.#interrupted) throw consumption.whyOver(this.#attempt);
          await next(consumption);
        } else await running;
        if (!committing) {
          this.#conclude(unit);
          committing = true;
          await this.#commit(unit);
        }
        return;
      } catch (thrown) {
        this.#storage.failed(unit.refusal ?? thrown);
        await unit.rollback();
        leave(consumption);
        if ((committing && thrown instanceof DuplicateError) || isHandled(thrown, this.inbox)) {
          consumption.unhandled = "duplicate";
          return;
        }
        // Another process has it by now, of which this one has not heard yet: nothing is tried again here, or told.
        if (committing && thrown instanceof ClaimLostError && !consumption.lost) consumption.lose(thrown);
        unknown = committing && thrown instanceof OutcomeUnknownError;
        // Where the store had none of it, the message is held, as where it is away at the beginning.
        const refusal = refusalOf(unit, thrown, committing);
        if (takesNothing(refusal)) {
          hold ??= new Hold(this.#storage.trouble, consumption, () => this.#interrupted);
          if (!await hold.wait(refusal, 1)) throw thrown;
        } else {
          const again = unknown || refusal !== undefined || isConflict(thrown);
          if (!again || conflicts >= mostConflicts || this.#interrupted) throw thrown;
          this.#conflictWait ??= conflictBackoff(consumption.services.random);
          await wait(consumption, this.#conflictWait(conflicts++));
          if (this.#interrupted) throw thrown;
        }
      }
      running = undefined;
      committing = false;
    }
  }

  get #interrupted(): boolean {
    const { lost, stopping } = this.#consumption;
    return lost || stopping || this.#consumption.isOver(this.#attempt);
  }

  #begin(): Promise<UnitOfWork> {
    return beginUnit(this.#storage, this, this.#consumption, () => this.#interrupted);
  }
}
