/** One message while an endpoint has it. @module */
import type { Definition } from "../contracts/definition.ts";
import type { Envelope, Trace } from "../envelope/envelope.ts";
import { headerCount, names, noHeaders } from "../envelope/headers.ts";
import { ClaimLostError, HandlerTimeoutError } from "../errors/receiving.ts";
import type { SenderInfo } from "../envelope/sent_envelope.ts";
import type { FrameHeaders } from "../spi/frame.ts";
import type { Endable } from "../spi/store.ts";
import type { Address, Delivery } from "../spi/transport.ts";
import type { Span } from "../spi/telemetry.ts";
import type { ContextKey } from "../values/context_key.ts";
import type { Match } from "./bindings.ts";
import type { MessageContext, SendMiddleware } from "./context.ts";
import type { Cause } from "./draft.ts";
import type { EndpointServices } from "./endpoint_services.ts";
import type { ObservedDelivery, Unhandled } from "./observers.ts";
import type { SendTarget } from "./outgoing_message.ts";
import { notesOf } from "../envelope/kept_frame.ts";
import type { OpenUnit } from "./unit.ts";

/** What becomes of the message when its handling is over. Left out: it is accepted. */
export type Outcome =
  | { readonly outcome: "release" }
  | { readonly outcome: "again"; readonly dueAt: number; readonly headers: FrameHeaders }
  | { readonly outcome: "move"; readonly to: Address; readonly headers: FrameHeaders };

/** What few messages need: made when it is first set, as one is made for every message. */
class Aside {
  outcome: Outcome | undefined;
  unhandled: Unhandled | undefined;
  error: Error | undefined;
  ruleError: Error | undefined;
  span: Span | undefined;
  interrupt: (() => void) | undefined;
  aborted: Error | undefined;
  /** Why the last attempt that did not end by itself was ended. */
  ended: Error | undefined;
  controller: AbortController | undefined;
  ending: Endable | undefined;
  items: Map<ContextKey<unknown>, unknown> | undefined;
  values: readonly unknown[] | undefined;
  nextReading = 0;
  asking = 0;
  released = 0;
  settled = false;
  lost = false;
  stopping = false;
}

/** One message while an endpoint has it: from its start to its settlement. */
export class Consumption implements Cause {
  readonly services: EndpointServices;
  readonly delivery: Delivery;
  /** Counts what the endpoint starts. */
  readonly sequence: number;
  /** Which handlers it is for; known once its type has been read. */
  match: Match | undefined;
  /** The payload, as it came. */
  received: unknown;
  /** What the first handler gets. */
  value: unknown;
  /** From 1, over retries and redeliveries. */
  attempt: number;
  /** Whether handlers ran: gates count no others. */
  handled = false;
  /** Whether its request has been answered; `later`: what handles it will do so, after its unit. */
  responded: boolean | "later" = false;
  /** Where what its handlers send goes. */
  target: SendTarget;
  /** The unit of work of the attempt that runs; `undefined`: it has none. */
  unit: OpenUnit | undefined = undefined;
  /** For send middleware. */
  context: MessageContext | undefined;
  /** Its neighbours among those that are being handled: see `ActiveList`. */
  previous: Consumption | undefined;
  following: Consumption | undefined;
  #envelope: Envelope | undefined;
  #aside: Aside | undefined;

  constructor(services: EndpointServices, delivery: Delivery, sequence: number) {
    this.services = services;
    this.delivery = delivery;
    this.sequence = sequence;
    this.attempt = 1 + headerCount(notesOf(delivery.frame)[names.attempts]);
    this.target = services.outbound;
  }

  get #own(): Aside {
    return this.#aside ??= new Aside();
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
  /** How often it has been sent back to come later. */
  get redeliveries(): number {
    return headerCount(notesOf(this.delivery.frame)[names.redeliveries]);
  }
  /** How often a handler has put it off. */
  get deferral(): number {
    return headerCount(notesOf(this.delivery.frame)[names.deferral]);
  }
  get sender(): SenderInfo {
    return this.services;
  }
  get trace(): Trace | undefined {
    return this.#aside?.span?.trace ?? this.#envelope?.trace;
  }
  get sendMiddleware(): readonly SendMiddleware[] {
    return this.services.sendMiddleware;
  }
  /** The contract by which the first handler gets it. */
  get definition(): Definition | undefined {
    return this.match?.readings[0]?.as;
  }

