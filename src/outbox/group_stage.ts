/** Puts the attempts of several messages into one unit of work. @module */
import { toError } from "../errors/receiving.ts";
import { ConflictError, OutcomeUnknownError } from "../errors/store.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import type { Run, Stage } from "../pipeline/stage.ts";
import { beginUnit, keyOf } from "./beginning.ts";
import { putOff } from "./put_off.ts";
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
      return (consumption) => hasUnit(consumption) ? groups.add(consumption) : next(consumption);
    },
  };
}

class Groups {
  readonly #storage: Storage;
  readonly #size: number;
  readonly #next: Run;
  #waiting: Member[] = [];
  readonly #close = (): void => {
    const members = this.#waiting;
    if (members.length === 0) return;
    this.#waiting = [];
    this.#start(members);
  };

  constructor(storage: Storage, size: number, next: Run) {
    this.#storage = storage;
    this.#size = size;
    this.#next = next;
  }

  add(consumption: Consumption): Promise<void> {
    keyOf(consumption, this.#storage); // it fails here, not its group
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ consumption, attempt: consumption.attempt, resolve, reject });
    // What comes in one turn is together: nobody waits for more.
    if (this.#waiting.length >= this.#size) this.#close();
    else if (this.#waiting.length === 1) queueMicrotask(this.#close);
    return promise;
  }

  #start(members: readonly Member[]): void {
    const [only] = members;
    if (members.length === 1 && only !== undefined) this.#alone(only, undefined);
    else this.#together(members);
  }

  #alone({ consumption, resolve, reject }: Member, unknown: Parameters<typeof runAlone>[3]): void {
    runAlone(consumption, this.#storage, this.#next, unknown).then(resolve, reject);
  }

  async #together(members: readonly Member[]): Promise<void> {
    const failed = new Map<Member, Error>();
    const again = new Set<Member>();
    const committed: Member[] = [];
    let committing = false;
    let unit;
    try {
      const first = members[0]?.consumption ?? fail();
      const inbox = members.map(({ consumption }) => keyOf(consumption, this.#storage));
      unit = await beginUnit(this.#storage, first, inbox, undefined, () => members.every(isOver));
      for (const [index, member] of members.entries()) {
        const { consumption } = member;
        if (unit.duplicates[index] === true) {
          consumption.unhandled = "duplicate";
          committed.push(member);
          continue;
        }
        try {
          await unit.part(index, async (part) => {
            if (isOver(member)) throw consumption.whyOver(member.attempt);
            enter(consumption, part);
            await this.#next(consumption);
            if (isOver(member)) throw consumption.whyOver(member.attempt);
            putOff(consumption, part);
          });
          committed.push(member);
        } catch (thrown) {
          leave(consumption);
          if (thrown instanceof ConflictError) again.add(member);
          else failed.set(member, toError(thrown));
          if (isOver(member)) throw new StillAtWork();
        }
      }
      committing = true;
      await unit.commit();
    } catch (thrown) {
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
