/** How a message is sent: middleware, validation, envelope, serialization, transport. @module */
import type { Definition } from "../contracts/definition.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { checkHeaders, type Headers, noHeaders, sizeOfHeaders } from "../envelope/headers.ts";
import { toHeaders } from "../envelope/wire.ts";
import { toError } from "../errors/receiving.ts";
import { InvalidMessageError, MessageTooLargeError } from "../errors/sending.ts";
import { ConfigurationError, UnsupportedError } from "../errors/configuration.ts";
import type { HostInfo } from "../runtime/host.ts";
import type { Serializer } from "../spi/serializer.ts";
import type { Clock } from "../spi/clock.ts";
import type { Frame } from "../spi/frame.ts";
import type { Span, Telemetry } from "../spi/telemetry.ts";
import type { Address, Capabilities } from "../spi/transport.ts";
import { abortable } from "../values/abortable.ts";
import { isPromise } from "../values/awaitable.ts";
import { milliseconds } from "../values/duration.ts";
import type { SendMiddleware } from "./context.ts";
import type { Draft } from "./draft.ts";
import { OutgoingMessage, type SendTarget } from "./outgoing_message.ts";
import { referring } from "./reference.ts";
import { Sending } from "./sending_context.ts";
import { checkDestination, type Routing } from "./routing.ts";
import { levelOf, planSend, type SendPlan } from "./send_plan.ts";
import type { SendOptions } from "./sending.ts";

/** What the pipeline of a bus is made of. */
export interface SendPipelineOptions {
  readonly bus: string;
  readonly address: Address;
  readonly routing: Routing;
  readonly capabilities: Capabilities;
  readonly transport: string;
  readonly serializer: Serializer;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly host: HostInfo;
  readonly telemetry: Telemetry | undefined;
  readonly middleware: readonly SendMiddleware[];
  /** Takes in a contract that is sent for the first time; a promise where its topic must be made first. */
  readonly introduce: (definition: Definition) => Promise<void> | undefined;
}

/** Sends messages: one for each bus. */
export class SendPipeline {
  readonly #with: SendPipelineOptions;
  readonly #plans = new Map<Definition, SendPlan>();
  #preparing = 0;

  constructor(options: SendPipelineOptions) {
    this.#with = options;
  }

  /**
   * Sends a message.
   *
   * @returns resolves when the broker has it; rejects with a typed error
   */
  send(draft: Draft): Promise<void> {
    try {
      const plan = this.#plan(draft.definition);
      const direct = plan.ready === undefined && plan.validate === undefined && this.#with.middleware.length === 0 &&
        (draft.cause === undefined || draft.cause.sendMiddleware.length === 0);
      return direct && draft.options.signal === undefined
        ? taken(this.#post(draft, plan, draft.message, draft.options.headers), draft.target)
        : this.#prepare(draft, plan);
    } catch (thrown) {
      return Promise.reject(toError(thrown));
    }
  }

  #plan(definition: Definition): SendPlan {
    let plan = this.#plans.get(definition);
    if (plan !== undefined) return plan;
    plan = planSend(definition, this.#with.routing, this.#with.capabilities);
    const made = plan;
    const ready = this.#with.introduce(definition);
    if (ready !== undefined) {
      plan.ready = ready.then(() => {
        made.ready = undefined;
      }, (error) => {
        this.#plans.delete(definition);
        throw error;
      });
    }
    this.#plans.set(definition, plan);
    return plan;
  }

  /** Messages with middleware or a validation that are not with the broker yet. */
  get preparing(): number {
    return this.#preparing;
  }

  async #prepare(draft: Draft, plan: SendPlan): Promise<void> {
    this.#preparing++;
    try {
      await this.#prepared(draft, plan);
    } finally {
      this.#preparing--;
    }
  }

  async #prepared(draft: Draft, plan: SendPlan): Promise<void> {
    const { signal } = draft.options;
    signal?.throwIfAborted();
    if (plan.ready !== undefined) await plan.ready;
    const context = new Sending(draft, this.#to(draft, plan), draft.options.messageId ?? this.#with.newId());
    const middleware = [...this.#with.middleware, ...draft.cause?.sendMiddleware ?? []];
    const step = async (index: number): Promise<void> => {
      const next = middleware[index];
      if (next !== undefined) return await next(context, () => step(index + 1));
      // A reply is validated by whoever sends it: its draft has the type of another contract.
      if (plan.validate !== undefined && draft.type === undefined) {
        const valid = plan.validate(context.message);
        if (isPromise(valid)) await valid;
      }
      signal?.throwIfAborted();
      const posted = this.#post(draft, plan, context.message, context.ownHeaders, context.messageId);
      const done = taken(posted, draft.target);
      await (signal === undefined ? done : abortable(done, signal));
    };
    await step(0);
  }

  #to(draft: Draft, plan: SendPlan): Address {
    if (draft.to !== undefined) return draft.to;
    const { to } = draft.options;
    return to === undefined ? plan.to : this.#with.routing.named(checkDestination(to, "{ to }"));
  }

