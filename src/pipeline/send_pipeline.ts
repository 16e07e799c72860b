/** How a message is sent: middleware, validation, envelope, serialization, transport. @module */
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import { type SenderInfo, SentEnvelope } from "../envelope/sent_envelope.ts";
import { type Headers, names } from "../envelope/headers.ts";
import { toError } from "../errors/thrown.ts";
import { UnsupportedError } from "../errors/configuration.ts";
import type { Serializer } from "../spi/serializer.ts";
import type { Clock } from "../spi/clock.ts";
import type { Telemetry } from "../spi/telemetry.ts";
import type { Address, Capabilities } from "../spi/transport.ts";
import { abortable } from "../values/abortable.ts";
import { isPromise } from "../values/awaitable.ts";
import { resolved } from "../values/resolved.ts";
import type { Uuid } from "../values/uuid_v7.ts";
import type { SendKind, SendMiddleware } from "./context.ts";
import { type Cause, type Draft, nothingSpecial, type Special } from "./draft.ts";
import { frameOf } from "./framing.ts";
import { OutgoingMessage, type SendTarget } from "./outgoing_message.ts";
import { Reference } from "./reference.ts";
import { SendingContext } from "./sending_context.ts";
import { checkDestination, type Routing } from "./routing.ts";
import { checkIds, checkKey, checkKind, checkPlain, checkPriority, checkTtl } from "./send_checks.ts";
import { dueTime, merge, outgoingOptions, rest } from "./send_values.ts";
import { carries, levelOf, planSend, type SendPlan } from "./send_plan.ts";
import type { SendOptions } from "./sending.ts";

/** Where the ids of messages come from. */
export interface IdSource {
  /** Told the time where it has just been read. */
  (now?: number): string;
  /** The one that was made last, as a number; left out: there may be none for it. */
  readonly last?: () => Uuid;
}

