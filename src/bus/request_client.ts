/** Requests and their answers. @module */
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { NotStartedError, StoppedError } from "../errors/lifecycle.ts";
import { RequestCycleError, RequestTimeoutError } from "../errors/sending.ts";
import { DisconnectedError } from "../errors/transport.ts";
import type { Cause } from "../pipeline/draft.ts";
import { envelopeOf } from "../pipeline/opened.ts";
import type { OutgoingMessage } from "../pipeline/outgoing_message.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Holder, Requests } from "../pipeline/requests.ts";
import { checkDestination } from "../pipeline/routing.ts";
import type { RequestOptions } from "../pipeline/sending.ts";
import type { Clock } from "../spi/clock.ts";
import type { Frame } from "../spi/frame.ts";
import type { Delivery, Receiver, Sink, Transport } from "../spi/transport.ts";
import { type AbortListener, AbortListeners } from "../values/abort_listeners.ts";
import { type Deadline, Deadlines } from "../values/deadlines.ts";
import { isPromise } from "../values/awaitable.ts";
import { queueName } from "../values/destination.ts";
import { milliseconds } from "../values/duration.ts";
import { elapsing } from "../values/elapsing.ts";
import { readAnswer } from "./answers.ts";

const defaultTimeout = "30s";
const replyCredit = 1000;

/** A request that has not been answered. */
interface Pending {
  readonly id: string;
  readonly definition: Definition;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timeoutInMs: number;
  readonly to: string;
  /** The caller's, and that of the handler that asks. */
  readonly signals: readonly AbortSignal[];
  /** Their listener. */
  readonly abort: AbortListener;
  readonly deadlines: Deadlines<Pending>;
  deadline: Deadline<Pending> | undefined;
  readonly holder: Holder | undefined;
}

/** An endpoint that owns a command or query, and how many may run at once there, and have come. */
export interface Owner {
  readonly name: string;
  readonly concurrency: number;
  readonly prefetch: number;
}
/** Finds it, where it is of this bus. */
export type Owners = (definition: Definition) => Owner | undefined;

/** Makes requests, and gives their answers to whoever waits: one for each bus, with one queue for all answers. */
export class RequestClient implements Requests, Sink {
  readonly #services: () => BusServices;
  readonly #owners: Owners;
  readonly #aborts = new AbortListeners();
  readonly #pending = new Map<string, Pending>();
  /** Waits in handlers hold a delivery, others do not: a harness tells them apart. */
  readonly #holding: Deadlines<Pending>;
  readonly #free: Deadlines<Pending>;
  /** How many requests of an endpoint's handlers to itself are waiting. */
  readonly #toItself = new Map<string, number>();
  #transport: Transport | undefined;
  #opening: Promise<Receiver> | undefined;
  #receiver: Receiver | undefined;
  #closed: StoppedError | undefined;

  constructor(services: () => BusServices, owners: Owners, clock: Clock) {
    this.#services = services;
    this.#owners = owners;
    const expired = (pending: Pending) =>
      this.#reject(pending.id, new RequestTimeoutError(pending.definition.name, pending.to, pending.timeoutInMs));
    this.#holding = new Deadlines(elapsing(clock, clock.timeouts), expired);
    this.#free = new Deadlines(elapsing(clock, clock.background), expired);
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** Requests may be made from now on: the queue for answers is opened with the first. */
  open(transport: Transport): void {
    this.#transport = transport;
  }

  owner(definition: Definition): string | undefined {
    return this.#owners(definition)?.name;
  }

  async request(
    contract: Contract,
    message: unknown,
    options: RequestOptions,
    cause: Cause | undefined,
    within: { readonly holder: Holder | undefined; readonly signal: AbortSignal | undefined },
  ): Promise<unknown> {
    const definition = definitionOf(contract, "the contract to request");
    if (definition.kind === "event") {
      throw new ConfigurationError(
        `Cannot request "${definition.name}": an event has no owner that could answer. Publish it`,
      );
    }
    const timeoutInMs = milliseconds(options.timeout ?? defaultTimeout, "{ timeout } of a request");
    options.signal?.throwIfAborted();
    within.signal?.throwIfAborted();
    const { holder } = within;
    const owner = holder === undefined ? undefined : this.#asker(definition, options, cause);
    if (owner === undefined) return await this.#ask(definition, message, options, cause, timeoutInMs, within);
    const leave = this.#enter(definition, owner);
    const posted = ({ key }: OutgoingMessage): void => {
      if (key === undefined || key !== holder?.delivery.key) return;
      throw new RequestCycleError(definition.name, owner.name, key);
    };
    try {
      return await this.#ask(definition, message, options, cause, timeoutInMs, within, posted);
    } finally {
      leave();
    }
  }

  /** The endpoint whose handler asks, where it is also the one that is asked. */
  #asker(definition: Definition, { to }: RequestOptions, cause: Cause | undefined): Owner | undefined {
    const owner = this.#owners(definition);
    if (owner === undefined || owner.name !== cause?.context?.endpoint) return undefined;
    const { routing } = this.#services();
    const asked = to === undefined ? routing.destination(definition).to : routing.named(checkDestination(to, "{ to }"));
    return asked === cause.sender.address || asked === routing.topic(definition) ? owner : undefined;
  }

