/** What handlers on a mediator get. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import type { Event } from "../contracts/event.ts";
import { type Headers, noHeaders } from "../envelope/headers.ts";
import { checkAttached } from "../errors/attached.ts";
import { ConfigurationError, UnsupportedError } from "../errors/configuration.ts";
import { NoTransactionError } from "../errors/store.ts";
import { isOf } from "../pipeline/bindings.ts";
import type { ConsumeContext, HandlerContext, Responded } from "../pipeline/context.ts";
import type { RequestOptions, ScheduleToken, SendOptions } from "../pipeline/sending.ts";
import type { InUnit } from "../spi/store.ts";
import { checkContextKey, type ContextKey } from "../values/context_key.ts";
import { type AnyOptions, Call, type Dispatching, type Origin } from "./call.ts";
import { checkAnswer } from "./answer.ts";

const responded: Responded = Object.freeze({ "~responded": true as const });

/**
 * What handlers on a mediator get: one for each message. It holds what every call has; the rest is made when it is read,
 * as most handlers read none of it.
 */
export class MediatedContext implements HandlerContext<unknown, unknown, undefined>, Origin {
  readonly contract: Definition;
  readonly message: unknown;
  readonly #mediator: Dispatching;
  #call: Call | undefined;

  constructor(mediator: Dispatching, contract: Definition, message: unknown, call: Call | undefined) {
    this.contract = contract;
    this.message = message;
    this.#mediator = mediator;
    this.#call = call;
  }

  get #made(): Call {
    return this.#call ??= new Call();
  }

  get tx(): never {
    throw new NoTransactionError(
      undefined,
      `"${this.#mediator.name}" is a mediator, and keeps nothing`,
      `Write with a client of your own, or handle "${this.contract.name}" on a bus with a store, and { outbox: true }`,
    );
  }
  get "~unit"(): InUnit["~unit"] {
    return undefined;
  }
  get endpoint(): string {
    return this.#mediator.name;
  }
  get attempt(): number {
    return 1;
  }
  get signal(): AbortSignal {
    return this.#made.signal ??= new AbortController().signal;
  }
  get passedSignal(): AbortSignal | undefined {
    return this.#call?.signal;
  }
  get messageId(): string {
    return this.#made.messageId ??= this.#mediator.newId();
  }
  get correlationId(): string | undefined {
    return this.#call?.options?.correlationId;
  }
  get conversationId(): string {
    return this.#call?.origin?.conversationId ?? this.messageId;
  }
  get initiatorId(): string | undefined {
    return this.#call?.origin?.initiates;
  }
  get initiates(): string | undefined {
    const call = this.#call;
    if (call === undefined) return undefined;
    return call.options?.correlationId ?? (call.asked ? call.requestId ??= this.#mediator.newId() : undefined);
  }
  get headers(): Headers {
    const given = this.#call?.options?.headers;
    const flowing = this.#call?.origin?.headers ?? noHeaders;
    if (given === undefined) return flowing;
    return flowing === noHeaders ? given : { ...flowing, ...given };
  }
  get sentAt(): undefined {
    return undefined;
  }
  get expiresAt(): Date | undefined {
    const expiresAt = this.#call?.expiresAt;
    return expiresAt === undefined ? undefined : new Date(expiresAt);
  }
  get sourceAddress(): undefined {
    return undefined;
  }

  get<T>(key: ContextKey<T>): T {
    checkAttached(this, "ctx", "get");
    checkContextKey(key);
    // The key's type says what was set under it: `set` takes nothing else.
    const anyKey = key as unknown as ContextKey<unknown>;
    const items = this.#call?.items;
    if (items?.has(anyKey)) return items.get(anyKey) as T;
    throw new ConfigurationError(
      `Nothing has been set under the context key "${key.name}" on "${this.endpoint}". ` +
        `Set it in middleware that runs before`,
    );
  }
  set<T>(key: ContextKey<T>, value: NoInfer<T>): void {
    checkAttached(this, "ctx", "set");
    checkContextKey(key);
    const call = this.#made;
    call.items ??= new Map();
    // Kept by the key's identity; `get` gives it back with the key's type.
    call.items.set(key as unknown as ContextKey<unknown>, value);
  }

  is<Derived>(contract: Contract<never, Derived, unknown>): this is ConsumeContext<Derived, undefined> {
    checkAttached(this, "ctx", "is");
    return isOf(this.contract, definitionOf(contract, "the contract to narrow to"));
  }

  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: SendOptions<never>): Promise<void> {
    checkAttached(this, "ctx", "publish");
    // What handlers give without having been asked is nobody's: the type says so.
    return this.#mediator.tell("event", event, message, options, this) as Promise<void>;
  }
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions<never>): Promise<void> {
    checkAttached(this, "ctx", "send");
    return this.#mediator.tell("command", command, message, options, this) as Promise<void>;
  }
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: RequestOptions,
  ): Promise<Reply> {
    checkAttached(this, "ctx", "request");
    // The contract's type says what its owner answers; a reply schema has checked it.
    return this.#mediator.ask(contract, message, options as AnyOptions | undefined, this) as Promise<Reply>;
  }

  async respond(reply: unknown): Promise<Responded> {
    checkAttached(this, "ctx", "respond");
    const call = this.#call;
    if (call === undefined || !call.asked || call.answer !== undefined) return responded;
    const checked: unknown = await checkAnswer(this.contract, reply);
    call.answer ??= { reply: checked };
    return responded;
  }

  defer(): Promise<void> {
    checkAttached(this, "ctx", "defer");
    return this.#refuse("ctx.defer()", "Wait in the handler, or handle it on a bus");
  }
  redeliver(): Promise<void> {
    checkAttached(this, "ctx", "redeliver");
    return this.#refuse("ctx.redeliver()", "Throw, and let the caller or middleware try again, or handle it on a bus");
  }
  forward(): Promise<void> {
    checkAttached(this, "ctx", "forward");
    return this.#refuse("ctx.forward()", "Use ctx.send() with the contract of who should have it");
  }
  schedule(): Promise<ScheduleToken> {
    checkAttached(this, "ctx", "schedule");
    return this.#refuse("ctx.schedule()", "Schedule it on a bus: bus.schedule()");
  }
  unschedule(): Promise<void> {
    checkAttached(this, "ctx", "unschedule");
    return this.#refuse("ctx.unschedule()", "Take it back where it was scheduled: bus.unschedule()");
  }
  #refuse(what: string, instead: string): Promise<never> {
    const { name } = this.#mediator;
    return Promise.reject(
      new UnsupportedError(name, `${what} for "${this.contract.name}": a mediator has no queue`, instead),
    );
  }
}