/** What the pipeline of a bus is made of. */
export interface SendPipelineOptions {
  readonly bus: string;
  /** The bus itself: endpoints have their own. */
  readonly sender: SenderInfo;
  readonly routing: Routing;
  readonly capabilities: Capabilities;
  readonly transport: string;
  readonly serializer: Serializer;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly telemetry: Telemetry | undefined;
  readonly middleware: readonly SendMiddleware[];
  /** What observers are shown of a message. Left out: itself. */
  readonly shown?: ((message: unknown) => unknown) | undefined;
  /** A store that keeps what is due later than the transport can; `undefined`: there is none. */
  readonly later: () => SendTarget | undefined;
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
  #prepared: PromiseWithResolvers<void> | undefined;

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
      checkKind(kind, definition);
      checkIds(options, definition);
      const plan = this.#plan(definition);
      const direct = plan.ready === undefined && plan.validate === undefined && options.signal === undefined &&
        this.#with.middleware.length === 0 && (cause === undefined || cause.sendMiddleware.length === 0);
      if (!direct) return this.#prepare({ kind, definition, message, options, cause, target, special }, plan);
      const now = this.#with.clock.now();
      const { newId } = this.#with;
      const messageId = options.messageId ?? newId(now);
      const uuid = options.messageId === undefined ? newId.last?.() : undefined;
      return taken(
        this.#post(kind, plan, message, options, options.headers, cause, target, special, messageId, now, uuid),
        target,
      );
    } catch (thrown) {
      // As it is: also where there is something to wait for, nothing comes between a key or schema and its caller.
      return Promise.reject(thrown);
    }
  }

  #plan(definition: Definition): SendPlan {
    let plan = this.#plans.get(definition);
    if (plan !== undefined) return plan;
    // First, as it refuses bases in a circle: to plan those would have no end.
    const ready = this.#with.introduce(definition);
    plan = planSend(definition, this.#with.routing, this.#with.capabilities);
    const made = plan;
    if (ready !== undefined) {
      plan.ready = ready.then(() => {
        made.ready = undefined;
      }, (error) => {
        this.#plans.delete(definition);
        throw error;
      });
      // Who sends awaits it, unless its own signal has aborted by then.
      plan.ready.catch(() => {});
    }
    this.#plans.set(definition, plan);
    return plan;
  }

  /** Messages with middleware or a validation that are not with the broker yet. */
  get preparing(): number {
    return this.#preparing;
  }

  /** Resolves when no message is being prepared. */
  prepared(): Promise<void> {
    if (this.#preparing === 0) return Promise.resolve();
    this.#prepared ??= Promise.withResolvers<void>();
    return this.#prepared.promise;
  }

  async #prepare(draft: Draft, plan: SendPlan): Promise<void> {
    this.#preparing++;
    try {
      await this.#run(draft, plan);
    } finally {
      if (--this.#preparing === 0) {
        this.#prepared?.resolve();
        this.#prepared = undefined;
      }
    }
  }

  async #run(draft: Draft, plan: SendPlan): Promise<void> {
    const { kind, options, cause, target, special } = draft;
    const { signal } = options;
    signal?.throwIfAborted();
    if (plan.ready !== undefined) await plan.ready;
    const context = new SendingContext(
      draft,
      this.#to(plan, options, special),
      options.messageId ?? this.#with.newId(),
    );
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
        this.#post(kind, plan, message, options, ownHeaders, cause, target, special, messageId, this.#with.clock.now()),
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
    now: number,
    uuid?: Uuid,
  ): OutgoingMessage {
    const { definition } = plan;
    const to = this.#to(plan, options, special);
    const dueAt = dueTime(options, special, now);
    const carried = dueAt === undefined || target.keeps === true || carries(this.#with.capabilities, dueAt - now);
    const goes = carried ? target : this.#later(definition, dueAt - now);
    const ttl = options.ttl === undefined ? definition.ttlInMs : checkTtl(definition, options.ttl);
    const own = special.type === undefined;
    if (own && plan.validate === undefined) checkPlain(definition, message);
    const key = options.key ?? (own ? definition.key?.(message) : undefined);
    if (key !== undefined || (own && definition.key !== undefined)) checkKey(definition, key);
    const priority = options.priority === undefined
      ? plan.priority
      : levelOf(checkPriority(definition, options.priority), this.#with.capabilities);
    const merged = merge(headers, cause?.envelope.headers, definition.name);
    const allHeaders = own && definition.routingKey !== undefined
      ? { ...merged, [names.routingKey]: checkKey(definition, definition.routingKey(message)) }
      : merged;
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
    const envelope = new SentEnvelope(
      messageId,
      special.type ?? plan.type,
      conversationId,
      to,
      now,
      allHeaders,
      cause?.sender ?? this.#with.sender,
      rest(
        options.correlationId,
        cause?.envelope.correlationId ?? cause?.envelope.requestId,
        special,
        special.expiresAt ?? (ttl === undefined ? undefined : (dueAt ?? now) + ttl),
        span?.trace ?? cause?.trace,
      ),
      uuid,
    );
    const content = new Reference(envelope, message);
    try {
      const posted = new OutgoingMessage(
        frameOf(content, definition.name, goes, this.#with),
        this.#with.shown === undefined ? content : new Reference(envelope, this.#with.shown(message)),
        kind,
        own && to === plan.to ? plan : plan.alone,
        outgoingOptions(key, priority, dueAt),
      );
      special.posted?.(posted);
      goes.enqueue(posted);
      if (span !== undefined) posted.done.then(() => span.end(), (error) => span.end(toError(error)));
      return posted;
    } catch (thrown) {
      span?.end(toError(thrown));
      throw thrown;
    }
  }

  /** Where what is due later than the transport can keep it waits. */
  #later(definition: Definition, waitInMs: number): SendTarget {
    const later = this.#with.later();
    if (later !== undefined) return later;
    throw new UnsupportedError(
      this.#with.transport,
      `a delay of ${waitInMs} ms for "${definition.name}"`,
      `Schedule it on a bus with a durable store`,
    );
  }
}

/** When the sender may go on: where messages are held, at once. */
function taken(posted: OutgoingMessage, target: SendTarget): Promise<void> {
  if (!target.holds) {
    const turn = target.turn?.();
    return turn === undefined ? posted.done : behind(posted.done, turn);
  }
  // Whoever lets the held messages go awaits them; here nobody does.
  posted.done.catch(() => {});
  return resolved;
}

/** Apart: what captures anything makes room for that at every call. */
function behind(done: Promise<void>, turn: Promise<void>): Promise<void> {
  return done.finally(() => turn);
}
