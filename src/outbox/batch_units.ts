/** Puts batches into units of work. @module */
import { ClaimLostError } from "../errors/receiving.ts";
import { DuplicateError, OutcomeUnknownError } from "../errors/store.ts";
import type { BatchUnits } from "../pipeline/batch.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import { wait } from "../pipeline/recovery.ts";
import type { OpenUnit } from "../pipeline/unit.ts";
import { beginUnit, conflictBackoff, isConflict, isHandled, keyOf, mostConflicts, sharedScope } from "./beginning.ts";
import { conclude } from "./concluding.ts";
import { Hold, refusalOf, takesNothing } from "./holding.ts";
import type { Storage } from "./storage.ts";

/** What a commit may fail with that the next need not. */
const againAtCommit = [DuplicateError, ClaimLostError] as const;

type Failures = ReadonlyMap<Consumption, Error>;

/** One unit for each batch: the inbox records of all its messages, but of those that fail alone. */
export class StoreBatchUnits implements BatchUnits {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async run(
    messages: readonly Consumption[],
    work: (unit: OpenUnit, left: readonly Consumption[]) => Promise<Failures>,
  ): Promise<Failures> {
    const [first] = messages;
    if (first === undefined) return new Map();
    const attempts = messages.map(({ attempt }) => attempt);
    const interrupted = (): boolean =>
      messages.every((each, at) => each.stopping || each.isOver(attempts[at] ?? each.attempt));
    const inbox = messages.map((each) => keyOf(each));
    const scope = sharedScope(this.#storage, first, inbox);
    const backoff = conflictBackoff(first.services.random);
    // What a commit of unknown outcome has made true, if it has.
    let unknown: { readonly failures: Failures; readonly handled: readonly Consumption[] } | undefined;
    let hold: Hold | undefined;
    for (let conflicts = 0;;) {
      const unit = await beginUnit(this.#storage, scope, first, interrupted);
      const fresh = messages.filter((_, at) => unit.duplicates[at] !== true);
      for (const each of messages) {
        if (!fresh.includes(each) && !(unknown?.handled.includes(each) ?? false)) each.unhandled = "duplicate";
      }
      // Others have them by now: they are left out, as those that fail alone.
      const lost = new Map(fresh.filter((each) => each.lost).map((each) => [each, each.whyOver(each.attempt)]));
      const left = fresh.filter((each) => !lost.has(each));
      const known = unknown?.failures;
      if (left.every((each) => known?.has(each) ?? false)) {
        await unit.rollback();
        return new Map([...known ?? [], ...lost]);
      }
      let failures: Failures = new Map();
      let committing = false;
      try {
        failures = new Map([...await work(unit, left), ...lost]);
        if (interrupted()) throw first.whyOver(attempts[0] ?? first.attempt);
        for (const each of failures.keys()) await unit.exclude(messages.indexOf(each));
        for (const each of left) if (!failures.has(each)) conclude(each, unit);
        committing = true;
        await unit.commit();
        return failures;
      } catch (thrown) {
        this.#storage.failed(unit.refusal ?? thrown);
        const refusal = refusalOf(unit, thrown, committing);
        await unit.rollback();
        const mayBeWritten = committing && thrown instanceof OutcomeUnknownError;
        unknown = mayBeWritten ? { failures, handled: left } : undefined;
        for (const each of left) reset(each, mayBeWritten);
        const met = isConflict(thrown) ||
          isHandled(thrown, inbox) ||
          refusal !== undefined ||
          (committing && againAtCommit.some((kind) => thrown instanceof kind));
        let again = (met || mayBeWritten) && !interrupted();
        if (again && takesNothing(refusal)) {
          hold ??= new Hold(this.#storage.trouble, first, interrupted);
          again = await hold.wait(refusal, left.length);
        } else if (again && conflicts < mostConflicts) await wait(first, backoff(conflicts++));
        else again = false;
        if (!again) {
          for (const each of left) each.responded = false;
          throw thrown;
        }
      }
    }
  }
}

/** What a handler asked for its message, and the answer to it, count only if they are committed. */
function reset(consumption: Consumption, mayBeWritten: boolean): void {
  consumption.outcome = undefined;
  if (mayBeWritten) return;
  consumption.unhandled = undefined;
  consumption.responded = false;
}
