/** The context of steps while they run. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import { checkAttached } from "../errors/attached.ts";
import { MissingSagaDataError } from "../errors/saga.ts";
import type { Headers } from "../envelope/headers.ts";
import type { MessageContext } from "../pipeline/context.ts";
import type { PublishOptions, ScheduleOptions, ScheduleToken, SendOptions, When } from "../pipeline/sending.ts";
import type { InUnit } from "../spi/store.ts";
import type { ContextKey } from "../values/context_key.ts";
import type { SagaContext, Shape } from "./context.ts";
import type { Caller, SagaInstance } from "./instance.ts";

/** Who may be answered: the sender of the event of that name, or whoever has waited since an earlier unit. */
export type Asker = string | Caller | undefined;

/** One for each message that is handled, and for each `catch`. */
export class StepContext implements SagaContext<Shape, unknown, unknown> {
  readonly id: string;
  readonly saga: object;
  readonly message: unknown;
  readonly error: Error | undefined;
  readonly #asker: Asker;
  readonly #saga: string;
  readonly #instance: SagaInstance;
  readonly #context: MessageContext;

  /** @param saga its name */
  constructor(
    saga: string,
    instance: SagaInstance,
    context: MessageContext,
    message: unknown,
    asker: Asker,
    error: Error | undefined = undefined,
  ) {
    this.id = instance.id;
    this.saga = instance.data;
    this.message = message;
    this.error = error;
    this.#asker = asker;
    this.#saga = saga;
    this.#instance = instance;
    this.#context = context;
  }

  /** For the machine. */
  static asker(context: StepContext): Asker {
    return context.#asker;
  }
  /** The same, with what was caught. */
  static caught(context: StepContext, error: Error): StepContext {
    return new StepContext(
      context.#saga,
      context.#instance,
      context.#context,
      context.message,
      context.#asker,
      error,
    );
  }

  get state(): string {
    return this.#instance.state;
  }
  get "~unit"(): InUnit["~unit"] {
    return this.#context["~unit"];
  }
  get endpoint(): string {
    return this.#context.endpoint;
  }
  get signal(): AbortSignal {
    return this.#context.signal;
  }
  get messageId(): string {
    return this.#context.messageId;
  }
  get correlationId(): string | undefined {
    return this.#context.correlationId;
  }
  get conversationId(): string | undefined {
    return this.#context.conversationId;
  }
  get initiatorId(): string | undefined {
    return this.#context.initiatorId;
  }
  get headers(): Headers {
    return this.#context.headers;
  }
  get sentAt(): Date | undefined {
    return this.#context.sentAt;
  }
  get expiresAt(): Date | undefined {
    return this.#context.expiresAt;
  }
  get sourceAddress(): string | undefined {
    return this.#context.sourceAddress;
  }
  get attempt(): number {
    return this.#context.attempt;
  }

  need(property: string): never {
    checkAttached(this, "ctx", "need");
    const value: unknown = Reflect.get(this.saga, property);
    // The saga's types say what it is.
    if (value !== undefined && value !== null) return value as never;
    throw new MissingSagaDataError(this.#saga, this.id, this.state, property);
  }

  get<T>(key: ContextKey<T>): T {
    checkAttached(this, "ctx", "get");
    return this.#context.get(key);
  }
  set<T>(key: ContextKey<T>, value: NoInfer<T>): void {
    checkAttached(this, "ctx", "set");
    this.#context.set(key, value);
  }
  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: PublishOptions): Promise<void> {
    checkAttached(this, "ctx", "publish");
    return this.#context.publish(event, message, options);
  }
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions): Promise<void> {
    checkAttached(this, "ctx", "send");
    return this.#context.send(command, message, options);
  }
  schedule<In>(
    contract: Contract<In, unknown, unknown, "command" | "event">,
    message: NoInfer<In>,
    when: When,
    options?: ScheduleOptions,
  ): Promise<ScheduleToken> {
    checkAttached(this, "ctx", "schedule");
    return this.#context.schedule(contract, message, when, options);
  }
  unschedule(token: ScheduleToken): Promise<void> {
    checkAttached(this, "ctx", "unschedule");
    return this.#context.unschedule(token);
  }
}
