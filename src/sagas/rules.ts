/** The vocabulary that the rules of a saga are written in. @module */
import type { NoReply } from "../contracts/contract.ts";
import type { MissingShape, SagaContext, Shape, StateOf } from "./context.ts";
import type { Correlation } from "./correlation.ts";
import type { MessageOf, Rule, Sequence, Steps } from "./steps.ts";

/** Shown in the error for an answer where none is expected. */
export type NothingToReply = "this contract declares no reply";
/** What answers an event. */
export type AnswerTo<C> = C extends Correlation<unknown, infer Reply> ? (Reply extends NoReply ? NothingToReply : Reply)
  : never;
/** The same, where there may be none: then a sequence of its steps may stand wherever nobody is answered. */
export type ReplyTo<C> = C extends Correlation<unknown, infer Reply> ? (Reply extends NoReply ? never : Reply) : never;
/** What an event does to an instance. */
export type RoleOf<C> = C extends Correlation<unknown, unknown, infer R> ? R : "needs an existing saga";
/** One or several. */
export type One<T> = T | readonly T[];
/** What becomes of an event that no rule of the state takes; `"fault"`: it fails with an `UnhandledSagaEventError`. */
export type UnhandledEvent = "fault" | "ignore" | "redeliver";
/** Rules with the states that they are for, or what else a saga may say. */
export interface Behavior {
  /** Its rules, if it has any. */
  readonly rules: readonly Rule[];
}

/**
 * The vocabulary that rules are written in.
 *
 * One rule takes an event: the first, in the order of writing, whose filter does not refuse it, of those of the state;
 * if there is none, of those of the state that this one is within, and so on; last of those of `duringAny`.
 */
export interface Rules<in out S extends Shape> {
  /** Rules for messages that may begin an instance. */
  initially(...rules: readonly Rule<"starts a saga">[]): Behavior;
  /** Rules of one or several states, and of the states within them. */
  during(state: One<StateOf<S>>, ...rules: readonly Rule[]): Behavior;
  /** Rules of all states but the initial and the final one. */
  duringAny(...rules: readonly Rule[]): Behavior;
  /**
   * Rules of the final state, for instances that are kept in it. `finally` is a word of the language: write
   * `rules.finally(…)`, or take it as `{ finally: atTheEnd }`.
   */
  finally(...rules: readonly Rule[]): Behavior;
  /** An event, unless `filter` refuses it; then it is as if the rule were not there. */
  when<K extends S["event"]>(
    event: K,
    filter?: NoInfer<(context: SagaContext<S, MessageOf<S["events"][K]>>) => boolean>,
  ): Steps<S, MessageOf<S["events"][K]>, RoleOf<S["events"][K]>, undefined, AnswerTo<S["events"][K]>>;
  /**
   * Stands in `initially`: an event with `onMissing: "run"` whose instance is not there. No instance is made. `ctx.id` is
   * what it would have; empty where it was looked for by indexes.
   */
  whenMissing<K extends S["event"]>(
    event: K,
  ): Steps<MissingShape<S>, MessageOf<S["events"][K]>, "starts a saga", undefined, AnswerTo<S["events"][K]>>;
  /**
   * Once all of these have arrived, in any order and in any state: at once, or when a state is entered that has the
   * rule. Fires once for an instance. An event is counted as well as handled by its own rule, not where it is ignored.
   */
  whenAll(...events: readonly S["event"][]): Steps<S, undefined, "needs an existing saga", undefined>;
  /** A timeout that has been scheduled, and not taken back since. */
  timeout(name: S["timeout"]): Steps<S, undefined, "needs an existing saga", undefined>;
  /** Before `whenEnter`, while `ctx.state` is still the old one. */
  beforeEnter(state: StateOf<S> | "final"): Steps<S, undefined, "needs an existing saga", undefined>;
  /** Once the state, or one within it, has been entered from outside of it. */
  whenEnter(state: StateOf<S> | "final"): Steps<S, undefined, "needs an existing saga", undefined>;
  /** Before the state, and those within it, are left. */
  whenLeave(state: StateOf<S> | "initial"): Steps<S, undefined, "needs an existing saga", undefined>;
  /** After `whenLeave`, when `ctx.state` is the new one. */
  afterLeave(state: StateOf<S> | "initial"): Steps<S, undefined, "needs an existing saga", undefined>;
  /** Drops events. */
  ignore(...events: readonly S["event"][]): Rule;
  /** Looked at after every event: deletes the instance. Left out: `finalize()` does. */
  completedWhen(condition: (saga: S["data"], state: StateOf<S> | "initial" | "final") => boolean): Behavior;
  /** An event, or a timeout, that no rule of the state takes. Left out: `"fault"`. */
  onUnhandled(
    decide: UnhandledEvent | ((context: SagaContext<S, unknown>, event: S["event"] | S["timeout"]) => UnhandledEvent),
  ): Behavior;
  /** A sequence of steps for several rules, of any message. */
  sequence(steps: Sequence<S, unknown>): Sequence<S, unknown>;
  /** A sequence of steps for several rules of one event. */
  sequence<K extends S["event"]>(
    event: K,
    steps: NoInfer<Sequence<S, MessageOf<S["events"][K]>, unknown, AnswerTo<S["events"][K]>>>,
  ): Sequence<S, MessageOf<S["events"][K]>, unknown, ReplyTo<S["events"][K]>>;
}
