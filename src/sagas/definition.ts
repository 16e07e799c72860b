/** What the rules of a saga were made into: plain data, run by the machine and drawn by the diagrams. @module */
import type { Contract } from "../contracts/contract.ts";
import type { RetryPolicy } from "../pipeline/retry.ts";
import type { Awaitable } from "../values/awaitable.ts";
import type { Duration } from "../values/duration.ts";
import type { Instant } from "../values/instant.ts";
import type { Schema } from "../values/schema.ts";

/** The state before the first event; an instance that stays in it is kept all the same. */
export const initialState = "initial";
/** The state of an instance that is over. */
export const finalState = "final";

/** A saga, checked and compiled. */
export interface SagaDefinition {
  readonly name: string;
  /** Of the data's schema: 1, 2, … */
  readonly version: number;
  readonly data: Schema;
  /** By the version that it reads: makes data of the next version. */
  readonly upgrades: ReadonlyMap<number, (data: unknown) => unknown>;
  /** As declared; without {@linkcode initialState} and {@linkcode finalState}. */
  readonly states: readonly string[];
  /** By state: the properties of the data that are there in it, and in the states within it. */
  readonly requires: ReadonlyMap<string, readonly string[]>;
  readonly indexes: readonly string[];
  /** Their lengths in milliseconds, by name. */
  readonly timeouts: ReadonlyMap<string, number>;
  readonly events: ReadonlyMap<string, EventDefinition>;
  /** In the order in which they were declared. */
  readonly rules: readonly RuleDefinition[];
  /** All request steps, by their key. */
  readonly requests: ReadonlyMap<string, RequestStep>;
  /** All undos, by their name; of a sequence that several rules run, that of the first. */
  readonly undos: ReadonlyMap<string, CompensateWithStep>;
  readonly completedWhen: ((data: never, state: string) => boolean) | undefined;
  readonly onUnhandled: Unhandled | ((context: never, event: string) => Unhandled);
  /** Whether each transition is kept. */
  readonly history: boolean;
  /** What becomes of a finalized instance. */
  readonly finalized: "removed" | "archived";
  readonly concurrency: "optimistic" | "pessimistic";
}

/** What becomes of an event that no rule of the state takes. */
export type Unhandled = "fault" | "ignore" | "redeliver";
/** What becomes of an event whose instance is not there; `run`: its rules of the scope `missing`, which keep nothing. */
export type Missing = "discard" | "fault" | "redeliver" | "run";

/** A message that the saga handles, and how it finds its instances. */
export interface EventDefinition {
  readonly name: string;
  readonly contract: Contract;
  readonly by:
    | { readonly kind: "id"; readonly id: (message: never) => string; readonly onMissing: Missing }
    | {
      readonly kind: "start";
      readonly id: (message: never) => string;
      readonly create: (message: never) => object;
    }
    | { readonly kind: "index"; readonly match: (message: never) => object; readonly onMissing: Missing };
}

/** When a rule applies, and what it does. */
export interface RuleDefinition {
  /** Its place among the rules; with it a path names a step. */
  readonly key: string;
  /**
   * `initially`, `finally`, `duringAny`, the states of `during`; `missing`: there is no instance. A rule that is
   * triggered by entering or leaving a state is so wherever it stands.
   */
  readonly scope: "initial" | "final" | "any" | "missing" | readonly string[];
  readonly trigger: Trigger;
  readonly steps: readonly Step[];
}
export type Trigger =
  | { readonly on: "event"; readonly event: string; readonly filter: ((context: never) => boolean) | undefined }
  | { readonly on: "ignore"; readonly events: readonly string[] }
  /** A composite: `key` names what has arrived of it in the instance; the same events have the same key. */
  | { readonly on: "all"; readonly key: string; readonly events: readonly string[] }
  | { readonly on: "timeout"; readonly timeout: string }
  | { readonly on: "beforeEnter" | "enter" | "leave" | "afterLeave"; readonly state: string };

/** One step; each has the `key` that it is known by in stored instances: stable while its rule and place are. */
export type Step =
  | ThenStep
  | SendStep
  | RespondStep
  | RequestStep
  | TransitionStep
  | FinalizeStep
  | ScheduleStep
  | UnscheduleStep
  | RaiseStep
  | SequenceStep
  | BranchStep
  | RetryStep
  | CatchStep
  | CompensateWithStep
  | CompensateStep;

/** `then`. */
export interface ThenStep {
  readonly kind: "then";
  readonly key: string;
  readonly run: (context: never) => Awaitable<void>;
}
/** `publish` and `send`. */
export interface SendStep {
  readonly kind: "publish" | "send";
  readonly key: string;
  readonly contract: Contract;
  readonly make: (context: never) => unknown;
}
/** `respond`. */
export interface RespondStep {
  readonly kind: "respond";
  readonly key: string;
  readonly make: (context: never) => unknown;
}
/** `request`: what comes is handled in any process. */
export interface RequestStep {
  readonly kind: "request";
  readonly key: string;
  readonly contract: Contract;
  readonly make: (context: never) => unknown;
  readonly timeoutInMs: number;
  readonly pending: string | undefined;
  readonly completed: readonly Step[];
  readonly faulted: readonly Step[];
  readonly timedOut: readonly Step[];
  /** Whether these, or those of requests in them, answer whoever sent the event of their rule. */
  readonly answers: boolean;
}
/** `transitionTo`. */
export interface TransitionStep {
  readonly kind: "transition";
  readonly key: string;
  readonly state: string;
}
/** `finalize`. */
export interface FinalizeStep {
  readonly kind: "finalize";
  readonly key: string;
}
/** `schedule`. */
export interface ScheduleStep {
  readonly kind: "schedule";
  readonly key: string;
  readonly timeout: string;
  readonly when: ((context: never) => Duration | Instant) | undefined;
}
/** `unschedule`. */
export interface UnscheduleStep {
  readonly kind: "unschedule";
  readonly key: string;
  readonly timeout: string;
}
/** `raise`: another event of the same instance, at once. */
export interface RaiseStep {
  readonly kind: "raise";
  readonly key: string;
  readonly event: string;
  readonly make: (context: never) => unknown;
}
/** `run`: steps on their own, so that what they catch is what they threw. */
export interface SequenceStep {
  readonly kind: "sequence";
  readonly key: string;
  readonly steps: readonly Step[];
}
/** `if`, `ifElse`, `switch`; without a case for what `select` gives, nothing is done. */
export interface BranchStep {
  readonly kind: "branch";
  readonly key: string;
  readonly select: (context: never) => string;
  readonly cases: ReadonlyMap<string, readonly Step[]>;
}
/** `retry`. */
export interface RetryStep {
  readonly kind: "retry";
  readonly key: string;
  readonly policy: RetryPolicy;
  readonly steps: readonly Step[];
}
/** `catch`: for what was thrown by the steps before it in its list; what they did before that stays done. */
export interface CatchStep {
  readonly kind: "catch";
  readonly key: string;
  readonly error: abstract new (...args: never[]) => Error;
  readonly steps: readonly Step[];
}
/** `compensateWith`. */
export interface CompensateWithStep {
  readonly kind: "compensateWith";
  readonly key: string;
  readonly name: string;
  readonly undo: readonly Step[];
}
/** `compensate`; the steps behind it wait for all undos. */
export interface CompensateStep {
  readonly kind: "compensate";
  readonly key: string;
  readonly downTo: string | undefined;
}
