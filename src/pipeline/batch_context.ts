/** What batch handlers get. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import { checkAttached } from "../errors/attached.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { toError } from "../errors/thrown.ts";
import type { InUnit } from "../spi/store.ts";
import { unitOptionsError } from "./call_options.ts";
import type { Consumption } from "./consumption.ts";
import type { BatchContext, ConsumeContext } from "./context.ts";
import { noOptions } from "./draft.ts";
import { HeldMessages } from "./held_messages.ts";
import type { OutgoingMessage, SendTarget } from "./outgoing_message.ts";
import type { PublishOptions, RequestOptions, ScheduleOptions, ScheduleToken, SendOptions, When } from "./sending.ts";
import type { OpenUnit } from "./unit.ts";

/** A message of a batch. */
export interface BatchItem {
  readonly context: ConsumeContext;
  readonly consumption: Consumption;
}

/** What a batch handler gets. What it sends follows from the first message. */
export class Batch implements BatchContext<unknown>, SendTarget {
  readonly #failed = new Map<ConsumeContext, Error>();
  readonly #unit: OpenUnit | undefined;
  readonly #items: readonly BatchItem[];
  readonly #first: Consumption;
  readonly #context: ConsumeContext;
  readonly #held: HeldMessages | undefined;
  #signal: AbortSignal | undefined;

  constructor(items: readonly BatchItem[], first: BatchItem, unit: OpenUnit | undefined) {
    this.#items = items;
    this.#unit = unit;
    this.#context = first.context;
    this.#first = first.consumption;
    this.#held = this.#first.target.holds ? new HeldMessages() : undefined;
  }

  get holds(): boolean {
    return this.#held !== undefined;
  }
  enqueue(message: OutgoingMessage): void {
    (this.#held ?? this.#first.services.outbound).enqueue(message);
  }
  /** What was held back leaves, if it is still this batch's to send. */
  letGo(): void | Promise<void> {
    return this.#over ? undefined : this.#held?.letGo(this.#first.services.outbound);
  }
  /** Nothing of it may have an effect any more. */
  get #over(): boolean {
    return this.#items.every(({ context, consumption }) => consumption.isOver(context.attempt));
  }

  get tx(): unknown {
    return this.#context.tx;
  }
  get "~unit"(): InUnit["~unit"] {
    return this.#context["~unit"];
  }
  get endpoint(): string {
    return this.#context.endpoint;
  }
  get signal(): AbortSignal {
    return this.#signal ??= AbortSignal.any(this.#items.map(({ context }) => context.signal));
  }

  fail(item: ConsumeContext, error: Error): void {
    checkAttached(this, "ctx", "fail");
    // It would be handled as if it had not failed.
    if (!this.#items.some(({ context }) => context === item)) {
      throw new ConfigurationError(
        `Cannot fail this on "${this.endpoint}": it is no message of this batch. Give one of those the handler was given`,
      );
    }
    this.#failed.set(item, toError(error));
  }
  /** What single messages failed with. */
  get failures(): ReadonlyMap<Consumption, Error> {
    const failures = new Map<Consumption, Error>();
    for (const { context, consumption } of this.#items) {
      const error = this.#failed.get(context);
      if (error !== undefined) failures.set(consumption, error);
    }
    return failures;
  }

  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: PublishOptions<never>): Promise<void> {
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
    if (this.#over) return Promise.reject(this.#first.whyOver(this.#context.attempt));
    const { sendPipeline } = this.#first.services;
    const refused = options === noOptions ? undefined : unitOptionsError(kind, options, this.endpoint);
    const sending = refused === undefined
      ? sendPipeline.send(kind, contract, message, options, this.#first, this.#unit ?? this)
      : Promise.reject(refused);
    return this.#unit?.track(sending) ?? sending;
  }
  schedule<In>(
    contract: Contract<In, unknown, unknown, "command" | "event">,
    message: NoInfer<In>,
    when: When,
    options?: ScheduleOptions<never>,
  ): Promise<ScheduleToken> {
    checkAttached(this, "ctx", "schedule");
    return this.#context.schedule(contract, message, when, options);
  }
  unschedule(token: ScheduleToken): Promise<void> {
    checkAttached(this, "ctx", "unschedule");
    return this.#context.unschedule(token);
  }
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: RequestOptions,
  ): Promise<Reply> {
    checkAttached(this, "ctx", "request");
    return this.#context.request(contract, message, options);
  }
}
