/** Runs steps, synchronously while they are. @module */
import { exceptionInfo } from "../errors/exception_info.ts";
import { UnhandledSagaEventError } from "../errors/saga.ts";
import { toError } from "../errors/thrown.ts";
import { nextWait } from "../pipeline/retry.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { epochMilliseconds, type Instant } from "../values/instant.ts";
import type { CatchStep, CompensateStep, RaiseStep, RequestStep, RetryStep, ScheduleStep, Step } from "./definition.ts";
import { finalState } from "./definition.ts";
import { andThen, type Handling, type Signal, suspended } from "./handling.ts";
import { type Caller, without } from "./instance.ts";
import { StepContext } from "./step_context.ts";
import { take } from "./taking.ts";
import { transition } from "./transitions.ts";
import { further, nextUndo } from "./undos.ts";

/**
 * Runs the steps of a list, one after the other.
 *
 * @param from the place of the first
 * @param failure with which a step before `from` failed: a `catch` may take it
 */
export function run(
  handling: Handling,
  context: StepContext,
  steps: readonly Step[],
  from = 0,
  failure: Error | undefined = undefined,
): Awaitable<Signal> {
  for (let at = from; at < steps.length; at++) {
    const step = steps[at]!; // within the list
    let result: Awaitable<Signal>;
    try {
      if (failure === undefined) {
        result = perform(handling, context, step);
      } else if (step.kind === "catch" && catches(step, failure)) {
        const caught = failure;
        failure = undefined;
        result = run(handling, StepContext.caught(context, caught), step.steps);
      } else continue;
    } catch (thrown) {
      failure = toError(thrown);
      continue;
    }
    if (result === undefined) continue;
    if (result === suspended) return stopBehind(handling, context, steps, at);
    return goOn(handling, context, steps, at, result);
  }
  if (failure !== undefined) throw failure;
}

async function goOn(
  handling: Handling,
  context: StepContext,
  steps: readonly Step[],
  at: number,
  result: Promise<Signal>,
): Promise<Signal> {
  let failure: Error | undefined;
  try {
    if (await result === suspended) return stopBehind(handling, context, steps, at);
  } catch (thrown) {
    failure = toError(thrown);
  }
  return run(handling, context, steps, at + 1, failure);
}

function stopBehind(handling: Handling, context: StepContext, steps: readonly Step[], at: number): Signal {
  if (at < steps.length - 1) {
    const { message, error } = context;
    const { key } = steps[at]!;
    const caller = handling.plan.placeOf(key, handling.instance).answered ? callerOf(handling, context) : undefined;
    handling.wait({
      step: key,
      message,
      error: error === undefined ? undefined : exceptionInfo(error),
      ...(caller === undefined ? {} : { caller }),
    });
  }
  return suspended;
}

function catches({ error }: CatchStep, failure: Error): boolean {
  return failure instanceof error;
}

function perform(handling: Handling, context: StepContext, step: Step): Awaitable<Signal> {
  const { effects, instance } = handling;
  // A step's functions are typed by its saga, and were made for this context.
  const own = context as never;
  switch (step.kind) {
    case "then": {
      const result: unknown = step.run(own);
      // What it gives, if anything, is nobody's: a promise is waited for.
      return isPromise(result) ? Promise.resolve(result).then(nothing) : undefined;
    }
    case "publish":
    case "send": {
      const message = step.make(own);
      if (isPromise(message)) return andThen(message, (made) => effects[step.kind](step.contract, made));
      return effects[step.kind](step.contract, message);
    }
    case "transition":
      return transition(handling, step.state);
    case "finalize":
      return transition(handling, finalState);
    case "branch": {
      const chosen = step.cases.get(step.select(own));
      return chosen === undefined ? undefined : run(handling, context, chosen);
    }
    case "sequence":
      return run(handling, context, step.steps);
    case "schedule":
      return schedule(handling, step, own);
    case "unschedule":
      return unschedule(handling, step.timeout);
    case "respond": {
      const asker = StepContext.asker(context);
      if (asker === undefined) return undefined;
      return andThen(step.make(own), (reply) => respond(handling, reply, typeof asker === "string"));
    }
    case "request":
      return andThen(step.make(own), (message) => request(handling, step, message, context));
    case "raise":
      return andThen(step.make(own), (message) => raise(handling, step, message));
    case "retry":
      return retry(handling, context, step, 1);
    case "catch":
      return undefined; // nothing has failed
    case "compensateWith":
      instance.undos = [...instance.undos, { name: step.name, step: step.key, message: context.message }];
      return undefined;
    case "compensate":
      return compensate(handling, step);
  }
}

function nothing(): void {}