  #post(
    draft: Draft,
    plan: SendPlan,
    message: unknown,
    headers: Headers | undefined,
    messageId = draft.options.messageId ?? this.#with.newId(),
  ): OutgoingMessage {
    const { definition, options, cause, kind } = draft;
    const { clock, capabilities } = this.#with;
    const to = this.#to(draft, plan);
    const now = clock.now();
    const dueAt = this.#dueAt(draft, now);
    const ttl = options.ttl === undefined ? definition.ttlInMs : this.#ttl(definition, options.ttl);
    const expiresAt = draft.expiresAt ?? (ttl === undefined ? undefined : (dueAt ?? now) + ttl);
    const span = this.#begin(draft, messageId, to);
    const envelope: Envelope = {
      messageId,
      type: draft.type ?? plan.type,
      correlationId: options.correlationId,
      conversationId: cause?.envelope.conversationId ?? messageId,
      initiatorId: cause?.envelope.correlationId ?? cause?.envelope.requestId,
      requestId: draft.requestId,
      sourceAddress: cause?.address ?? this.#with.address,
      destinationAddress: to,
      responseAddress: draft.responseAddress,
      faultAddress: undefined,
      sentAt: now,
      expiresAt,
      headers: merge(headers, cause?.envelope.headers),
      trace: span?.trace ?? cause?.trace,
      host: this.#with.host,
    };
    const posted = new OutgoingMessage(this.#frame(envelope, message), {
      kind,
      definition,
      envelope,
      message,
      to,
      alsoTo: to === plan.to && draft.type === undefined ? plan.alsoTo : [],
      key: options.key ?? (draft.type === undefined ? this.#key(definition, message) : undefined),
      priority: options.priority === undefined
        ? plan.priority
        : this.#priority(definition, options.priority, capabilities),
      dueAt,
      mandatory: kind === "send" || kind === "request",
    });
    draft.posted?.(posted);
    draft.target.enqueue(posted);
    if (span !== undefined) posted.done.then(() => span.end(), (error) => span.end(toError(error)));
    return posted;
  }

  #begin({ kind, definition, cause }: Draft, messageId: string, to: Address): Span | undefined {
    return this.#with.telemetry?.send({
      bus: this.#with.bus,
      kind,
      contract: definition.name,
      messageId,
      conversationId: cause?.envelope.conversationId ?? messageId,
      to,
      parent: cause?.trace,
    });
  }

  #frame(envelope: Envelope, message: unknown): Frame {
    const { capabilities, serializer } = this.#with;
    if (capabilities.references === true) return referring(envelope, message);
    const { body, types } = serializer.serialize(message);
    const frame: Frame = { contentType: serializer.contentType, headers: toHeaders(envelope, types), body };
    const { type } = envelope;
    if (body.byteLength > capabilities.maxFrameBytes) {
      throw new MessageTooLargeError(type, "body", body.byteLength, capabilities.maxFrameBytes);
    }
    // Cheap bound first: most messages have a handful of short headers.
    if (envelope.headers !== noHeaders || types !== undefined) {
      const limit = Math.min(mostHeaderBytes, capabilities.maxHeaderBytes);
      const size = sizeOfHeaders(frame.headers);
      if (size > limit) throw new MessageTooLargeError(type, "headers", size, limit);
    }
    return frame;
  }

  #key(definition: Definition, message: unknown): string | undefined {
    if (definition.key === undefined) return undefined;
    const key: unknown = definition.key(message);
    if (typeof key === "string") return key;
    throw new InvalidMessageError(definition.name, "send", [`its key is ${String(key)}, and must be text`]);
  }

  #priority(definition: Definition, priority: number, capabilities: Capabilities): number | undefined {
    if (Number.isInteger(priority) && priority >= 0 && priority <= 255) return levelOf(priority, capabilities);
    throw new ConfigurationError(
      `Cannot send "${definition.name}" with the priority ${priority}: it must be whole, from 0 to 255`,
    );
  }

  #ttl(definition: Definition, ttl: NonNullable<SendOptions["ttl"]>): number {
    const time = milliseconds(ttl);
    if (time > 0) return time;
    throw new ConfigurationError(
      `Cannot send "${definition.name}" with a ttl of 0: it would have expired. Give it more`,
    );
  }

  #dueAt({ dueAt, options, definition }: Draft, now: number): number | undefined {
    const due = dueAt ?? (options.delay === undefined ? undefined : now + milliseconds(options.delay));
    if (due === undefined || due <= now) return undefined;
    const { delay } = this.#with.capabilities;
    if (delay !== false && due - now <= delay.maxMs) return due;
    throw new UnsupportedError(
      this.#with.transport,
      `a delay of ${due - now} ms for "${definition.name}"`,
      `Schedule it on a bus with a durable store`,
    );
  }
}

/** When the sender may go on: where messages are held, at once. */
function taken(posted: OutgoingMessage, target: SendTarget): Promise<void> {
  if (!target.holds) return posted.done;
  // Whoever lets the held messages go awaits them; here nobody does.
  posted.done.catch(() => {});
  return Promise.resolve();
}

const mostHeaderBytes = 16 * 1024;

/** What flows on, and over it what was given. */
function merge(given: Headers | undefined, flowing: Headers | undefined): Headers {
  if (given === undefined) return flowing ?? noHeaders;
  checkHeaders(given);
  return flowing === undefined || flowing === noHeaders ? given : { ...flowing, ...given };
}