  /** Counts requests of an endpoint's handlers to the endpoint itself: its last slot must stay free for the answer. */
  #enter(definition: Definition, { name: endpoint, concurrency, prefetch }: Owner): () => void {
    const waiting = this.#toItself.get(endpoint) ?? 0;
    if (waiting + 1 >= Math.min(concurrency, prefetch)) throw new RequestCycleError(definition.name, endpoint);
    this.#toItself.set(endpoint, waiting + 1);
    return () => void this.#toItself.set(endpoint, (this.#toItself.get(endpoint) ?? 1) - 1);
  }

  #open(): Promise<Receiver> {
    const { bus, newId, routing } = this.#services();
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#transport === undefined) return Promise.reject(new NotStartedError(bus, "request"));
    this.#opening ??= this.#transport.receive({
      queue: queueName(routing.named(`queue:${bus}-replies-${newId()}`)) ?? "",
      topics: [],
      lifetime: "reply",
      credit: replyCredit,
      ordered: false,
      holdMs: 60_000,
      extensions: [],
    }, this).then((receiver) => this.#receiver = receiver, (error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  #ask(
    definition: Definition,
    message: unknown,
    options: RequestOptions,
    cause: Cause | undefined,
    timeoutInMs: number,
    within: { readonly holder: Holder | undefined; readonly signal: AbortSignal | undefined },
    posted?: (message: OutgoingMessage) => void,
  ): Promise<unknown> {
    const services = this.#services();
    const id = services.newId();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const now = services.clock.now();
    const expiresAt = now + timeoutInMs;
    const deadlines = within.holder === undefined ? this.#free : this.#holding;
    const pending: Pending = {
      id,
      definition,
      resolve,
      reject,
      timeoutInMs,
      to: options.to ?? services.routing.destination(definition).to,
      signals: [options.signal, within.signal].filter((signal) => signal !== undefined),
      // A listener of both: AbortSignal.any would leave something behind on a signal that lives long.
      abort: ({ reason }) => this.#reject(id, reason),
      deadlines,
      deadline: undefined,
      holder: within.holder,
    };
    this.#pending.set(id, pending);
    if (within.holder !== undefined) within.holder.asking++;
    pending.deadline = deadlines.after(timeoutInMs, pending, now);
    for (const signal of pending.signals) this.#aborts.add(signal, pending.abort);
    const { timeout: _, signal: __, messageId = id, ...others } = options;
    // One id for both, where the caller gives none: it is said once on the wire.
    const rest = { ...others, messageId };
    const send = (receiver: Receiver): Promise<void> | undefined => {
      // The timeout and the signals count from the call on, also while the queue for answers is opened.
      if (!this.#pending.has(id)) return undefined;
      return services.sendPipeline.send("request", definition, message, rest, cause, services.outbound, {
        requestId: id,
        responseAddress: receiver.address,
        expiresAt,
        ...(posted === undefined ? {} : { posted }),
      });
    };
    const sent = this.#receiver === undefined ? this.#open().then(send) : send(this.#receiver);
    sent?.catch((error) => this.#reject(id, error));
    return promise;
  }

  #take(id: string): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    if (pending.holder !== undefined) pending.holder.asking--;
    if (pending.deadline !== undefined) pending.deadlines.remove(pending.deadline);
    for (const signal of pending.signals) this.#aborts.remove(signal, pending.abort);
    return pending;
  }

  #reject(id: string, error: unknown): void {
    this.#take(id)?.reject(error);
  }

  deliver(batch: readonly Delivery[]): void {
    for (const { frame } of batch) this.#answer(frame);
    // Answers are given to whoever waits; one that nobody waits for is worth nothing to anybody else.
    const receiver = this.#receiver;
    const settle = (to: Receiver): void => {
      const heard = to.settle(batch.map((delivery) => ({ delivery, outcome: "accept" })));
      if (isPromise(heard)) heard.catch(() => {});
    };
    if (receiver !== undefined) settle(receiver);
    else this.#opening?.then(settle).catch(() => {});
  }

  #answer(frame: Frame): void {
    let envelope: Envelope;
    try {
      envelope = envelopeOf(frame, () => "");
    } catch {
      return; // Without its envelope, nobody can say whose answer it is: that request times out.
    }
    const pending = envelope.requestId === undefined ? undefined : this.#take(envelope.requestId);
    if (pending === undefined) return;
    try {
      Promise.resolve(readAnswer(pending.definition, envelope, frame, this.#services())).then(
        pending.resolve,
        pending.reject,
      );
    } catch (thrown) {
      pending.reject(thrown);
    }
  }

  lost(): void {
    // An answer was given when it came.
  }

  readdressed(): void {
    const { name } = this.#transport ?? { name: this.#services().bus };
    for (const id of [...this.#pending.keys()]) this.#reject(id, new DisconnectedError(name, "wait for an answer"));
  }

  /** Rejects what waits, and takes nothing more. */
  close(): void {
    const { bus } = this.#services();
    this.#closed = new StoppedError(bus, "request");
    for (const id of [...this.#pending.keys()]) this.#reject(id, new StoppedError(bus, "wait for an answer"));
    this.#receiver?.stop().catch(() => {});
    this.#holding.clear();
    this.#free.clear();
  }
}
