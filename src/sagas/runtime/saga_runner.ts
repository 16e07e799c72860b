/** Runs a saga on an endpoint. @module */
import { definitionOf } from "../../contracts/definition.ts";
import {
  InvalidSagaDataError,
  SagaCompensatingError,
  SagaNotFoundError,
  UnhandledSagaEventError,
} from "../../errors/saga.ts";
import type { UnitOfWork } from "../../outbox/unit_of_work.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import type { ConsumeContext, HandlerContext } from "../../pipeline/context.ts";
import { HandlingContext } from "../../pipeline/handling_context.ts";
import type { Serializer } from "../../spi/serializer.ts";
import type { SagaRow } from "../../spi/rows.ts";
import { type Awaitable, isPromise } from "../../values/awaitable.ts";
import { exponentialBackoff } from "../../values/backoff.ts";
import { otherThanObject } from "../../values/kind_of.ts";
import type { EventDefinition, SagaDefinition } from "../definition.ts";
import { type Handled, newInstance, type Occurrence, type SagaInstance } from "../instance.ts";
import { handle, mustWait, planOf } from "../machine.ts";
import { type Answer, answerTo } from "./answers.ts";
import { rememberCaller } from "./callers.ts";
import { idOf, unitOf } from "./correlating.ts";
import { UnitEffects } from "./effects.ts";
import type { Happened } from "./history.ts";
import { fromRow } from "./instance_row.ts";
import { nameOf, tellOfInstance } from "./observing.ts";
import type { Found, SagaPart } from "./part.ts";
import type { Plan } from "../plan.ts";
import { Reservation } from "./reservation.ts";
import { save } from "./saving.ts";
import { type Signal, toSignal } from "./signal.ts";

/** After so many conflicts others are held off: it must not lose for ever to quicker ones. */
const lockAfterConflicts = 2;
/** How often a message whose instance is not there, or not ready, comes again. */
const mostRedeliveries = 10;
const redeliverIn = exponentialBackoff({ min: 250, max: "1m", jitter: 0 }, () => 0.5);

/** What is being handled, and in what. */
interface Work {
  readonly context: HandlerContext<unknown, unknown, unknown>;
  readonly consumption: Consumption;
  readonly unit: UnitOfWork;
  readonly lock: boolean;
}

/** Runs a saga: loads its instances, hands them to the machine, and has them saved by the unit of their message. */
export class SagaRunner {
  readonly saga: SagaDefinition;
  readonly #plan: Plan;

  constructor(saga: SagaDefinition) {
    this.saga = saga;
    this.#plan = planOf(saga);
  }

  /** An event, or an answer to a request. */
  message(context: ConsumeContext, part: SagaPart, events: readonly EventDefinition[]): Awaitable<void> {
    const work = this.#work(context);
    const found = Reservation.of(work.consumption)?.found.get(part);
    if (found?.asked !== undefined) return this.#answer(work, found.asked);
    const [event] = events;
    // An answer to what is over, or was answered before.
    if (event === undefined) return drop(work.consumption, "stale");
    return events.length === 1 ? this.#one(work, event, found) : this.#several(work, events, found);
  }

