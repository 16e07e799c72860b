/** One occurrence while an instance handles it. @module */
import { EndlessSagaError } from "../errors/saga.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import type { Step } from "./definition.ts";
import type { Caller, Continuation, SagaEffects, SagaInstance } from "./instance.ts";
import type { Plan } from "./plan.ts";
import { type Asker, StepContext } from "./step_context.ts";

/** What steps end with that wait for a compensation: those behind them wait as well. */
export const suspended: unique symbol = Symbol("suspended");
/** What steps end with. */
export type Signal = typeof suspended | void;

/** So often may rules lead to one another: more than any saga needs, and less than the stack holds. */
const deepest = 100;

/** Runs steps: `run` of `step_runner.ts`, which those that it calls do not import. */
export type RunSteps = (
  handling: Handling,
  context: StepContext,
  steps: readonly Step[],
  from?: number,
  failure?: Error,
) => Awaitable<Signal>;

/** What is known while one occurrence is handled. */
export class Handling {
  readonly plan: Plan;
  readonly instance: SagaInstance;
  readonly effects: SagaEffects;
  readonly #run: RunSteps;
  /** What waits for a compensation that is to begin; `undefined`: none is. */
  waiting: Continuation[] | undefined = undefined;
  /** As of the `compensate` steps that were reached. */
  downTo: string | undefined = undefined;
  /** Who waits for what is made of an answer, until it is answered or waits for the next; `undefined`: nobody. */
  caller: Caller | undefined = undefined;
  #depth = 0;

  constructor(plan: Plan, instance: SagaInstance, effects: SagaEffects, run: RunSteps) {
    this.#run = run;
    this.plan = plan;
    this.instance = instance;
    this.effects = effects;
  }

  /** @param asker who may be answered; `undefined`: nobody */
  context(message: unknown, asker: Asker = undefined, error: Error | undefined = undefined): StepContext {
    return new StepContext(this.plan.definition.name, this.instance, this.effects.context, message, asker, error);
  }

  /** Runs the steps of a rule, or what was left of them. */
  run(context: StepContext, steps: readonly Step[], from?: number, failure?: Error): Awaitable<Signal> {
    return this.#run(this, context, steps, from, failure);
  }

  /** Notes that those behind a step wait. */
  wait(continuation: Continuation): void {
    (this.waiting ??= []).push(continuation);
  }

  /**
   * Runs what rules lead to.
   *
   * @param what as in `enter "waiting"`
   * @throws {EndlessSagaError}
   */
  deeper<T>(what: string, work: () => Awaitable<T>): Awaitable<T> {
    if (this.#depth >= deepest) {
      throw new EndlessSagaError(this.plan.definition.name, this.instance.id, what, deepest);
    }
    this.#depth++;
    // What fails ends the handling, unless a `catch` goes on: the count may then be too high, which does no harm.
    const result = work();
    if (isPromise(result)) {
      return result.then((value) => {
        this.#depth--;
        return value;
      });
    }
    this.#depth--;
    return result;
  }
}

/** Goes on with `next`, at once where nothing has to be waited for. */
export function andThen<A, B>(first: Awaitable<A>, next: (value: A) => Awaitable<B>): Awaitable<B> {
  // Anything with a `then` may come from a saga's own code.
  return isPromise(first) ? Promise.resolve(first).then(next) : next(first);
}
