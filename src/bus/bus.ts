/** The bus, as an application sees it. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import type { Middleware, SendMiddleware } from "../pipeline/context.ts";
import type { BusObserver } from "../pipeline/observers.ts";
import type { PublishOptions, Requester, Sender, SendOptions } from "../pipeline/sending.ts";
import type { Shape } from "../sagas/context.ts";
import type { SagaInstances } from "../sagas/instances.ts";
import type { Saga } from "../sagas/saga.ts";
import type { Awaitable } from "../values/awaitable.ts";
import type { Runnable } from "../pipeline/consumer.ts";
import type { Control, StopOptions } from "./control.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointOptions, Outbox, TxOf } from "./endpoint_options.ts";
import type { MessageStream } from "./stream.ts";

/** A consumer that was connected while the bus ran. */
export interface Connection extends AsyncDisposable {
  /** Of its endpoint. */
  readonly endpoint: string;
  /** Takes nothing more, lets what has started end, and takes the endpoint off the bus. Idempotent. */
  disconnect(options?: StopOptions): Promise<void>;
}

/**
 * Sends, publishes and requests messages, and runs the endpoints that handle them. Several endpoints of one bus that
 * handle the same command or query are refused at start: `DuplicateOwnerError`.
 */
export interface Bus<in out Tx = undefined> extends Sender<Tx>, Requester, Control, AsyncDisposable {
  /** Of the application. */
  readonly name: string;
  /**
   * Makes an endpoint: a queue and what runs on it.
   *
   * @throws {InvalidNameError} if the name cannot be that of a queue
   * @throws {ConfigurationError} if there is one of that name
   * @throws {AlreadyStartedError} once the bus has started: `connect` then
   */
  endpoint<Box extends Outbox = false>(name: string, options?: EndpointOptions<Box>): Endpoint<TxOf<Box, Tx>>;
  /**
   * Makes the endpoints by name: a consumer's or saga's own, an activity's two. The consumer of an event without a name
   * of its own gets the bus's in front: two applications that subscribe must not compete for one queue.
   */
  add(runnable: Runnable<Tx>, options?: EndpointOptions): this;
  /** Adds middleware around each handler of each endpoint. */
  use(middleware: Middleware): this;
  /** Adds middleware around everything that is sent and published. */
  useSend(middleware: SendMiddleware): this;
  /** Connects a consumer while the bus runs, on an endpoint of its own, named as by `add`. */
  connect(runnable: Runnable<Tx>, options?: EndpointOptions): Promise<Connection>;
  /**
   * The instances of a saga of this bus: looked at, counted, and put right by hand.
   *
   * @throws {ConfigurationError} if this bus does not run it, {@linkcode NotStartedError} before `start()`
   */
  sagas<S extends Shape>(saga: Saga<S>): SagaInstances<S>;
  /** Watches the bus. The result stops it. */
  observe(observer: BusObserver): () => void;
  /**
   * Commits when `work` resolves. `sender` is part of it; so is this bus with `{ tx }`, but not without. May run again.
   */
  transaction<Result>(work: (tx: Tx, sender: Sender) => Awaitable<Result>): Promise<Result>;
  /**
   * Messages of a contract as they come, from a queue of this bus' own. `start()` opens those that were asked for before
   * it; of a later one, await `opened`: what is published before then is not in it. Do not await it before you call
   * `start()`: that is what it waits for. A message is accepted when it is pulled; what is not pulled holds the others
   * back at the broker.
   */
  stream<Out>(
    contract: Contract<never, Out, unknown>,
    options?: { readonly signal?: AbortSignal },
  ): MessageStream<Out>;
  /** Publishes the events, or sends the commands, that are written to it, one after the other. */
  sink<In>(event: Event<In, unknown>, options?: PublishOptions<never>): WritableStream<In>;
  /** The same of commands. */
  sink<In>(command: Command<In, unknown, unknown>, options?: SendOptions<never>): WritableStream<In>;
  /**
   * Connects, makes queues and topics, and takes messages. All or nothing: a failure, or the signal, undoes what began,
   * and the bus has stopped then.
   *
   * A broker or database that is away is waited for, for ever without a signal; observers (`status`) and `health()` are
   * told why. So is a RabbitMQ that refuses the login.
   *
   * @throws {ConfigurationError} (or one of its subclasses) for what cannot work
   * @throws {StartTimeoutError} where the signal's time is over; it says what was waited for. Another signal's reason is
   * thrown as it is
   */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Takes nothing more, waits for what is in flight, flushes, closes. `await using` does it, too. A second call, while
   * the first waits, aborts handlers at once.
   *
   * In a handler, do not await it: it waits for the handler. Say `void bus.stop()`, and return; a handler that awaits it
   * is told at the deadline, by `ctx.signal`, and its message comes again.
   */
  stop(options?: StopOptions): Promise<void>;
}
