/** Runs the rules of a saga: the state machine itself, which knows nothing of buses and stores. @module */
import { UnreadableSagaError } from "../errors/saga.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import { begin, compensation } from "./compensation.ts";
import { finalState, type SagaDefinition } from "./definition.ts";
import { andThen, Handling, type Signal, suspended } from "./handling.ts";
import {
  giveUp,
  type Handled,
  nothing,
  type Occurrence,
  type SagaEffects,
  type SagaInstance,
  without,
} from "./instance.ts";
import { Plan } from "./plan.ts";
import { run } from "./step_runner.ts";
import { choose, fire, take, type Taken, unhandled } from "./taking.ts";

const plans = new WeakMap<SagaDefinition, Plan>();

/** The tables of a definition, by which it is handled: made once. */
export function planOf(definition: SagaDefinition): Plan {
  let plan = plans.get(definition);
  if (plan === undefined) plans.set(definition, plan = new Plan(definition));
  return plan;
}

/**
 * Has an instance handle what comes to it: changes it in place, and asks `effects` for all else. Synchronous where the
 * saga's own steps and the effects are. Where it throws, or says anything but `handled`, nothing of the instance may be
 * kept.
 *
 * @throws {UnreadableSagaError} if the instance is in a state, or has a step in it, that the saga does not have
 * @throws {CompensationFailedError} if an undo failed, {@linkcode UnknownUndoError} if there is none of its name
 * @throws whatever a step throws that no `catch` takes
 */
export function handle(
  plan: Plan,
  instance: SagaInstance,
  occurrence: Occurrence,
  effects: SagaEffects,
): Awaitable<Handled> {
  const handling = new Handling(plan, instance, effects, run);
  switch (occurrence.kind) {
    case "event": {
      if (instance.compensating !== undefined) return "redeliver";
      const { event, message } = occurrence;
      return settled(handling, take(handling, event, handling.context(message, event)));
    }
    case "missing":
      return missing(handling, occurrence.event, occurrence.message);
    case "timeout":
      return timeout(handling, occurrence.timeout, occurrence.token);
    case "completed":
    case "faulted":
    case "timedOut":
      return answered(handling, occurrence);
    case "compensate":
      return compensated(handling, occurrence.token);
  }
}

/**
 * Whether an event would have to come again later. Where it is for several instances, this is to be known before one of
 * them handles it: it would come again to that one too. Runs filters and no step.
 *
 * @throws {UnreadableSagaError} as `handle`
 */
export function mustWait(
  plan: Plan,
  instance: SagaInstance,
  { event, message }: Extract<Occurrence, { readonly kind: "event" }>,
  effects: SagaEffects,
): boolean {
  if (instance.compensating !== undefined) return true;
  const handling = new Handling(plan, instance, effects, run);
  const found = handling.plan.stateOf(instance).events.get(event);
  return choose(handling, found, event, handling.context(message, event)) === "redeliver";
}

/** Whether an instance is over: it is deleted, or archived. Not while it compensates. */
export function isOver({ completedWhen }: SagaDefinition, { state, data, compensating }: SagaInstance): boolean {
  if (compensating !== undefined) return false;
  // The condition is typed by its saga, and was made for this data.
  return completedWhen === undefined ? state === finalState : completedWhen(data as never, state);
}

function missing(handling: Handling, event: string, message: unknown): Awaitable<Handled> {
  const rule = handling.plan.missing.get(event);
  if (rule === undefined) return "unhandled";
  return andThen(handling.run(handling.context(message, event), rule.steps), () => "handled");
}

function timeout(handling: Handling, name: string, token: string): Awaitable<Handled> {
  const { instance, plan } = handling;
  if (instance.timeouts[name] !== token) return "stale";
  if (instance.compensating !== undefined) return "redeliver";
  const rule = plan.stateOf(instance).timeouts.get(name);
  const context = handling.context(undefined);
  if (rule === undefined) return unhandled(handling, name, context);
  instance.timeouts = without(instance.timeouts, name);
  return ran(handling, handling.run(context, rule.steps));
}

type Answer = Extract<Occurrence, { readonly requestId: string }>;

function answered(handling: Handling, answer: Answer): Awaitable<Handled> {
  const { instance, plan, effects } = handling;
  const { requestId, kind } = answer;
  const request = Object.hasOwn(instance.requests, requestId) ? instance.requests[requestId] : undefined;
  if (request === undefined || kind === "timedOut" && answer.token !== request.token) return "stale";
  if (instance.compensating !== undefined) return "redeliver";
  plan.stateOf(instance);
  const step = plan.definition.requests.get(request.step);
  if (step === undefined) {
    const why = `it waits for the answer to "${request.step}", a step which the saga does not have`;
    throw new UnreadableSagaError(plan.definition.name, instance.id, why);
  }
  instance.requests = without(instance.requests, requestId);
  const cleared = kind === "timedOut" ? undefined : effects.unschedule(request.token);
  const context = handling.context(kind === "timedOut" ? undefined : answer.message, request.caller);
  handling.caller = request.caller;
  return ranFor(handling, andThen(cleared, () => handling.run(context, step[kind])));
}

/** As `ran`, for whoever may wait for it. */
function ranFor(handling: Handling, signal: Awaitable<Signal>): Awaitable<Handled> {
  return ran(handling, andThen(signal, (ended) => andThen(unanswered(handling), () => ended)));
}

/** Unless a compensation comes first, nothing else will ever answer whoever waits for what these steps were to say. */
function unanswered({ caller, effects, waiting = [] }: Handling): Awaitable<void> {
  if (caller === undefined || waiting.some((each) => each.caller !== undefined)) return undefined;
  return effects.abandon(caller);
}

function compensated(handling: Handling, token: string): Awaitable<Handled> {
  if (handling.instance.compensating?.token !== token) return "stale";
  handling.plan.stateOf(handling.instance);
  return ranFor(handling, compensation(handling, handling.instance.compensating));
}

function ran(handling: Handling, signal: Awaitable<Signal>): Awaitable<Handled> {
  return settled(handling, andThen(signal, (ended): Taken => ended ?? "handled"));
}

/** What follows once the rule has run: composites, a compensation that is to begin, the end. */
function settled(handling: Handling, taken: Awaitable<Taken>): Awaitable<Handled> {
  if (isPromise(taken)) return taken.then((became) => settled(handling, became));
  if (taken !== "handled" && taken !== suspended) return taken;
  // What a compensation has still to undo comes first.
  const fired = taken === suspended || handling.instance.compensating !== undefined ? undefined : fire(handling);
  if (isPromise(fired)) return fired.then(() => andThen(conclude(handling), () => "handled" as const));
  const concluded = conclude(handling);
  return isPromise(concluded) ? concluded.then(() => "handled") : "handled";
}

function conclude(handling: Handling): Awaitable<void> {
  const { instance, effects, waiting, plan } = handling;
  plan.checkData(instance, instance.state);
  if (waiting !== undefined) return begin(handling, waiting);
  if (isOver(plan.definition, instance)) return release(instance, effects);
}

/** What is scheduled for an instance that is over would find nothing. */
function release(instance: SagaInstance, effects: SagaEffects): Awaitable<void> {
  const { timeouts, requests } = instance;
  if (timeouts === nothing && requests === nothing) return undefined;
  let done: Awaitable<void> = undefined;
  instance.timeouts = nothing;
  for (const token of Object.values(timeouts)) done = andThen(done, () => effects.unschedule(token));
  for (const id in requests) {
    done = andThen(done, () => giveUp(instance, id, effects));
  }
  return done;
}
