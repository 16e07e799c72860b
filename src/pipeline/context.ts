/** What handlers get: the contexts. @module */
import type { Contract, NoReply } from "../contracts/contract.ts";
import type { Headers } from "../envelope/headers.ts";
import type { InUnit } from "../spi/store.ts";
import type { Awaitable } from "../values/awaitable.ts";
import type { ContextKey } from "../values/context_key.ts";
import type { Destination } from "../values/destination.ts";
import type { Duration } from "../values/duration.ts";
import type { Requester, Sender } from "./sending.ts";

/** Proof that `ctx.respond` was called; a handler may return it instead of the reply. */
export interface Responded {
  /** Nothing else has it. */
  readonly "~responded": true;
}

/** What all contexts share: handlers', batches', sagas' and activities'. `store.tx` takes it. */
export interface DeliveryContext extends Sender, InUnit {
  /** The endpoint's name. */
  readonly endpoint: string;
  /** Aborts when the claim is lost, the endpoint's timeout or the bus' stop deadline passes. */
  readonly signal: AbortSignal;
}

/** The context of one message. */
export interface MessageContext extends DeliveryContext {
  /** The same on every delivery of the message. */
  readonly messageId: string;
  /** What the message is about, as its sender said. */
  readonly correlationId: string | undefined;
  /** The same for all that follows from one first message. */
  readonly conversationId: string | undefined;
  /** The correlation id, else the request id, of the message whose handler sent this one. */
  readonly initiatorId: string | undefined;
  /** The application's own headers. */
  readonly headers: Headers;
  /** When it was sent, if its sender said so. */
  readonly sentAt: Date | undefined;
  /** When it is no longer worth handling. */
  readonly expiresAt: Date | undefined;
  /** The endpoint that sent it, as in `queue:orders`. */
  readonly sourceAddress: string | undefined;
  /** From 1, over retries and redeliveries. */
  readonly attempt: number;
  /** What middleware has set under the key. Throws a `ConfigurationError` if nothing has. */
  get<T>(key: ContextKey<T>): T;
  /** Sets a value for middleware and handlers further in. */
  set<T>(key: ContextKey<T>, value: NoInfer<T>): void;
}

/** What is known about a message while it is being consumed. */
export interface ConsumeContext<out Out = unknown, out Tx = unknown> extends MessageContext, Requester {
  /** The contract by which it is handled. */
  readonly contract: Contract;
  /** Parsed and validated. */
  readonly message: Out;
  /**
   * The unit's transaction; where the store has none to write with, as in memory, `undefined`.
   *
   * @throws {NoTransactionError} on an endpoint without units of work, and for queries: there, its type is `undefined`
   */
  readonly tx: Tx;
  /** Narrows a base message to one derived from it. */
  is<Derived extends Out>(contract: Contract<never, Derived, unknown>): this is ConsumeContext<Derived, Tx>;
  /**
   * Puts the message off: once the handler returns, it goes back to its queue, to be delivered again after `delay`.
   * Not a failure. Gives up its place in the order.
   */
  defer(delay: Duration): Promise<void>;
  /** As `defer`, but counted as a failed attempt: `ctx.attempt` goes on counting. */
  redeliver(delay: Duration): Promise<void>;
  /** Once the handler returns, moves the message to another queue, as it is. */
  forward(to: Destination): Promise<void>;
}

/** The context of a handler: also able to reply early. */
export interface HandlerContext<out Out, in Reply, out Tx> extends ConsumeContext<Out, Tx> {
  /** Answers now, while the handler goes on. Once. */
  respond(reply: Reply): Promise<Responded>;
}

/** A handler returns the reply, or what `ctx.respond` returned; where there is no reply, anything. */
export type Result<Reply> = [Reply] extends [NoReply] ? unknown : Awaitable<Reply | Responded>;
/** Handles one message. */
export type Handler<Out, Reply, Tx = unknown> = (
  message: Out,
  context: HandlerContext<Out, Reply, Tx>,
) => Result<Reply>;

/** The context of a batch. */
export interface BatchContext<out Tx> extends DeliveryContext, Requester {
  /** One for the whole batch. */
  readonly tx: Tx;
  /**
   * Lets one message of the batch fail alone: it is retried or given up by the endpoint's rules, while the others
   * succeed when the handler returns. A retry comes in a later batch: later messages of its key may pass it.
   */
  fail(item: ConsumeContext, error: Error): void;
}
/** Handles several messages at once. */
export type BatchHandler<Out, Tx = unknown> = (
  batch: readonly ConsumeContext<Out, Tx>[],
  context: BatchContext<Tx>,
) => Awaitable<void>;

/** When a batch is full. */
export interface BatchOptions<in Out = never> {
  /** At most so many. 10. */
  readonly size?: number;
  /** So long after its first message, at the latest. 1 s. */
  readonly within?: Duration;
  /** Batches hold messages of one key only. Left out: of any. */
  readonly by?: (message: Out) => string;
  /** After the handler has thrown, each message of the batch is handled again alone, and fails alone. */
  readonly alone?: boolean;
}

/**
 * Runs around every handler of an endpoint or bus: `await next()`, or `return next()`. Without it no handler runs, and
 * the message counts as handled. What `next()` began is waited for, and fails the message, also where it is not awaited.
 */
export type Middleware = (context: ConsumeContext, next: () => Promise<void>) => Promise<void>;

/** How a message came to be sent. */
export type SendKind = "send" | "publish" | "request" | "respond" | "fault";
/** What is known about a message that is being sent. */
export interface SendContext {
  /** How it came to be sent. */
  readonly kind: SendKind;
  /** Its contract; of a reply, that of its request. */
  readonly contract: Contract;
  /** What is sent. Middleware may put another in its place, before it is validated. */
  message: unknown;
  /** As given, or new. */
  readonly messageId: string;
  /** As given. */
  readonly correlationId: string | undefined;
  /** As in `queue:orders`. */
  readonly to: string;
  /** The application's own, those that flow on included. */
  readonly headers: Headers;
  /** Sets one of the application's headers. */
  setHeader(name: string, value: string | number | boolean): void;
  /** The message that was being handled when this one was sent. */
  readonly cause: MessageContext | undefined;
}
/** Runs around every message that is sent or published: `await next()`, or `return next()`. */
export type SendMiddleware = (context: SendContext, next: () => Promise<void>) => Promise<void>;
