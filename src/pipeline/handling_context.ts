/** What a handler gets. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import type { Event } from "../contracts/event.ts";
import { parseMessageType } from "../envelope/message_type.ts";
import { names } from "../envelope/headers.ts";
import type { Headers } from "../envelope/headers.ts";
import { checkAttached } from "../errors/attached.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { RequestInTransactionError } from "../errors/sending.ts";
import { NoTransactionError } from "../errors/store.ts";
import type { InUnit } from "../spi/store.ts";
import { checkContextKey, type ContextKey } from "../values/context_key.ts";
import type { Destination } from "../values/destination.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { derives, isOf } from "./bindings.ts";
import type { Consumption } from "./consumption.ts";
import { callOptionsError, unitOptionsError } from "./call_options.ts";
import type { ConsumeContext, HandlerContext, Responded } from "./context.ts";
import { noOptions } from "./draft.ts";
import { respond } from "./reply.ts";
import type { SendTarget } from "./outgoing_message.ts";
import { checkDestination } from "./routing.ts";
import type { RequestOptions, ScheduleOptions, ScheduleToken, SendOptions, When } from "./sending.ts";
import type { OpenUnit } from "./unit.ts";

const responded: Responded = Object.freeze({ "~responded": true as const });

/** What a handler gets: one for each handler of a message. */
export class HandlingContext implements HandlerContext<unknown, unknown, unknown> {
  readonly contract: Definition;
  readonly message: unknown;
  readonly attempt: number;
  readonly #consumption: Consumption;
  // Of its own attempt: what comes late must not end up in the unit of another.
  #target: SendTarget;
  #unit: OpenUnit | undefined;

  constructor(consumption: Consumption, contract: Definition, message: unknown) {
    this.#consumption = consumption;
    this.#target = consumption.target;
    this.#unit = consumption.unit;
    this.contract = contract;
    this.message = message;
    this.attempt = consumption.attempt;
  }

  /** For the library's own stages. */
  static consumptionOf(context: ConsumeContext): Consumption {
    if (context instanceof HandlingContext) return context.#consumption;
    throw new ConfigurationError(
      "This is not the context of a message that is being handled. Pass the context as it came",
    );
  }

  /** Puts what the handlers of a batch do with this context into the unit of their batch. */
  static enter(context: ConsumeContext, unit: OpenUnit): void {
    if (!(context instanceof HandlingContext)) return;
    context.#unit = unit;
    context.#target = unit;
  }

