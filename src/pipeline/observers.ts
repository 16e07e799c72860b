/** Who watches a bus. @module */
import type { Contract } from "../contracts/contract.ts";
import type { Headers } from "../envelope/headers.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { isPromise } from "../values/awaitable.ts";
import { type OptionNames, unknownOption } from "../values/option_names.ts";

/** A message that something happened to. */
export interface Observed {
  /** Its contract, where it is known. */
  readonly contract: Contract | undefined;
  /** Its contract's name, else what its sender called it. */
  readonly name: string;
  /** The same on every attempt. */
  readonly messageId: string;
  /** What the message is about, as its sender said. */
  readonly correlationId: string | undefined;
  /** What a first message led to shares it. */
  readonly conversationId: string | undefined;
  /** The application's own. */
  readonly headers: Headers;
  /** What was sent, or what the handler got; `undefined` where it could not be read. */
  readonly message: unknown;
}
/** A message that was sent, published, requested or answered. */
export interface ObservedSend extends Observed {
  /** What the sender called. */
  readonly kind: "send" | "publish" | "request" | "respond" | "fault";
  /** As in `queue:orders`. */
  readonly to: string;
  /** Why the broker did not take it; `undefined` if it did. */
  readonly error: Error | undefined;
}
/** A message at an endpoint. */
export interface ObservedDelivery extends Observed {
  /** The endpoint that has it. */
  readonly endpoint: string;
  /** From 1. */
  readonly attempt: number;
}
/** A message that failed at an endpoint. */
export interface ObservedFailure extends ObservedDelivery {
  /** What was thrown. */
  readonly error: Error;
  /** What becomes of it. */
  readonly then: "retry" | "redeliver" | "error" | "discard";
}
/**
 * Why a message left an endpoint without being handled. `missing`: the instance of a saga that it is for is not there,
 * and `onMissing` says to discard it. `stale`: it belongs to something that is over, as a timeout that was taken back.
 */
export type Unhandled =
  | "skipped"
  | "expired"
  | "deferred"
  | "duplicate"
  | "forwarded"
  | "lost"
  | "released"
  | "missing"
  | "stale";

/** A transaction that has kept all others from writing for long, on a store with one writer. */
export interface HeldTransaction {
  /** Whose only writer it held. */
  readonly store: string;
  /** The endpoint whose handler held it; `undefined`: `bus.transaction` did. */
  readonly endpoint: string | undefined;
  /** What was handled: several for a batch or a group. */
  readonly messageIds: readonly string[];
  /** From its first statement to its end, in milliseconds: more than 100. */
  readonly inMs: number;
}

/** How the transport or the store of a bus is now. */
export interface ObservedStatus {
  /** As in `transport rabbitmq` or `store postgres`: the name of its part in `bus.health()`. */
  readonly name: string;
  /** `degraded`: it is there, and something of it does not work. */
  readonly state: "up" | "degraded" | "down";
  /** Why it is not well, in words that say what to do. */
  readonly cause: Error | undefined;
}

/** An instance of a saga that was made or changed, or is over. */
export interface ObservedInstance {
  /** The saga's name. */
  readonly saga: string;
  /** The instance's. */
  readonly id: string;
  /** New for each instance. */
  readonly incarnation: string;
  /** What came: `event`, `timeout`, an answer, an undo. */
  readonly kind: string;
  /** The name of the event or timeout. */
  readonly name: string | undefined;
  /** The message that brought it. */
  readonly messageId: string;
  /** The transitions that were made, in order. */
  readonly transitions: readonly { readonly from: string; readonly to: string }[];
  /** The state afterwards. */
  readonly state: string;
  /** Whether the instance has ended with it. */
  readonly over: boolean;
  /** A copy of what it holds, made when it is looked at. */
  readonly data: unknown;
}

/**
 * Told, synchronously, of what happens to messages. What an observer throws is dropped: it must not harm a message.
 */
