/** One message while an endpoint has it. @module */
import type { Definition } from "../contracts/definition.ts";
import type { Envelope, Trace } from "../envelope/envelope.ts";
import { headerCount, names } from "../envelope/headers.ts";
import { ClaimLostError } from "../errors/receiving.ts";
import type { FrameHeaders } from "../spi/frame.ts";
import type { Address, Delivery } from "../spi/transport.ts";
import type { Span } from "../spi/telemetry.ts";
import type { ContextKey } from "../values/context_key.ts";
import type { Match } from "./bindings.ts";
import type { SendMiddleware } from "./context.ts";
import type { Cause } from "./draft.ts";
import type { EndpointServices } from "./endpoint_services.ts";
import type { HandlingContext } from "./handling_context.ts";
import type { ObservedDelivery, Unhandled } from "./observers.ts";
import type { SendTarget } from "./outgoing_message.ts";

/** What becomes of the message when its handling is over. Left out: it is accepted. */
export type Outcome =
  | { readonly outcome: "release" }
  | { readonly outcome: "again"; readonly dueAt: number; readonly headers: FrameHeaders }
  | { readonly outcome: "move"; readonly to: Address; readonly headers: FrameHeaders };

/** One message while an endpoint has it: from its start to its settlement. */
export class Consumption implements Cause {
  readonly services: EndpointServices;
  readonly delivery: Delivery;
  /** Counts what the endpoint starts. */
  readonly sequence: number;
  /** Set once the frame has been read; what follows needs it. */
  #envelope: Envelope | undefined;
  match: Match | undefined;
  /** The payload, as it came. */
  received: unknown;
  /** What each reading gave, in the order of `match.readings`. */
  values: unknown[] = [];
  /** From 1, over retries and redeliveries. */
  attempt: number;
  /** How often it has been sent back to come later. */
  readonly redeliveries: number;
  /** How often a handler has put it off. */
  readonly deferral: number;
  /** The next reading to run: a retry skips those that have succeeded. */
  next = 0;
  outcome: Outcome | undefined;
  /** Why it left without being handled. */
  unhandled: Unhandled | undefined;
  /** What it failed with, given up or to be redelivered. */
  error: Error | undefined;
  /** Whether handlers ran: gates count no others. */
  handled = false;
  /** Whether its request has been answered. */
  responded = false;
  /** Where what its handlers send goes. */
  target: SendTarget;
  /** For middleware and send middleware. */
  context: HandlingContext | undefined;
  span: Span | undefined;
  /** What went wrong when the endpoint's own rule was asked about `error`. */
  ruleError: Error | undefined;
  /** Requests of its handlers that wait for an answer. */
  asking = 0;
  /** Ends a wait between attempts. */
  interrupt: (() => void) | undefined;
  #items: Map<ContextKey<unknown>, unknown> | undefined;
  #aborted: Error | undefined;
  #controller: AbortController | undefined;
  #lost = false;
  #stopping = false;

  constructor(services: EndpointServices, delivery: Delivery, sequence: number) {
    this.services = services;
    this.delivery = delivery;
    this.sequence = sequence;
    const { headers } = delivery.frame;
    this.attempt = 1 + headerCount(headers[names.attempts]);
    this.redeliveries = headerCount(headers[names.redeliveries]);
    this.deferral = headerCount(headers[names.deferral]);
    this.target = services.outbound;
  }

  /** Known once the message has been read. */
  get envelope(): Envelope {
    if (this.#envelope === undefined) throw new TypeError("The envelope has not been read yet");
    return this.#envelope;
  }
  set envelope(envelope: Envelope) {
    this.#envelope = envelope;
  }
  /** The envelope, if it could be read. */
  get envelopeIfRead(): Envelope | undefined {
    return this.#envelope;
  }

  get address(): Address {
    return this.services.address;
  }
  get trace(): Trace | undefined {
    return this.span?.trace ?? this.#envelope?.trace;
  }
  get sendMiddleware(): readonly SendMiddleware[] {
    return this.services.sendMiddleware;
  }
  /** The contract by which the first handler gets it. */
  get definition(): Definition | undefined {
    return this.match?.readings[0]?.as;
  }

  /** The claim is gone: what the handlers still do has no effect. */
  get lost(): boolean {
    return this.#lost;
  }
  /** Why handlers should stop; `undefined`: they should not. */
  get aborted(): Error | undefined {
    return this.#aborted;
  }
  /** Made when it is first asked for. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }
  /** Tells handlers to stop. */
  abort(reason: Error): void {
    this.#aborted ??= reason;
    this.#controller?.abort(reason);
  }
  /** A new attempt begins: the last one's reason to stop, its timeout, does not count for it. */
  renew(): void {
    if (this.#lost || this.#stopping) return;
    this.#aborted = undefined;
    this.#controller = undefined;
  }
  /** The claim is gone. */
  lose(cause: Error): void {
    this.#lost = true;
    this.abort(new ClaimLostError(this.services.name, { cause }));
    this.interrupt?.();
  }
  /** The bus does not wait any longer: the message goes back, unhandled. */
  get stopping(): boolean {
    return this.#stopping;
  }
  /** The bus' deadline has passed. */
  stop(reason: Error): void {
    this.#stopping = true;
    this.abort(reason);
    this.interrupt?.();
  }

  item(key: ContextKey<unknown>): unknown {
    return this.#items?.get(key);
  }
  hasItem(key: ContextKey<unknown>): boolean {
    return this.#items?.has(key) ?? false;
  }
  setItem(key: ContextKey<unknown>, value: unknown): void {
    this.#items ??= new Map();
    this.#items.set(key, value);
  }

  /** What observers see of it. */
  observed(): ObservedDelivery {
    const envelope = this.#envelope;
    const definition = this.definition;
    return {
      endpoint: this.services.name,
      attempt: this.attempt,
      contract: definition,
      name: definition?.name ?? envelope?.type ?? "",
      messageId: envelope?.messageId ?? "",
      correlationId: envelope?.correlationId,
      conversationId: envelope?.conversationId,
      headers: envelope?.headers ?? {},
      message: this.values[0],
    };
  }
}
