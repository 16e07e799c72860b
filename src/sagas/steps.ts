/** The steps that rules are written in. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import type { ExceptionInfo } from "../errors/exception_info.ts";
import type { RetryPolicy } from "../pipeline/retry.ts";
import type { Awaitable } from "../values/awaitable.ts";
import type { Duration } from "../values/duration.ts";
import type { ErrorClass } from "../values/error_class.ts";
import type { Make } from "../values/exact.ts";
import type { Instant } from "../values/instant.ts";
import type { SagaContext, Shape, StateOf } from "./context.ts";
import type { Correlation, Role } from "./correlation.ts";

/** What messages of an event are. */
export type MessageOf<C> = C extends Correlation<infer Message> ? Message : undefined;

/** A finished rule: a trigger and its steps. */
export interface Rule<out R extends Role = Role> {
  /** What its trigger does to an instance. */
  readonly role: R;
}
/**
 * A reusable sequence of steps, or a branch. Called when the saga is made, once, not when its steps run. `Failure` is
 * what was caught: left out, it may be anything, so that the sequence may stand in a `catch` too. `Reply` is what it may
 * answer; left out, it answers nobody, and may stand in any rule.
 */
export type Sequence<S extends Shape, Message, Failure = unknown, Reply = never> = (
  steps: Steps<S, Message, Role, Failure, Reply>,
) => Rule;

/**
 * What a rule does, one after the other. All of it is one unit of work: it is committed with the state, or nothing is.
 */
export interface Steps<
  in out S extends Shape,
  out Message,
  out R extends Role = Role,
  out Failure = unknown,
  in Reply = never,
> extends Rule<R> {
  /** Runs code: changes `ctx.saga` in place, writes with `store.tx(ctx)`. */
  then(run: (context: SagaContext<S, Message, Failure>) => Awaitable<void>): this;
  /** Tells whoever subscribes, once the state is committed. */
  publish<In, F extends (context: SagaContext<S, Message, Failure>) => Awaitable<In>>(
    event: Event<In, unknown>,
    message: Make<SagaContext<S, Message, Failure>, In, F>,
  ): this;
  /** Sends to the one owner, once the state is committed. */
  send<In, F extends (context: SagaContext<S, Message, Failure>) => Awaitable<In>>(
    command: Command<In, unknown, unknown>,
    message: Make<SagaContext<S, Message, Failure>, In, F>,
  ): this;
  /** Answers the message that the rule handles; in the branches of a request, the one that it was made for. Once. */
  respond(reply: (context: SagaContext<S, Message, Failure>) => Awaitable<Reply>): this;
  /** Durable: request and timeout are committed with the state, the answer comes as a message, in any process. */
  request<In, Answer, F extends (context: SagaContext<S, Message, Failure>) => Awaitable<In>>(
    contract: Contract<In, unknown, Answer, "command" | "query">,
    message: Make<SagaContext<S, Message, Failure>, In, F>,
    outcome: NoInfer<RequestOutcome<S, Answer, Reply>>,
  ): this;
  /** Leaves the state and enters another, if it is another: `whenLeave`, `beforeEnter`, `afterLeave`, `whenEnter`. */
  transitionTo(state: StateOf<S>): this;
  /** Enters the final state, in which an instance is deleted unless `completedWhen` or `finalized` say otherwise. */
  finalize(): this;
  /** Has `timeout(name)` come, after its length or at another time; instead of one that is already scheduled. */
  schedule(timeout: S["timeout"], when?: (context: SagaContext<S, Message, Failure>) => Duration | Instant): this;
  /** Takes a timeout back. Does nothing where none is scheduled. */
  unschedule(timeout: S["timeout"]): this;
  /** Has the instance handle another of its events at once, as part of this one. Nobody is answered. */
  raise<
    K extends S["event"],
    F extends (context: SagaContext<S, Message, Failure>) => Awaitable<MessageOf<S["events"][K]>>,
  >(
    event: K,
    message: Make<SagaContext<S, Message, Failure>, MessageOf<S["events"][K]>, F>,
  ): this;
  /** A branch. */
  if(
    condition: (context: SagaContext<S, Message, Failure>) => boolean,
    then: Sequence<S, Message, Failure, Reply>,
  ): this;
  /** One of two branches. */
  ifElse(
    condition: (context: SagaContext<S, Message, Failure>) => boolean,
    then: Sequence<S, Message, Failure, Reply>,
    otherwise: Sequence<S, Message, Failure, Reply>,
  ): this;
  /** A branch for each of the strings that `select` may return, no more and no less. */
  switch<Case extends string>(
    select: (context: SagaContext<S, Message, Failure>) => Case,
    cases: NoInfer<{ readonly [K in Case]: Sequence<S, Message, Failure, Reply> }>,
  ): this;
  /** Runs a sequence that was written elsewhere. */
  run(sequence: Sequence<S, Message, Failure, Reply>): this;
  /**
   * Runs steps again when they fail, while the message is held. What an attempt has sent or changed stays: put into it
   * what may be done again.
   */
  retry(policy: RetryPolicy, steps: Sequence<S, Message, Failure, Reply>): this;
  /**
   * What to do where one of the steps before it threw an error of this class; those behind it then go on. What the
   * steps before had sent or changed stays.
   */
  catch<E extends Error>(error: ErrorClass<E>, steps: NoInfer<Sequence<S, Message, E, Reply>>): this;
  /**
   * Registers an undo under a name, to run when `compensate()` is reached, with the message that is handled now.
   * Registered twice, it is undone twice.
   */
  compensateWith(name: string, undo: Sequence<S, Message, undefined>): this;
  /**
   * Runs the registered undos, the latest first, each once and in a unit of its own; then the steps behind it. What
   * else comes to the instance waits. With `downTo`, the earliest undo of that name is the last that runs. Where the
   * steps behind it answer, whoever asked waits for that, and is told where an undo fails for good.
   */
  compensate(options?: { readonly downTo?: string }): this;
}
/**
 * What happens once a request has been answered, or not. Where one of the branches answers, whoever sent the message of
 * the rule waits for that, and is told where a branch fails for good.
 */
export interface RequestOutcome<in out S extends Shape, in Answer, out Reply = never> {
  /** After which it is given up. */
  readonly timeout: Duration;
  /** The state to wait in; an answer that comes when it has been left is dropped. Left out: any. */
  readonly pending?: StateOf<S>;
  /** It was answered. */
  readonly completed: Sequence<S, Answer, undefined, Reply>;
  /** Its owner gave it up. */
  readonly faulted: Sequence<S, { readonly error: ExceptionInfo }, undefined, Reply>;
  /** Nothing came in time. */
  readonly timedOut: Sequence<S, undefined, undefined, Reply>;
}