  /** Tells who asked for a message of a batch that it has been handled, unless it was put off: as part of the unit. */
  static async answer(context: ConsumeContext): Promise<void> {
    if (!(context instanceof HandlingContext) || context.#consumption.outcome !== undefined) return;
    await respond(context.#consumption, context.contract, undefined, context.#target);
  }

  get tx(): unknown {
    if (this.#unit === undefined) throw noTransaction(this.#consumption, this.contract);
    return this.#unit.tx;
  }
  get "~unit"(): InUnit["~unit"] {
    return this.#unit?.own;
  }
  get endpoint(): string {
    return this.#consumption.services.name;
  }
  get signal(): AbortSignal {
    const consumption = this.#consumption;
    // A later attempt has a signal of its own: whoever looks late must not take it for theirs.
    return this.attempt === consumption.attempt ? consumption.signal : AbortSignal.abort(this.#why());
  }
  get messageId(): string {
    return this.#consumption.envelope.messageId;
  }
  get correlationId(): string | undefined {
    return this.#consumption.envelope.correlationId;
  }
  get conversationId(): string | undefined {
    return this.#consumption.envelope.conversationId;
  }
  get initiatorId(): string | undefined {
    return this.#consumption.envelope.initiatorId;
  }
  get headers(): Headers {
    return this.#consumption.envelope.headers;
  }
  get sentAt(): Date | undefined {
    return dateOf(this.#consumption.envelope.sentAt);
  }
  get expiresAt(): Date | undefined {
    return dateOf(this.#consumption.envelope.expiresAt);
  }
  get sourceAddress(): string | undefined {
    return this.#consumption.envelope.sourceAddress;
  }

  get<T>(key: ContextKey<T>): T {
    checkAttached(this, "ctx", "get");
    checkContextKey(key);
    // The key's type says what was set under it: `set` takes nothing else.
    const anyKey = key as unknown as ContextKey<unknown>;
    if (this.#consumption.hasItem(anyKey)) return this.#consumption.item(anyKey) as T;
    throw new ConfigurationError(
      `Nothing has been set under the context key "${key.name}" on "${this.endpoint}". ` +
        `Set it in middleware that runs before`,
    );
  }
  set<T>(key: ContextKey<T>, value: NoInfer<T>): void {
    checkAttached(this, "ctx", "set");
    checkContextKey(key);
    // Kept by the key's identity; `get` gives it back with the key's type.
    this.#consumption.setItem(key as unknown as ContextKey<unknown>, value);
  }

  is<Derived>(contract: Contract<never, Derived, unknown>): this is ConsumeContext<Derived, unknown> {
    checkAttached(this, "ctx", "is");
    const definition = definitionOf(contract, "the contract to narrow to");
    if (isOf(this.contract, definition)) return true;
    // Of another version: the message has been brought to that of its own contract.
    if (derives(this.contract, definition)) return false;
    if (!parseMessageType(this.#consumption.envelope.type).some(({ name }) => name === definition.name)) return false;
    throw new ConfigurationError(
      `This bus does not know "${definition.name}", so the message was read as its base "${this.contract.name}". ` +
        `List it in createBus({ contracts })`,
    );
  }

  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: SendOptions<never>): Promise<void> {
    checkAttached(this, "ctx", "publish");
    return this.#send("publish", event, message, options);
  }
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions<never>): Promise<void> {
    checkAttached(this, "ctx", "send");
    return this.#send("send", command, message, options);
  }
  #send(
    kind: "send" | "publish",
    contract: Contract,
    message: unknown,
    options: SendOptions<unknown> = noOptions,
  ): Promise<void> {
    const consumption = this.#consumption;
    if (this.#over) return Promise.reject(this.#why());
    const refused = options === noOptions ? undefined : unitOptionsError(kind, options, this.endpoint);
    if (refused !== undefined) return this.#tracked(Promise.reject(refused));
    const { sendPipeline } = consumption.services;
    return this.#tracked(sendPipeline.send(kind, contract, message, options, consumption, this.#target));
  }

  schedule<In>(
    contract: Contract<In, unknown, unknown, "command" | "event">,
    message: NoInfer<In>,
    when: When,
    options: ScheduleOptions<never> = {},
  ): Promise<ScheduleToken> {
    checkAttached(this, "ctx", "schedule");
    const consumption = this.#consumption;
    if (this.#over) return Promise.reject(this.#why());
    const refused = unitOptionsError("schedule", options, this.endpoint);
    if (refused !== undefined) return this.#tracked(Promise.reject(refused));
    const { schedules } = consumption.services;
    return this.#tracked(schedules.schedule(contract, message, when, options, consumption, this.#target));
  }
  unschedule(token: ScheduleToken): Promise<void> {
    checkAttached(this, "ctx", "unschedule");
    if (this.#over) return Promise.reject(this.#why());
    return this.#tracked(this.#consumption.services.schedules.unschedule(token, this.#target));
  }
  #tracked<Result>(sending: Promise<Result>): Promise<Result> {
    return this.#unit?.track(sending) ?? sending;
  }

  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options: RequestOptions = {},
  ): Promise<Reply> {
    checkAttached(this, "ctx", "request");
    const consumption = this.#consumption;
    if (this.#over) return Promise.reject(this.#why());
    const refused = callOptionsError("request", options, this.endpoint);
    if (refused !== undefined) return Promise.reject(refused);
    if (this.#unit?.opened === true) {
      const { name } = definitionOf(contract, "the contract to request");
      return Promise.reject(new RequestInTransactionError(name, this.endpoint));
    }
    // The contract's type says what its owner answers; a reply schema has checked it.
    return consumption.services.requests.request(contract, message, options, consumption, {
      holder: consumption,
      signal: consumption.signal,
    }) as Promise<Reply>;
  }

  async respond(reply: unknown): Promise<Responded> {
    checkAttached(this, "ctx", "respond");
    if (this.#over) throw this.#why();
    await respond(this.#consumption, this.contract, reply);
    return responded;
  }

  defer(delay: Duration): Promise<void> {
    checkAttached(this, "ctx", "defer");
    return this.#again(delay, this.#consumption.attempt - 1);
  }
  redeliver(delay: Duration): Promise<void> {
    checkAttached(this, "ctx", "redeliver");
    return this.#again(delay, this.#consumption.attempt);
  }
  // deno-lint-ignore require-await -- async, so that what it refuses rejects, as with all that a context does
  async #again(delay: Duration, attempts: number): Promise<void> {
    const consumption = this.#consumption;
    if (this.#over) throw this.#why();
    const { services } = consumption;
    if (services.ordered && !services.overtaking) {
      throw new ConfigurationError(
        `A message of "${services.name}" cannot be put off: its endpoint keeps order, and others would pass it. ` +
          `Say { overtaking: "allowed" }`,
      );
    }
    const dueAt = services.clock.now() + milliseconds(delay);
    consumption.outcome = {
      outcome: "again",
      dueAt,
      headers: { [names.deferral]: consumption.deferral + 1, [names.attempts]: attempts },
    };
    consumption.unhandled = "deferred";
  }
  // deno-lint-ignore require-await -- async, so that what it refuses rejects, as with all that a context does
  async forward(to: Destination): Promise<void> {
    checkAttached(this, "ctx", "forward");
    if (this.#over) throw this.#why();
    const { services } = this.#consumption;
    this.#consumption.outcome = {
      outcome: "move",
      to: services.routing.named(checkDestination(to, "ctx.forward")),
      headers: { [names.forwardedBy]: services.address },
    };
    this.#consumption.unhandled = "forwarded";
  }

  get #over(): boolean {
    return this.#consumption.isOver(this.attempt);
  }
  #why(): Error {
    return this.#consumption.whyOver(this.attempt);
  }
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}

function noTransaction({ services, match }: Consumption, { kind, name }: Definition): NoTransactionError {
  if (kind === "query") {
    return new NoTransactionError(
      undefined,
      `"${name}" is a query, and these get none on "${services.name}" or elsewhere`,
      `Read with a client of your own, or make it a command`,
    );
  }
  const outbox = `Set { outbox: true } on the endpoint`;
  return new NoTransactionError(
    undefined,
    `"${services.name}" does not handle "${name}" in a unit of work`,
    match?.batched === true ? `${outbox}, and use it in the handler of the batch` : outbox,
  );
}
