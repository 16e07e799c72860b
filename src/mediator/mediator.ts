/** The mediator, as an application sees it. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract, Kind } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import type { Headers } from "../envelope/headers.ts";
import type { Consumer } from "../pipeline/consumer.ts";
import type { Handler, Middleware } from "../pipeline/context.ts";
import type { Clock } from "../spi/clock.ts";
import type { Duration } from "../values/duration.ts";

/** What a mediator may say. */
export interface MediatorOptions {
  /** What its handlers see as `ctx.endpoint`, and its errors tell of. `"mediator"` unless said otherwise. */
  readonly name?: string;
  /** Left out: the system's. */
  readonly clock?: Clock;
  /** Makes message ids. Left out: UUIDv7. */
  readonly newId?: () => string;
}

/** How a message is handed over. */
export interface CallOptions {
  /** Left out: a new one, made when it is read. */
  readonly messageId?: string;
  /** Left out: none. */
  readonly correlationId?: string;
  /** The application's own. Those of the message being handled flow on, unless set here. */
  readonly headers?: Headers;
  /** Is the handlers' `ctx.signal`. If it has aborted already, the call rejects with its reason and handles nothing. */
  readonly signal?: AbortSignal;
}
/** How a request is made. */
export interface CallRequestOptions extends CallOptions {
  /** Then the request rejects, and the handler's `ctx.signal` aborts. Left out: none, the request ends as its handler. */
  readonly timeout?: Duration;
}

/**
 * Hands commands, queries and events to their handlers in the caller's own call: no queue, no copy, no serialization.
 * Whoever calls waits until the handlers are done, and gets the very error that a handler throws.
 *
 * Contracts, handlers and the middleware around them are those of a bus. There is no `useSend`: a call is not sent and
 * then handled, it is the handling, so that `use` is around all of it. A contract's schema is applied once, and handlers get its
 * output. What a handler sends through its context goes through the mediator, too, and carries conversation, initiator,
 * headers and signal on. Without a queue there is nothing to wait in: `key`, `priority` and `ttl` have no effect, and
 * `ctx.sentAt` is `undefined`; `ctx.defer`, `ctx.redeliver`, `ctx.forward`, `ctx.schedule`, `ctx.unschedule` and the
 * options `to`, `delay` and `tx` are refused with `UnsupportedError`. Handlers get a message as its contract's own
 * version: upcasts are for what comes over a wire.
 */
export interface Mediator {
  /** As given. */
  readonly name: string;
  /**
   * Handles a contract, and what derives from it. At any time: it counts from the next call on.
   *
   * @throws {DuplicateOwnerError} if a command or query is handled already
   * @throws {DuplicateContractError} if another contract has the same name and version
   * @throws {ConfigurationError} for what is no contract, or no function
   */
  handle<Out, Reply, K extends Kind>(
    contract: Contract<never, Out, Reply, K>,
    handler: NoInfer<Handler<Out, Reply, undefined>>,
  ): this;
  /** Adds a consumer that was written on its own. Throws as `handle` does. */
  add(consumer: Consumer<undefined>): this;
  /** Adds middleware around each handler, inside of what has been added before. At any time. */
  use(middleware: Middleware): this;
  /**
   * Hands a command to its owner.
   *
   * @returns a promise that resolves when it has been handled; with what is nobody's business
   * @throws {NoHandlerError} if nothing handles it
   * @throws {InvalidMessageError} if it does not satisfy the contract's schema
   * @throws {InvalidHeaderError} for a header that a bus could not send
   * @throws whatever the handler throws, as it is
   */
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: CallOptions): Promise<void>;
  /**
   * Hands an event to whatever handles it or one of its bases, one after the other in the order in which they were
   * added. All of them run, also after one has thrown and after the signal has aborted. No handler is no error.
   *
   * @throws {InvalidMessageError} if it does not satisfy the contract's schema
   * @throws {InvalidHeaderError} for a header that a bus could not send
   * @throws {HandlersFailedError} with all errors, if several handlers throw; the very error if one does
   */
  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: CallOptions): Promise<void>;
  /**
   * Asks the contract's owner. Resolves with its reply, as the reply's schema gives it, when its handler is done: also
   * if that answers early, by `ctx.respond`, so that what goes wrong after it is not lost.
   *
   * @throws {RequestTimeoutError} if a `timeout` was given and has passed; and all that `send` throws
   */
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: CallRequestOptions,
  ): Promise<Reply>;
}
