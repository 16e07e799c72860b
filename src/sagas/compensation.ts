/** Compensation: undos one by one, then what waited for them. @module */
import type { ExceptionInfo } from "../errors/exception_info.ts";
import { CompensationFailedError, UnknownUndoError } from "../errors/saga.ts";
import { toError } from "../errors/thrown.ts";
import type { Awaitable } from "../values/awaitable.ts";
import type { CatchStep } from "./definition.ts";
import { type Handling, type Signal, suspended } from "./handling.ts";
import type { Caller, Compensation, Continuation, UndoRecord } from "./instance.ts";
import { further, nextUndo } from "./undos.ts";

/** Has a compensation begin, or one that runs do what an undo asked for as well. */
export function begin({ instance, effects, downTo }: Handling, waiting: readonly Continuation[]): Awaitable<void> {
  const { compensating, undos } = instance;
  const token = effects.newId();
  instance.compensating = compensating === undefined
    ? { downTo, then: waiting, token }
    : { downTo: further(undos, compensating.downTo, downTo), then: [...waiting, ...compensating.then], token };
  return effects.resume(token);
}

/** The next undo, or, once there is none left, what waited for them. */
export async function compensation(handling: Handling, compensating: Compensation): Promise<Signal> {
  const { instance, effects } = handling;
  const undo = nextUndo(instance.undos, compensating.downTo);
  if (undo === undefined) {
    instance.compensating = undefined;
    handling.caller = callerIn(compensating);
    return await goOn(handling, compensating.then);
  }
  await run(handling, undo);
  instance.undos = instance.undos.filter((each) => each !== undo);
  // What follows has a unit of its own, so that its failure does not undo the undo.
  if (handling.waiting !== undefined) return suspended;
  const token = effects.newId();
  instance.compensating = { ...compensating, token };
  await effects.resume(token);
}

/** Who waits for what follows: all of it comes from one message, so that it is the same one. */
export function callerIn({ then }: Compensation): Caller | undefined {
  return then.find(({ caller }) => caller !== undefined)?.caller;
}

async function run(handling: Handling, { name, message }: UndoRecord): Promise<void> {
  const { instance, plan } = handling;
  const { name: saga, undos } = plan.definition;
  const step = undos.get(name);
  if (step === undefined) throw new UnknownUndoError(saga, instance.id, name, [...undos.keys()]);
  try {
    await handling.run(handling.context(message), step.undo);
  } catch (thrown) {
    throw new CompensationFailedError(saga, instance.id, name, { cause: toError(thrown) });
  }
}

/** Runs what is left of each list, the innermost first: what one throws, a `catch` in the next may take. */
async function goOn(handling: Handling, continuations: readonly Continuation[]): Promise<Signal> {
  let failure: Error | undefined;
  for (const [at, { step, message, error, caller }] of continuations.entries()) {
    const place = handling.plan.placeOf(step, handling.instance);
    const caught = error === undefined ? undefined : revived(error, place.caught);
    try {
      const signal = await handling.run(
        handling.context(message, caller, caught),
        place.steps,
        place.at + 1,
        failure,
      );
      failure = undefined;
      if (signal !== suspended) continue;
    } catch (thrown) {
      failure = toError(thrown);
      continue;
    }
    for (const later of continuations.slice(at + 1)) handling.wait(later);
    return suspended;
  }
  if (failure !== undefined) throw failure;
}

/** Of what was caught before the compensation, its class and what it said. */
function revived({ type, message, stack }: ExceptionInfo, caught: CatchStep["error"] | undefined): Error {
  const error: Error = Object.create(caught?.prototype ?? Error.prototype);
  const properties = { name: type, message, stack: stack ?? `${type}: ${message}` };
  for (const [key, value] of Object.entries(properties)) {
    Object.defineProperty(error, key, { value, configurable: true, writable: true });
  }
  return error;
}
