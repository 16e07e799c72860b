/** Puts each attempt into a unit of work. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { toError, UnreadableMessageError } from "../errors/receiving.ts";
import { ConflictError, DuplicateError, OutcomeUnknownError } from "../errors/store.ts";
import { AccessRefusedError, ClosedError, TopologyError } from "../errors/transport.ts";
import { headerText, names } from "../envelope/headers.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import { wait } from "../pipeline/recovery.ts";
import { referred } from "../pipeline/reference.ts";
import type { Run, Stage } from "../pipeline/stage.ts";
import { type Backoff, exponentialBackoff } from "../values/backoff.ts";
import { putOff } from "./put_off.ts";
import type { Storage } from "./storage.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

/** How often a unit that met another is run again, before that counts as a failed attempt. */
const mostConflicts = 8;

/**
 * Runs each attempt in a unit of work: inbox record, what handlers write with `ctx.tx`, and what they send become true
 * in one commit, before the message is accepted. A message that the inbox knows is accepted, unhandled. Queries change
 * nothing, and get none.
 */
export function unitOfWork(storage: Storage): Stage {
  return {
    name: "inbox and outbox",
    around: (next) => (consumption) =>
      consumption.definition?.kind === "query" ? next(consumption) : new Attempt(consumption, storage).run(next),
  };
}

class Attempt {
  readonly #consumption: Consumption;
  readonly #storage: Storage;
  readonly #attempt: number;
  readonly #messageId: string;
  readonly #conflictWait: Backoff;
  readonly #outageWait: Backoff;

  constructor(consumption: Consumption, storage: Storage) {
    const { envelope, delivery: { frame }, services: { random } } = consumption;
    if (referred(frame) === undefined && !headerText(frame.headers[names.id])) {
      throw new UnreadableMessageError(`it has no header "${names.id}", by which the endpoint's inbox would know it`);
    }
    this.#consumption = consumption;
    this.#storage = storage;
    this.#attempt = consumption.attempt;
    this.#messageId = envelope.messageId;
    this.#conflictWait = exponentialBackoff({ min: 5, max: "1s", jitter: 1 }, random);
    this.#outageWait = exponentialBackoff({ min: 100, max: "5s" }, random);
  }

  async run(next: Run): Promise<void> {
    const consumption = this.#consumption;
    let done: Consumption["unhandled"];
    let unknown = false;
    for (let conflicts = 0;; conflicts++) {
      const unit = await this.#begin();
      if (unit.duplicates[0] === true) {
        await unit.rollback();
        // Its own commit, whose outcome was not known.
        consumption.unhandled = unknown ? done : "duplicate";
        return;
      }
      this.#enter(unit);
      let committing = false;
      try {
        await next(consumption);
        if (consumption.isOver(this.#attempt)) throw consumption.whyOver(this.#attempt);
        putOff(consumption, unit);
        done = consumption.unhandled;
        committing = true;
        await unit.commit();
        return;
      } catch (thrown) {
        await unit.rollback();
        this.#leave();
        if (committing && thrown instanceof DuplicateError) {
          consumption.unhandled = "duplicate";
          return;
        }
        unknown = committing && thrown instanceof OutcomeUnknownError;
        if (!(unknown || thrown instanceof ConflictError) || conflicts >= mostConflicts || this.#interrupted) {
          throw thrown;
        }
        await wait(consumption, this.#conflictWait(conflicts));
        if (this.#interrupted) throw thrown;
      }
    }
  }

  get #interrupted(): boolean {
    const { lost, stopping } = this.#consumption;
    return lost || stopping || this.#consumption.isOver(this.#attempt);
  }

  /** All handlers run in it, also those that succeeded in an earlier one: that was rolled back. */
  #enter(unit: UnitOfWork): void {
    const consumption = this.#consumption;
    consumption.unit = unit;
    consumption.target = unit;
    consumption.nextReading = 0;
    this.#reset();
  }
  #leave(): void {
    const consumption = this.#consumption;
    consumption.unit = undefined;
    consumption.target = consumption.services.outbound;
    this.#reset();
  }
  #reset(): void {
    const consumption = this.#consumption;
    consumption.responded = false;
    consumption.outcome = undefined;
    consumption.unhandled = undefined;
  }

  /** A store that is away is waited for, and the message held meanwhile: it is not the message that fails. */
  async #begin(): Promise<UnitOfWork> {
    const consumption = this.#consumption;
    const { deferral, services } = consumption;
    const inbox = [this.#storage.inboxKey(services.name, this.#messageId, deferral)];
    for (let failures = 0;; failures++) {
      try {
        return await this.#storage.begin(this.#messageId, inbox, consumption.signal);
      } catch (thrown) {
        const error = toError(thrown);
        if (this.#interrupted || isFinal(error)) throw error;
        await wait(consumption, this.#outageWait(failures));
        if (this.#interrupted) throw error;
      }
    }
  }
}

/** Waiting mends none of these. */
function isFinal(error: Error): boolean {
  return error instanceof ConfigurationError || error instanceof TopologyError || error instanceof AccessRefusedError ||
    error instanceof ClosedError;
}