function schedule({ plan, instance, effects }: Handling, step: ScheduleStep, own: never): Awaitable<void> {
  const now = effects.now();
  const when: Duration | Instant | undefined = step.when?.(own);
  const dueAt = when === undefined
    ? now + (plan.definition.timeouts.get(step.timeout) ?? 0)
    : typeof when === "object"
    ? epochMilliseconds(when)
    : now + milliseconds(when);
  const before = instance.timeouts[step.timeout];
  const token = effects.newId();
  instance.timeouts = { ...instance.timeouts, [step.timeout]: token };
  if (before === undefined) return effects.schedule(step.timeout, token, dueAt);
  return andThen(effects.unschedule(before), () => effects.schedule(step.timeout, token, dueAt));
}

function unschedule({ instance, effects }: Handling, timeout: string): Awaitable<void> {
  const token = instance.timeouts[timeout];
  if (token === undefined) return undefined;
  instance.timeouts = without(instance.timeouts, timeout);
  return effects.unschedule(token);
}

/** @param atOnce whether who asked has sent what is handled; else it has waited since an earlier unit, or got its answer */
function respond(handling: Handling, reply: unknown, atOnce: boolean): Awaitable<void> {
  const { caller, effects } = handling;
  if (atOnce) return effects.respond(reply, undefined);
  if (caller === undefined) return undefined;
  return andThen(effects.respond(reply, caller), () => {
    handling.caller = undefined;
  });
}

/** Who is to be answered in a later unit; `undefined`: nobody waits, or it has got its answer. */
function callerOf({ caller, effects }: Handling, context: StepContext): Caller | undefined {
  const asker = StepContext.asker(context);
  return typeof asker === "string" ? effects.park(asker) : asker && caller;
}

function request(handling: Handling, step: RequestStep, message: unknown, context: StepContext): Awaitable<Signal> {
  const { instance, effects } = handling;
  const requestId = effects.newId();
  const token = effects.newId();
  const caller = step.answers ? callerOf(handling, context) : undefined;
  if (caller !== undefined) handling.caller = undefined;
  const open = { step: step.key, token, ...(caller === undefined ? {} : { caller }) };
  instance.requests = { ...instance.requests, [requestId]: open };
  const sent = effects.request(step.contract, message, { requestId, token, dueAt: effects.now() + step.timeoutInMs });
  const { pending } = step;
  return pending === undefined ? sent : andThen(sent, () => transition(handling, pending));
}

function raise(handling: Handling, { event }: RaiseStep, message: unknown): Awaitable<Signal> {
  const taken = handling.deeper(
    `handle "${event}", which a rule raised`,
    () => take(handling, event, handling.context(message)),
  );
  return andThen(taken, (became) => {
    if (became === suspended) return suspended;
    if (became !== "unhandled" && became !== "redeliver") return undefined;
    const { plan, instance } = handling;
    // It cannot come again: it is raised again with what raises it.
    throw new UnhandledSagaEventError(plan.definition.name, instance.id, instance.state, event);
  });
}

function retry(handling: Handling, context: StepContext, step: RetryStep, attempt: number): Awaitable<Signal> {
  for (;; attempt++) {
    let failure: Error;
    try {
      const result = run(handling, context, step.steps);
      return isPromise(result) ? retryLater(handling, context, step, attempt, result) : result;
    } catch (thrown) {
      failure = toError(thrown);
    }
    const wait = waitOf(handling, step, attempt, failure);
    if (wait > 0) {
      const next = attempt + 1;
      return handling.effects.wait(wait).then(() => retry(handling, context, step, next));
    }
  }
}

async function retryLater(
  handling: Handling,
  context: StepContext,
  step: RetryStep,
  attempt: number,
  result: Promise<Signal>,
): Promise<Signal> {
  try {
    return await result;
  } catch (thrown) {
    const wait = waitOf(handling, step, attempt, toError(thrown));
    if (wait > 0) await handling.effects.wait(wait);
  }
  return retry(handling, context, step, attempt + 1);
}

/** Throws the failure where the policy gives up. */
function waitOf({ effects }: Handling, { policy }: RetryStep, attempt: number, failure: Error): number {
  const wait = nextWait(policy, attempt, failure, () => effects.random());
  if (wait === undefined) throw failure;
  return wait;
}

function compensate(handling: Handling, { downTo }: CompensateStep): Signal {
  const { instance, waiting } = handling;
  if (nextUndo(instance.undos, downTo) === undefined) return undefined;
  handling.downTo = waiting === undefined ? downTo : further(instance.undos, handling.downTo, downTo);
  handling.waiting ??= [];
  return suspended;
}