  async #several(work: Work, events: readonly EventDefinition[], found: Found | undefined): Promise<void> {
    for (const event of events) await this.#one(work, event, found);
  }
  #one(work: Work, event: EventDefinition, found: Found | undefined): Awaitable<void> {
    return event.by.kind === "index"
      ? this.#indexed(work, event, found?.byEvent.get(event.name) ?? [])
      : this.#identified(work, event, idOf(this.saga, event, work.context.message));
  }

  /** What the saga has sent to itself. */
  async signal(context: ConsumeContext): Promise<void> {
    const signal = toSignal(context.message);
    if (signal.saga !== this.saga.name) return;
    const work = this.#work(context);
    const row = await work.unit.load(this.saga.name, signal.id, work.lock);
    if (row === undefined || row.incarnation !== signal.incarnation) return drop(work.consumption, "stale");
    const instance = await this.#read(work, row);
    const occurrence = occurrenceOf(signal);
    rememberCaller(work.consumption, this.saga, instance, occurrence);
    await this.#handle(work, row, instance, occurrence);
  }

  #work(context: ConsumeContext): Work {
    const consumption = HandlingContext.consumptionOf(context);
    const unit = unitOf(consumption);
    const lock = this.saga.concurrency === "pessimistic" || unit.conflicts >= lockAfterConflicts;
    // The bus hands every handler such a context.
    return { context: context as HandlerContext<unknown, unknown, unknown>, consumption, unit, lock };
  }

  #identified(work: Work, event: EventDefinition, id: string): Awaitable<void> {
    const row = work.unit.load(this.saga.name, id, work.lock);
    return isPromise(row) ? this.#loadedLater(row, work, event, id) : this.#loaded(work, event, id, row);
  }
  /** Apart, as {@linkcode SagaRunner.#keepLater}. */
  async #loadedLater(
    row: Promise<SagaRow | undefined>,
    work: Work,
    event: EventDefinition,
    id: string,
  ): Promise<void> {
    await this.#loaded(work, event, id, await row);
  }
  #loaded(work: Work, event: EventDefinition, id: string, row: SagaRow | undefined): Awaitable<void> {
    if (row !== undefined) return this.#run(work, row, occurrenceOfEvent(event, work));
    return event.by.kind === "start" ? this.#first(work, event, id) : this.#missing(work, event, `the id "${id}"`);
  }

  #first(work: Work, event: EventDefinition, id: string): Awaitable<void> {
    const { services } = work.consumption;
    // As its correlation's types say.
    const data = event.by.kind === "start" ? event.by.create(work.context.message as never) : {};
    const other = otherThanObject(data);
    if (other !== undefined) {
      throw new InvalidSagaDataError(this.saga.name, id, [`it is ${other}, and must be an object`]);
    }
    return this.#handle(work, undefined, newInstance(id, services.newId(), data), occurrenceOfEvent(event, work));
  }

  async #indexed(work: Work, event: EventDefinition, rows: readonly SagaRow[]): Promise<void> {
    const { unit, lock, context, consumption } = work;
    const occurrence = occurrenceOfEvent(event, work);
    const found: { readonly row: SagaRow; readonly instance: SagaInstance }[] = [];
    for (const row of rows) {
      // It may have changed since it was found, by another rule for the same message or by others: a lock is worth
      // nothing without another look.
      const now = lock ? await unit.load(this.saga.name, row.id, true) : unit.left(row);
      if (now !== undefined) found.push({ row: now, instance: await this.#read(work, now) });
    }
    if (found.length === 0) return await this.#missing(work, event, "such values in its indexes");
    // If one of them could not handle it yet, it would come again to all.
    const waiting = found.find(({ instance }) =>
      mustWait(
        this.#plan,
        instance,
        occurrence,
        new UnitEffects(context, consumption, unit, this.saga, instance),
      )
    );
    if (waiting !== undefined) return await this.#outcome(work, "redeliver", waiting.instance, occurrence);
    for (const { row, instance } of found) await this.#handle(work, row, instance, occurrence);
  }

  async #missing(work: Work, event: EventDefinition, by: string): Promise<void> {
    const { saga } = this;
    switch (event.by.kind === "start" ? "fault" : event.by.onMissing) {
      case "discard":
        return drop(work.consumption, "missing");
      case "redeliver":
        if (work.context.attempt <= mostRedeliveries) return await redeliver(work);
        break;
      case "run": {
        const nobody = newInstance(event.by.kind === "index" ? "" : idOf(saga, event, work.context.message), "", {});
        const effects = new UnitEffects(work.context, work.consumption, work.unit, saga, nobody);
        const occurrence: Occurrence = { kind: "missing", event: event.name, message: work.context.message };
        if (await handle(this.#plan, nobody, occurrence, effects) !== "unhandled") return;
      }
    }
    throw new SagaNotFoundError(saga.name, event.name, by);
  }

  async #answer(work: Work, asked: SagaRow): Promise<void> {
    const { envelope: { requestId = "", type } } = work.consumption;
    const row = work.unit.left(asked);
    if (row === undefined) return drop(work.consumption, "stale");
    const instance = await this.#read(work, row);
    const open = instance.requests[requestId];
    if (open === undefined) return drop(work.consumption, "stale");
    const step = this.saga.requests.get(open.step);
    const { message } = work.context;
    // Of a step that the saga does not have: the machine says so.
    const answer: Answer | undefined = step === undefined
      ? { kind: "completed", message }
      : answerTo(definitionOf(step.contract, "a request"), type, message);
    if (answer === undefined) return drop(work.consumption, "stale");
    const occurrence: Occurrence = { ...answer, requestId };
    rememberCaller(work.consumption, this.saga, instance, occurrence);
    await this.#handle(work, row, instance, occurrence);
  }

  #run(work: Work, row: SagaRow, occurrence: Occurrence): Awaitable<void> {
    const instance = this.#read(work, row);
    return isPromise(instance)
      ? this.#runLater(instance, work, row, occurrence)
      : this.#handle(work, row, instance, occurrence);
  }
  /** Apart, as {@linkcode SagaRunner.#keepLater}. */
  async #runLater(instance: Promise<SagaInstance>, work: Work, row: SagaRow, occurrence: Occurrence): Promise<void> {
    await this.#handle(work, row, await instance, occurrence);
  }

  #read(work: Work, row: SagaRow): Awaitable<SagaInstance> {
    return fromRow(this.saga, row, serializerOf(work.consumption));
  }

  /** Most of it is there at once. */
  #handle(work: Work, row: SagaRow | undefined, instance: SagaInstance, occurrence: Occurrence): Awaitable<void> {
    const effects = new UnitEffects(work.context, work.consumption, work.unit, this.saga, instance);
    const became = handle(this.#plan, instance, occurrence, effects);
    return isPromise(became)
      ? this.#keepLater(became, work, row, instance, occurrence, effects)
      : this.#keep(work, row, instance, occurrence, effects, became);
  }
  /** Apart: what captures its parameters makes room for them at every call. */
  async #keepLater(
    became: Promise<Handled>,
    work: Work,
    row: SagaRow | undefined,
    instance: SagaInstance,
    occurrence: Occurrence,
    effects: UnitEffects,
  ): Promise<void> {
    await this.#keep(work, row, instance, occurrence, effects, await became);
  }

  #keep(
    work: Work,
    row: SagaRow | undefined,
    instance: SagaInstance,
    occurrence: Occurrence,
    effects: UnitEffects,
    handled: Handled,
  ): Awaitable<void> {
    if (handled !== "handled") return this.#outcome(work, handled, instance, occurrence);
    const { saga } = this;
    const happened = this.#happened(work, occurrence, effects);
    const saved = save(saga, instance, row, work.unit, serializerOf(work.consumption), happened);
    if (isPromise(saved)) return this.#tellLater(saved, work, instance, occurrence, effects);
    this.#tell(work, instance, occurrence, effects);
  }
  /** Apart, as {@linkcode SagaRunner.#keepLater}. */
  async #tellLater(
    saved: Promise<void>,
    work: Work,
    instance: SagaInstance,
    occurrence: Occurrence,
    effects: UnitEffects,
  ): Promise<void> {
    await saved;
    this.#tell(work, instance, occurrence, effects);
  }
  #tell(
    { consumption, unit }: Work,
    instance: SagaInstance,
    occurrence: Occurrence,
    { told, transitions }: UnitEffects,
  ): void {
    if (!told) return;
    tellOfInstance(this.saga, instance, occurrence, transitions, consumption, unit, serializerOf(consumption));
  }

  async #outcome(work: Work, handled: Handled, instance: SagaInstance, occurrence: Occurrence): Promise<void> {
    const { attempt } = work.context;
    if (handled === "ignored") return;
    if (handled === "stale") return drop(work.consumption, "stale");
    if (handled === "redeliver" && attempt <= mostRedeliveries) return await redeliver(work);
    const { id, state, compensating } = instance;
    const what = nameOf(occurrence) ?? occurrence.kind;
    throw compensating === undefined
      ? new UnhandledSagaEventError(this.saga.name, id, state, what)
      : new SagaCompensatingError(this.saga.name, id, what, attempt);
  }

  #happened({ context, consumption }: Work, occurrence: Occurrence, effects: UnitEffects): Happened | undefined {
    if (!this.saga.history) return undefined;
    const { messageId, conversationId, sourceAddress } = context;
    return {
      at: consumption.services.clock.now(),
      occurrence,
      messageId,
      ...(conversationId === undefined ? {} : { conversationId }),
      ...(sourceAddress === undefined ? {} : { by: sourceAddress }),
      transitions: effects.transitions,
      ids: effects.ids,
    };
  }
}

/** JSON in any case: people read what is stored, and the bus may write another format on the wire tomorrow. */
function serializerOf({ services: { serializers } }: Consumption): Serializer {
  return serializers.json;
}

function occurrenceOfEvent({ name }: EventDefinition, { context }: Work): Extract<Occurrence, { kind: "event" }> {
  return { kind: "event", event: name, message: context.message };
}

function occurrenceOf(signal: Signal): Occurrence {
  switch (signal.kind) {
    case "timeout":
      return { kind: "timeout", timeout: signal.timeout, token: signal.token };
    case "timedOut":
      return { kind: "timedOut", requestId: signal.requestId, token: signal.token };
    case "compensate":
      return { kind: "compensate", token: signal.token };
  }
}

/** Counted, and told to observers; where other handlers have it too, it is not dropped. */
function drop(consumption: Consumption, why: "missing" | "stale"): void {
  if (consumption.match?.readings.length === 1) consumption.unhandled = why;
}

async function redeliver({ context }: Work): Promise<void> {
  await context.redeliver(redeliverIn(context.attempt - 1));
}