  /** What each handler gets, where there are several; in the order of `match.readings`. */
  get values(): readonly unknown[] {
    return this.#aside?.values ?? [this.value];
  }
  set values(values: readonly unknown[]) {
    this.value = values[0];
    this.#own.values = values;
  }
  /** The next reading to run: a retry skips those that have succeeded. */
  get nextReading(): number {
    return this.#aside?.nextReading ?? 0;
  }
  set nextReading(index: number) {
    if (index !== 0 || this.#aside !== undefined) this.#own.nextReading = index;
  }

  /** What becomes of it, if it is not accepted. */
  get outcome(): Outcome | undefined {
    return this.#aside?.outcome;
  }
  set outcome(outcome: Outcome | undefined) {
    if (outcome !== undefined || this.#aside !== undefined) this.#own.outcome = outcome;
  }
  /** Why it left without being handled. */
  get unhandled(): Unhandled | undefined {
    return this.#aside?.unhandled;
  }
  set unhandled(why: Unhandled | undefined) {
    if (why !== undefined || this.#aside !== undefined) this.#own.unhandled = why;
  }
  /** What it failed with, given up or to be redelivered. */
  get error(): Error | undefined {
    return this.#aside?.error;
  }
  set error(error: Error | undefined) {
    this.#own.error = error;
  }
  /** What went wrong when the endpoint's own rule was asked about `error`. */
  get ruleError(): Error | undefined {
    return this.#aside?.ruleError;
  }
  set ruleError(error: Error | undefined) {
    this.#own.ruleError = error;
  }
  /** What telemetry sees of it. */
  get span(): Span | undefined {
    return this.#aside?.span;
  }
  set span(span: Span | undefined) {
    if (span !== undefined) this.#own.span = span;
  }
  /** How often its endpoint has given it back without having started it. */
  get released(): number {
    return this.#aside?.released ?? 0;
  }
  set released(count: number) {
    if (count > 0) this.#own.released = count;
  }
  /** Requests of its handlers that wait for an answer. */
  get asking(): number {
    return this.#aside?.asking ?? 0;
  }
  set asking(count: number) {
    this.#own.asking = count;
  }
  /** Ends a wait between attempts. */
  get interrupt(): (() => void) | undefined {
    return this.#aside?.interrupt;
  }
  set interrupt(interrupt: (() => void) | undefined) {
    this.#own.interrupt = interrupt;
  }

  /** Whether its unit's commit has settled it: the broker need not be told. */
  get settled(): boolean {
    return this.#aside?.settled ?? false;
  }
  set settled(settled: boolean) {
    if (settled) this.#own.settled = true;
  }

  /** The claim is gone: what the handlers still do has no effect. */
  get lost(): boolean {
    return this.#aside?.lost ?? false;
  }
  /** The bus does not wait any longer: the message goes back, unhandled. */
  get stopping(): boolean {
    return this.#aside?.stopping ?? false;
  }
  /** Why handlers should stop; `undefined`: they should not. */
  get aborted(): Error | undefined {
    return this.#aside?.aborted;
  }
  /** Made when it is first asked for. */
  get signal(): AbortSignal {
    const own = this.#own;
    if (own.controller === undefined) {
      own.controller = new AbortController();
      if (own.aborted !== undefined) own.controller.abort(own.aborted);
    }
    return own.controller.signal;
  }
  /** The unit of work that ends as soon as they should. */
  get ending(): Endable | undefined {
    return this.#aside?.ending;
  }
  set ending(unit: Endable | undefined) {
    if (unit !== undefined || this.#aside !== undefined) this.#own.ending = unit;
  }
  /** Tells handlers to stop. */
  abort(reason: Error): void {
    const own = this.#own;
    own.aborted ??= reason;
    own.ending?.end(reason);
    own.controller?.abort(reason);
  }
  /** A new attempt begins: the last one's reason to stop, its timeout, does not count for it. */
  renew(): void {
    if (this.#aside === undefined || this.lost || this.stopping) return;
    this.#aside.ended = this.#aside.aborted ?? this.#aside.ended;
    this.#aside.aborted = undefined;
    this.#aside.controller = undefined;
    this.#aside.ending = undefined;
  }
  /** Whether an attempt has run out of time, been followed by another, or lost its claim: it must have no effect. */
  isOver(attempt: number): boolean {
    if (attempt !== this.attempt) return true;
    const aside = this.#aside;
    // First: to ask whether something is of an error's class is a call, also of nothing.
    return aside !== undefined && (aside.lost || aside.aborted instanceof HandlerTimeoutError);
  }
  /** Why it is. */
  whyOver(attempt: number): Error {
    const why = attempt === this.attempt ? this.#aside?.aborted : this.#aside?.ended;
    return why ?? new ClaimLostError(this.services.name);
  }
  /** The claim is gone. */
  lose(cause: Error): void {
    this.#own.lost = true;
    this.abort(new ClaimLostError(this.services.name, { cause }));
    this.interrupt?.();
  }
  /** The bus' deadline has passed. */
  stop(reason: Error): void {
    this.#own.stopping = true;
    this.abort(reason);
    this.interrupt?.();
  }

  /** Moves it, once it is over, to a queue beside the endpoint's own, where the endpoint keeps such messages. */
  putAside(suffix: "_error" | "_skipped", headers: FrameHeaders): void {
    const { keepsFailed, routing, name } = this.services;
    this.outcome = keepsFailed ? { outcome: "move", to: routing.queue(name, suffix), headers } : undefined;
  }

  /** What is set under a context key. */
  item(key: ContextKey<unknown>): unknown {
    return this.#aside?.items?.get(key);
  }
  /** Whether anything is. */
  hasItem(key: ContextKey<unknown>): boolean {
    return this.#aside?.items?.has(key) ?? false;
  }
  /** Sets it. */
  setItem(key: ContextKey<unknown>, value: unknown): void {
    const own = this.#own;
    own.items ??= new Map();
    own.items.set(key, value);
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
      headers: envelope?.headers ?? noHeaders,
      message: this.value,
    };
  }
}
