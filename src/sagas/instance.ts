/** An instance of a saga while it is worked on, and what the machine asks of whoever runs it. @module */
import type { Contract } from "../contracts/contract.ts";
import type { ExceptionInfo } from "../errors/exception_info.ts";
import type { MessageContext } from "../pipeline/context.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import { none } from "../values/none.ts";
import { initialState } from "./definition.ts";

/** What is stored of an instance, beside its id: changed by the machine, its records and lists by putting others there. */
export interface SagaInstance {
  readonly id: string;
  /** New for each instance: what belongs to an earlier one of the same id is told apart. */
  readonly incarnation: string;
  state: string;
  data: object;
  /** By the key of a composite: the events that have arrived of it; none: it has fired, which it does once. */
  arrived: Readonly<Record<string, readonly string[]>>;
  /** By the name of a timeout: the token that alone is valid. */
  timeouts: Readonly<Record<string, string>>;
  /** By request id. */
  requests: Readonly<Record<string, OpenRequest>>;
  /** What is to be undone, in the order in which it was registered. */
  undos: readonly UndoRecord[];
  /** While it compensates. */
  compensating: Compensation | undefined;
}

/** What most instances have of most: shared, and told without a look into it. */
export const nothing: Readonly<Record<string, never>> = Object.freeze({});

/** A record without one of its entries: {@linkcode nothing} if that was all. */
export function without<Value>(
  record: Readonly<Record<string, Value>>,
  name: string,
): Readonly<Record<string, Value>> {
  const { [name]: _, ...others } = record;
  return isEmpty(others) ? nothing : others;
}

/** Whether a record has no entries. */
export function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  if (record === nothing) return true;
  for (const _ in record) return false;
  return true;
}

/** Gives an open request up: what is still answered finds nothing, and whoever waits for what it led to is told. */
export function giveUp(
  instance: SagaInstance,
  requestId: string,
  effects: SagaEffects,
): Awaitable<void> {
  const { token, caller } = instance.requests[requestId]!; // one of its own
  instance.requests = without(instance.requests, requestId);
  const unscheduled = effects.unschedule(token);
  if (caller === undefined) return unscheduled;
  return isPromise(unscheduled) ? unscheduled.then(() => effects.abandon(caller)) : effects.abandon(caller);
}

/** A new instance, before its first event. */
export function newInstance(id: string, incarnation: string, data: object): SagaInstance {
  return {
    id,
    incarnation,
    state: initialState,
    data,
    arrived: nothing,
    timeouts: nothing,
    requests: nothing,
    undos: none,
    compensating: undefined,
  };
}

/** A request that waits for its answer. */
export interface OpenRequest {
  /** The key of its step. */
  readonly step: string;
  /** Of its timeout. */
  readonly token: string;
  /** Whom its branches answer; left out: nobody. */
  readonly caller?: Caller;
}

/** Whoever asked in an earlier unit, and waits. */
export interface Caller {
  /** The saga's event by which it asked. */
  readonly event: string;
  readonly address: string;
  readonly requestId: string;
  /** Epoch milliseconds: it waits no longer. */
  readonly expiresAt?: number;
}

/** One registered undo. */
export interface UndoRecord {
  readonly name: string;
  /** The key of the step that registered it. */
  readonly step: string;
  /** The message that was being handled. */
  readonly message: unknown;
}

/** A compensation under way: undos run one by one, each in a unit of its own; then, in one more, what waits for them. */
export interface Compensation {
  /** The earliest undo of this name is the last that runs; `undefined`: all run. */
  readonly downTo: string | undefined;
  /** What follows, in this order. */
  readonly then: readonly Continuation[];
  /** New for each undo: a continuation that is stale is told by it. */
  readonly token: string;
}

/** Steps that wait for a compensation. */
export interface Continuation {
  /** The key of a step: those behind it in its list go on. */
  readonly step: string;
  /** The message that was being handled. */
  readonly message: unknown;
  /** What had been caught, where they are steps of a `catch`. */
  readonly error: ExceptionInfo | undefined;
  /** Whom they may answer; left out: nobody. */
  readonly caller?: Caller;
}

/** What comes to an instance. */
export type Occurrence =
  | { readonly kind: "event"; readonly event: string; readonly message: unknown }
  /** An event without an instance, which it needs: is given a blank one, of which nothing may be kept. */
  | { readonly kind: "missing"; readonly event: string; readonly message: unknown }
  | { readonly kind: "timeout"; readonly timeout: string; readonly token: string }
  | { readonly kind: "completed"; readonly requestId: string; readonly message: unknown }
  | { readonly kind: "faulted"; readonly requestId: string; readonly message: unknown }
  | { readonly kind: "timedOut"; readonly requestId: string; readonly token: string }
  | { readonly kind: "compensate"; readonly token: string };

/**
 * What became of it. `unhandled`: no rule took it, which is a fault. `redeliver`: it is to come again later, as the saga
 * says, or because the instance compensates. `stale`: it belongs to something that is over. Only where it is `handled`
 * has the instance changed.
 */
export type Handled = "handled" | "ignored" | "unhandled" | "redeliver" | "stale";

/** What a machine asks for; whoever runs it makes all of it true together with the instance, or nothing. */
export interface SagaEffects {
  /** What the contexts of its steps are made on. */
  readonly context: MessageContext;
  /** Epoch milliseconds. */
  now(): number;
  newId(): string;
  /** A number in [0, 1), for jitter. */
  random(): number;
  /** Holds the unit, for a `retry` in place. Rejects when the delivery is lost or the bus stops. */
  wait(milliseconds: number): Promise<void>;
  /** Told of each transition, as it is made; for the history. */
  transitioned(from: string, to: string): void;
  publish(contract: Contract, message: unknown): Awaitable<void>;
  send(contract: Contract, message: unknown): Awaitable<void>;
  /** @param caller `undefined`: whoever sent what is handled */
  respond(reply: unknown, caller: Caller | undefined): Awaitable<void>;
  /** Tells a caller that it is not answered: its request was given up. */
  abandon(caller: Caller): Awaitable<void>;
  /** Whoever waits for the answer to what is handled is to be answered by a later unit; `undefined`: nobody waits. */
  park(event: string): Caller | undefined;
  /** Sends a request whose answer comes to the instance; its timeout comes as `timedOut` with `token`. */
  request(contract: Contract, message: unknown, request: {
    readonly requestId: string;
    readonly token: string;
    readonly dueAt: number;
  }): Awaitable<void>;
  /** Has `timeout` come at `dueAt`. */
  schedule(timeout: string, token: string, dueAt: number): Awaitable<void>;
  unschedule(token: string): Awaitable<void>;
  /** Has `compensate` come once this unit has been committed. */
  resume(token: string): Awaitable<void>;
}