export interface BusObserver {
  /** A command, request, reply or fault was taken, or refused, by the broker. */
  sent?(send: ObservedSend): void;
  /** An event was taken, or refused, by the broker. */
  published?(send: ObservedSend): void;
  /** A message has come and has been read. */
  received?(delivery: ObservedDelivery): void;
  /** All handlers of the message have succeeded. */
  consumed?(delivery: ObservedDelivery): void;
  /** A handler has failed, and runs again, now or later. */
  retried?(failure: ObservedFailure): void;
  /** The endpoint has given the message up. */
  faulted?(failure: ObservedFailure): void;
  /** The message left the endpoint without being handled. */
  unhandled?(delivery: ObservedDelivery, why: Unhandled): void;
  /**
   * A warning: what held `ctx.tx` for over 100 ms has held up everything that writes to the store, in all processes.
   * Await nothing slow between its first statement and the handler's return.
   */
  held?(transaction: HeldTransaction): void;
  /**
   * The transport or the store is another way than before: it was reached, it is away, it has another reason for that;
   * also while the bus starts, so that a refused login is known at once.
   */
  status?(status: ObservedStatus): void;
  /** What a message has done to an instance of a saga is committed. */
  instance?(instance: ObservedInstance): void;
}

const observerNames: OptionNames<BusObserver> = {
  sent: true,
  published: true,
  received: true,
  consumed: true,
  retried: true,
  faulted: true,
  unhandled: true,
  held: true,
  status: true,
  instance: true,
};

/**
 * Refuses what would be told nothing. An object of a class may have functions of its own; what else has one under a name
 * that there is not has a typo.
 *
 * @throws {ConfigurationError} which says what there is to be told of
 */
export function checkedObserver(observer: BusObserver, bus: string): BusObserver {
  const names = Object.keys(observerNames);
  if (typeof observer !== "object" || observer === null) {
    throw new ConfigurationError(
      `Cannot have ${shown(observer)} observe the bus "${bus}": it is no object. ` +
        `Give one that has some of { ${names.join(", ")} }, as in bus.observe({ faulted: ({ error }) => … })`,
    );
  }
  for (const name of names) {
    const told = observer[name as keyof BusObserver];
    if (told === undefined || typeof told === "function") continue;
    throw new ConfigurationError(`Cannot have { ${name} } observe the bus "${bus}": it is no function. Give one`);
  }
  if (![Object.prototype, null].includes(Object.getPrototypeOf(observer))) return observer;
  for (const [name, value] of Object.entries(observer)) {
    if (typeof value !== "function" || Object.hasOwn(observerNames, name)) continue;
    throw unknownOption(name, names, `an observer of the bus "${bus}"`);
  }
  return observer;
}

/** The observers of one bus. */
export class Observers {
  readonly #all = new Set<BusObserver>();

  /** Whether anybody looks: events are not made for nobody. */
  get any(): boolean {
    return this.#all.size > 0;
  }

  /** Whether anybody looks at the instances of sagas: few do, and what they hold is copied for them. */
  get anyOfInstances(): boolean {
    if (this.#all.size === 0) return false;
    for (const { instance } of this.#all) if (instance !== undefined) return true;
    return false;
  }

  /** Adds an observer; the result takes it away. */
  add(observer: BusObserver): () => void {
    // A copy: the same observer may be connected twice, and disconnected once.
    const own: BusObserver = { ...bound(observer) };
    this.#all.add(own);
    return () => void this.#all.delete(own);
  }

  /** Tells all. */
  tell(tell: (observer: BusObserver) => unknown): void {
    for (const observer of this.#all) {
      try {
        const told = tell(observer);
        // An async one is not waited for; what it rejects with must not end the process either.
        if (isPromise(told)) told.then(undefined, () => {});
      } catch {
        // An observer must not harm a message: see BusObserver.
      }
    }
  }
}

function bound(observer: BusObserver): BusObserver {
  const own: { -readonly [K in keyof BusObserver]: BusObserver[K] } = {};
  if (observer.sent) own.sent = observer.sent.bind(observer);
  if (observer.published) own.published = observer.published.bind(observer);
  if (observer.received) own.received = observer.received.bind(observer);
  if (observer.consumed) own.consumed = observer.consumed.bind(observer);
  if (observer.retried) own.retried = observer.retried.bind(observer);
  if (observer.faulted) own.faulted = observer.faulted.bind(observer);
  if (observer.unhandled) own.unhandled = observer.unhandled.bind(observer);
  if (observer.held) own.held = observer.held.bind(observer);
  if (observer.status) own.status = observer.status.bind(observer);
  if (observer.instance) own.instance = observer.instance.bind(observer);
  return own;
}
