/** How a message is sent: middleware, validation, envelope, serialization, transport. @module */
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
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
import type { SendKind, SendMiddleware } from "./context.ts";
import { type Cause, type Draft, nothingSpecial, type Special } from "./draft.ts";
import { OutgoingMessage, type OutgoingOptions, type SendTarget } from "./outgoing_message.ts";
import { Reference } from "./reference.ts";
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

/** As errors call the contract. */
const purposes: Readonly<Record<SendKind, string>> = {
  send: "the contract to send",
  publish: "the contract to publish",
  request: "the contract to request",
  respond: "the contract to respond to",
  fault: "the contract of a fault",
};

/** Sends messages: one for each bus. */
export class SendPipeline {
  readonly #with: SendPipelineOptions;
  readonly #plans = new Map<Definition, SendPlan>();
  #preparing = 0;

  constructor(options: SendPipelineOptions) {
    this.#with = options;
  }

  /**
   * Sends a message. Its parameters are many so that the common one, which has nothing to wait for, allocates none to
   * hold them.
   *
   * @returns resolves when the broker has it; rejects with a typed error
   */
  send(
    kind: SendKind,
    contract: Contract,
    message: unknown,
    options: SendOptions<unknown>,
    cause: Cause | undefined,
    target: SendTarget,
    special: Special = nothingSpecial,
  ): Promise<void> {
    try {
      const definition = definitionOf(contract, purposes[kind]);
      const plan = this.#plan(definition);
      const direct = plan.ready === undefined && plan.validate === undefined && options.signal === undefined &&
        this.#with.middleware.length === 0 && (cause === undefined || cause.sendMiddleware.length === 0);
      if (!direct) return this.#prepare({ kind, definition, message, options, cause, target, special }, plan);
      const messageId = options.messageId ?? this.#with.newId();
      return taken(
        this.#post(kind, plan, message, options, options.headers, cause, target, special, messageId),
        target,
      );
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
    const { kind, options, cause, target, special } = draft;
    const { signal } = options;
    signal?.throwIfAborted();
    if (plan.ready !== undefined) await plan.ready;
    const context = new Sending(draft, this.#to(plan, options, special), options.messageId ?? this.#with.newId());
    const middleware = [...this.#with.middleware, ...cause?.sendMiddleware ?? []];
    const step = async (index: number): Promise<void> => {
      const next = middleware[index];
      if (next !== undefined) return await next(context, () => step(index + 1));
      // A reply is validated by whoever sends it: its draft has the type of another contract.
      if (plan.validate !== undefined && special.type === undefined) {
        const valid = plan.validate(context.message);
        if (isPromise(valid)) await valid;
      }
      signal?.throwIfAborted();
      const { message, ownHeaders, messageId } = context;
      const done = taken(
        this.#post(kind, plan, message, options, ownHeaders, cause, target, special, messageId),
        target,
      );
      await (signal === undefined ? done : abortable(done, signal));
    };
    await step(0);
  }

  #to(plan: SendPlan, { to }: SendOptions<unknown>, special: Special): Address {
    if (special.to !== undefined) return special.to;
    return to === undefined ? plan.to : this.#with.routing.named(checkDestination(to, "{ to }"));
  }

  #post(
    kind: SendKind,
    plan: SendPlan,
    message: unknown,
    options: SendOptions<unknown>,
    headers: Headers | undefined,
    cause: Cause | undefined,
    target: SendTarget,
    special: Special,
    messageId: string,
  ): OutgoingMessage {
    const { definition } = plan;
    const to = this.#to(plan, options, special);
    const now = this.#with.clock.now();
    const dueAt = this.#dueAt(definition, options, special, now);
    const ttl = options.ttl === undefined ? definition.ttlInMs : this.#ttl(definition, options.ttl);
    const conversationId = cause?.envelope.conversationId ?? messageId;
    const span = this.#with.telemetry?.send({
      bus: this.#with.bus,
      kind,
      contract: definition.name,
      messageId,
      conversationId,
      to,
      parent: cause?.trace,
    });
    const envelope: Envelope = {
      messageId,
      type: special.type ?? plan.type,
      correlationId: options.correlationId,
      conversationId,
      initiatorId: cause?.envelope.correlationId ?? cause?.envelope.requestId,
      requestId: special.requestId,
      sourceAddress: cause?.address ?? this.#with.address,
      destinationAddress: to,
      responseAddress: special.responseAddress,
      faultAddress: undefined,
      sentAt: now,
      expiresAt: special.expiresAt ?? (ttl === undefined ? undefined : (dueAt ?? now) + ttl),
      headers: merge(headers, cause?.envelope.headers),
      trace: span?.trace ?? cause?.trace,
      host: this.#with.host,
    };
    const own = special.type === undefined;
    const posted = new OutgoingMessage(
      this.#frame(envelope, message),
      envelope,
      kind,
      message,
      to,
      own && to === plan.to ? plan : plan.alone,
      outgoingOptions(
        options.key ?? (own ? this.#key(definition, message) : undefined),
        options.priority === undefined ? plan.priority : this.#priority(definition, options.priority),
        dueAt,
      ),
    );
    special.posted?.(posted);
    target.enqueue(posted);
    if (span !== undefined) posted.done.then(() => span.end(), (error) => span.end(toError(error)));
    return posted;
  }

  #frame(envelope: Envelope, message: unknown): Frame {
    const { capabilities, serializer } = this.#with;
    if (capabilities.references === true) return new Reference(envelope, message);
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

  #priority(definition: Definition, priority: number): number | undefined {
    if (Number.isInteger(priority) && priority >= 0 && priority <= 255) {
      return levelOf(priority, this.#with.capabilities);
    }
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

  #dueAt(
    definition: Definition,
    { delay: wait }: SendOptions<unknown>,
    { dueAt }: Special,
    now: number,
  ): number | undefined {
    const due = dueAt ?? (wait === undefined ? undefined : now + milliseconds(wait));
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

/** `undefined` for the common message, which says none of it. */
function outgoingOptions(
  key: string | undefined,
  priority: number | undefined,
  dueAt: number | undefined,
): OutgoingOptions | undefined {
  return key === undefined && priority === undefined && dueAt === undefined ? undefined : { key, priority, dueAt };
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
