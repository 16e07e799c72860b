/** What a machine asks for, done in the unit of work of the message that is handled. @module */
import type { Command } from "../../contracts/command.ts";
import type { Contract } from "../../contracts/contract.ts";
import { definitionOf } from "../../contracts/definition.ts";
import type { Event } from "../../contracts/event.ts";
import { SagaRequestAbandonedError, UnreadableSagaError } from "../../errors/saga.ts";
import { rowOf } from "../../outbox/stored_message.ts";
import type { UnitOfWork } from "../../outbox/unit_of_work.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import type { HandlerContext, MessageContext } from "../../pipeline/context.ts";
import { noOptions } from "../../pipeline/draft.ts";
import type { OutgoingMessage, SendTarget } from "../../pipeline/outgoing_message.ts";
import { wait } from "../../pipeline/recovery.ts";
import { askerOf, respondTo } from "../../pipeline/reply.ts";
import { none } from "../../values/none.ts";
import type { SagaDefinition } from "../definition.ts";
import type { Caller, SagaEffects, SagaInstance } from "../instance.ts";
import { faultCaller } from "./callers.ts";
import { sagaSignal, type Signal } from "./signal.ts";

/** The token of a schedule row: told apart from those of applications. */
export function scheduleToken(token: string): string {
  return `saga:${token}`;
}

/** What the machine of one instance asks for while a message is handled: all of it commits with the instance. */
export class UnitEffects implements SagaEffects {
  readonly context: MessageContext;
  /** Whether observers are told of the instance. */
  readonly told: boolean;
  // Each of these is made with its first, which most have no second of.
  #transitions: { readonly from: string; readonly to: string }[] | undefined;
  #ids: string[] | undefined;
  readonly #handler: HandlerContext<unknown, unknown, unknown>;
  readonly #consumption: Consumption;
  readonly #unit: UnitOfWork;
  readonly #saga: SagaDefinition;
  readonly #instance: SagaInstance;

  constructor(
    context: HandlerContext<unknown, unknown, unknown>,
    consumption: Consumption,
    unit: UnitOfWork,
    saga: SagaDefinition,
    instance: SagaInstance,
  ) {
    this.context = context;
    this.told = consumption.services.observers.anyOfInstances;
    this.#handler = context;
    this.#consumption = consumption;
    this.#unit = unit;
    this.#saga = saga;
    this.#instance = instance;
  }

  /** In the order in which they were made, where they are kept or told. */
  get transitions(): readonly { readonly from: string; readonly to: string }[] {
    return this.#transitions ?? none;
  }
  /** In the order in which they were given. */
  get ids(): readonly string[] {
    return this.#ids ?? none;
  }

  now(): number {
    return this.#consumption.services.clock.now();
  }
  newId(): string {
    const id = this.#consumption.services.newId();
    if (this.#ids === undefined) this.#ids = [id];
    else this.#ids.push(id);
    return id;
  }
  random(): number {
    return this.#consumption.services.random();
  }
  async wait(milliseconds: number): Promise<void> {
    const consumption = this.#consumption;
    await wait(consumption, milliseconds);
    if (consumption.isOver(this.context.attempt)) throw consumption.whyOver(this.context.attempt);
    if (consumption.stopping) throw consumption.aborted;
  }
  transitioned(from: string, to: string): void {
    if (!this.told && !this.#saga.history) return;
    if (this.#transitions === undefined) this.#transitions = [{ from, to }];
    else this.#transitions.push({ from, to });
  }

  publish(contract: Contract, message: unknown): Promise<void> {
    // The rule's types have tied the message to its contract.
    return this.#handler.publish(contract as Event<unknown>, message);
  }
  send(contract: Contract, message: unknown): Promise<void> {
    return this.#handler.send(contract as Command<unknown, unknown, unknown>, message); // as above
  }
  async respond(reply: unknown, caller: Caller | undefined): Promise<void> {
    if (caller === undefined) {
      await this.#handler.respond(reply);
      return;
    }
    // Whoever has given up waits for no answer.
    if (caller.expiresAt !== undefined && caller.expiresAt <= this.now()) return;
    const event = this.#saga.events.get(caller.event);
    if (event === undefined) {
      const why = `it is to answer "${caller.event}", an event which the saga does not have`;
      throw new UnreadableSagaError(this.#saga.name, this.#instance.id, why);
    }
    const definition = definitionOf(event.contract, `the contract of "${caller.event}"`);
    await this.#unit.track(respondTo(caller, this.#consumption, definition, reply, this.#unit));
  }
  async abandon(caller: Caller): Promise<void> {
    const { id, state } = this.#instance;
    const error = new SagaRequestAbandonedError(this.#saga.name, id, caller.event, state);
    const { services } = this.#consumption;
    await this.#unit.track(faultCaller(services, this.#consumption, this.#saga, caller, error, this.#unit));
  }
  park(event: string): Caller | undefined {
    const asker = askerOf(this.#consumption);
    if (asker === undefined) return undefined;
    this.#consumption.responded = "later";
    const { address, requestId, expiresAt } = asker;
    return { event, address, requestId, ...(expiresAt === undefined ? {} : { expiresAt }) };
  }

  async request(contract: Contract, message: unknown, request: {
    readonly requestId: string;
    readonly token: string;
    readonly dueAt: number;
  }): Promise<void> {
    const { requestId, token, dueAt } = request;
    const { sendPipeline, address } = this.#consumption.services;
    const sending = sendPipeline.send("request", contract, message, noOptions, this.#consumption, this.#unit, {
      requestId,
      responseAddress: address,
      // Nobody waits for it any longer.
      expiresAt: dueAt,
    });
    await this.#unit.track(sending);
    await this.#later({ ...this.#own, kind: "timedOut", requestId, token }, dueAt);
  }

  schedule(timeout: string, token: string, dueAt: number): Promise<void> {
    return this.#later({ ...this.#own, kind: "timeout", timeout, token }, dueAt);
  }
  unschedule(token: string): void {
    this.#unit.schedule({ cancel: scheduleToken(token) });
  }
  resume(token: string): Promise<void> {
    return this.#signal({ ...this.#own, kind: "compensate", token }, this.#unit, undefined);
  }

  get #own(): { readonly saga: string; readonly id: string; readonly incarnation: string } {
    const { id, incarnation } = this.#instance;
    return { saga: this.#saga.name, id, incarnation };
  }

  #later(signal: Signal, dueAt: number): Promise<void> {
    const unit = this.#unit;
    const token = scheduleToken(signal.token);
    const put = (message: OutgoingMessage): void => {
      unit.schedule({ put: { ...rowOf(message, { group: message.messageId, dueAt }), token } });
    };
    const schedules: SendTarget = {
      holds: true,
      keeps: true,
      enqueue: (message) => unit.prepare(message, () => put(message)),
    };
    return this.#signal(signal, schedules, dueAt);
  }

  #signal(signal: Signal, target: SendTarget, dueAt: number | undefined): Promise<void> {
    const { sendPipeline, address } = this.#consumption.services;
    return this.#unit.track(
      sendPipeline.send("send", sagaSignal, signal, noOptions, this.#consumption, target, { to: address, dueAt }),
    );
  }
}
