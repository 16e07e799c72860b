/** Puts the attempts of several messages into one unit of work. @module */
import { toError } from "../errors/thrown.ts";
import { OutcomeUnknownError } from "../errors/store.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import type { Run, Stage } from "../pipeline/stage.ts";
import { beginUnit, isConflict, isHandled, keyOf, sharedScope } from "./beginning.ts";
import { conclude } from "./concluding.ts";
import { refusalOf } from "./holding.ts";
import type { Storage } from "./storage.ts";
import { enter, hasUnit, leave, runAlone } from "./unit_stage.ts";

/** A message that is in a group. */
interface Member {
  readonly consumption: Consumption;
  readonly attempt: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A handler may still be at work in the transaction of all: none of it may be committed. */
class StillAtWork extends Error {}

/**
 * As `unitOfWork`, but messages that come together share a unit and a commit: one after the other, each on a savepoint.
 * One's failure is its own. If the commit fails, each is run again alone.
 */
export function groupedUnits(storage: Storage, size: number): Stage {
  return {
    name: `inbox and outbox, in groups of ${size}`,
    around: (next) => {
      const groups = new Groups(storage, size, next);
      return (consumption) => {
        if (!hasUnit(consumption)) return next(consumption);
        // One failure of a saga, or one conflict, is not to run the whole group again.
        if (consumption.match?.stateful === true) return runAlone(consumption, storage, next, undefined);
        return groups.add(consumption);
      };
    },
  };
}

class Groups {
  readonly #storage: Storage;
  readonly #size: number;
  readonly #next: Run;
  #waiting: Member[] = [];
  #running = 0;
  readonly #startSome = (): void => this.#start();

  constructor(storage: Storage, size: number, next: Run) {
    this.#storage = storage;
    this.#size = size;
    this.#next = next;
  }

  add(consumption: Consumption): Promise<void> {
    keyOf(consumption); // it fails here, not its group
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ consumption, attempt: consumption.attempt, resolve, reject });
    // What comes in one turn is together; who comes first waits for no more than that.
    if (this.#waiting.length >= this.#size) this.#start();
    else if (this.#waiting.length === 1) queueMicrotask(this.#startSome);
    return promise;
  }

  /** As many groups at once as the endpoint's concurrency fills: what comes meanwhile waits, and fills the next ones. */
  #start(): void {
    const concurrency = this.#waiting[0]?.consumption.services.concurrency ?? 1;
    const most = Math.max(1, Math.ceil(concurrency / this.#size));
    while (this.#waiting.length > 0 && this.#running < most) {
      const members = this.#waiting.splice(0, this.#size);
      this.#running++;
      this.#run(members).finally(() => {
        this.#running--;
        this.#start();
      });
    }
  }

  #run(members: readonly Member[]): Promise<void> {
    const [only] = members;
    return members.length === 1 && only !== undefined ? this.#alone(only, undefined) : this.#together(members);
  }

  #alone({ consumption, resolve, reject }: Member, unknown: Parameters<typeof runAlone>[3]): Promise<void> {
    return Promise.resolve(runAlone(consumption, this.#storage, this.#next, unknown)).then(resolve, reject);
  }

  async #together(members: readonly Member[]): Promise<void> {
    const failed = new Map<Member, Error>();
    const again = new Set<Member>();
    const committed: Member[] = [];
    let committing = false;
    let unit;
    try {
      const first = members[0]?.consumption ?? fail();
      const inbox = members.map(({ consumption }) => keyOf(consumption));
      const scope = sharedScope(this.#storage, first, inbox);
      unit = await beginUnit(this.#storage, scope, first, () => members.every(isOver));
      for (const [index, member] of members.entries()) {
        const { consumption } = member;
        if (unit.duplicates[index] === true) {
          consumption.unhandled = "duplicate";
          committed.push(member);
          continue;
        }
        let begun = false;
        try {
          await unit.part(index, async (part) => {
            begun = true;
            if (isOver(member)) throw consumption.whyOver(member.attempt);
            enter(consumption, part);
            await this.#next(consumption);
            if (isOver(member)) throw consumption.whyOver(member.attempt);
            conclude(consumption, part);
          });
          committed.push(member);
        } catch (thrown) {
          leave(consumption);
          if (isHandled(thrown, inbox)) throw thrown; // it ends the unit of all
          if (refusalOf(unit, thrown, false) !== undefined) throw thrown; // so does this, of which none has failed
          // Where the unit of all has ended before its turn came, it was handed to no handler: nothing of it has failed.
          if (!begun || isConflict(thrown)) again.add(member);
          else failed.set(member, toError(thrown));
          this.#storage.failed(thrown);
          if (isOver(member)) throw new StillAtWork();
        }
      }
      committing = true;
      await unit.commit();
    } catch (thrown) {
      this.#storage.failed(unit?.refusal ?? thrown);
      await unit?.rollback();
      const unknown = committing && thrown instanceof OutcomeUnknownError;
      for (const member of members) {
        const { consumption, attempt } = member;
        const error = failed.get(member) ?? (isOver(member) ? consumption.whyOver(attempt) : undefined);
        const { unhandled } = consumption;
        leave(consumption);
        if (error !== undefined) member.reject(error);
        else this.#alone(member, unknown && committed.includes(member) ? { unhandled } : undefined);
      }
      return;
    }
    for (const member of committed) member.resolve();
    for (const [member, error] of failed) member.reject(error);
    for (const member of again) this.#alone(member, undefined);
  }
}

/** Nothing of it may have an effect any more. */
function isOver({ consumption, attempt }: Member): boolean {
  return consumption.stopping || consumption.isOver(attempt);
}

function fail(): never {
  throw new TypeError("A group has no members");
}
