/** A machine's effects, written down; and sagas that are driven without a bus. */
import type { Contract } from "../../src/contracts/contract.ts";
import type { SagaDefinition } from "../../src/sagas/definition.ts";
import {
  type Caller,
  type Handled,
  newInstance,
  type Occurrence,
  type SagaEffects,
  type SagaInstance,
} from "../../src/sagas/instance.ts";
import { handle, isOver, planOf } from "../../src/sagas/machine.ts";
import { definitionOfSaga } from "../../src/sagas/saga.ts";
import type { MessageContext } from "../../src/pipeline/context.ts";

/** What a machine asked for, in order. */
export type Asked =
  | { readonly asked: "publish" | "send"; readonly contract: string; readonly message: unknown }
  | { readonly asked: "respond"; readonly reply: unknown; readonly caller: Caller | undefined }
  | {
    readonly asked: "request";
    readonly contract: string;
    readonly message: unknown;
    readonly requestId: string;
    readonly token: string;
    readonly dueAt: number;
  }
  | { readonly asked: "schedule"; readonly timeout: string; readonly token: string; readonly dueAt: number }
  | { readonly asked: "unschedule"; readonly token: string }
  | { readonly asked: "abandon"; readonly requestId: string }
  | { readonly asked: "resume"; readonly token: string }
  | { readonly asked: "wait"; readonly ms: number };

/** Writes down what it is asked for. Ids are `1`, `2`, …; the time is `now`. */
export class FakeEffects implements SagaEffects {
  // What steps of these tests do not read is not there.
  readonly context: MessageContext = { messageId: "m", endpoint: "sagas" } as unknown as MessageContext;
  readonly asked: Asked[] = [];
  readonly transitions: string[] = [];
  /** Whether what is asked for is done later. */
  later = false;
  /** The request id of whoever waits for an answer. */
  asker: string | undefined;
  time = 1_000;
  #ids = 0;

  now(): number {
    return this.time;
  }
  newId(): string {
    return String(++this.#ids);
  }
  random(): number {
    return 0.5;
  }
  wait(ms: number): Promise<void> {
    this.asked.push({ asked: "wait", ms });
    return Promise.resolve();
  }
  transitioned(from: string, to: string): void {
    this.transitions.push(`${from} → ${to}`);
  }
  publish(contract: Contract, message: unknown): void | Promise<void> {
    return this.#write({ asked: "publish", contract: contract.name, message });
  }
  send(contract: Contract, message: unknown): void | Promise<void> {
    return this.#write({ asked: "send", contract: contract.name, message });
  }
  respond(reply: unknown, caller: Caller | undefined): void | Promise<void> {
    return this.#write({ asked: "respond", reply, caller });
  }
  abandon({ requestId }: Caller): void | Promise<void> {
    return this.#write({ asked: "abandon", requestId });
  }
  park(event: string): Caller | undefined {
    return this.asker === undefined ? undefined : { event, address: "queue:asker", requestId: this.asker };
  }
  request(
    contract: Contract,
    message: unknown,
    request: { readonly requestId: string; readonly token: string; readonly dueAt: number },
  ): void | Promise<void> {
    return this.#write({ asked: "request", contract: contract.name, message, ...request });
  }
  schedule(timeout: string, token: string, dueAt: number): void | Promise<void> {
    return this.#write({ asked: "schedule", timeout, token, dueAt });
  }
  unschedule(token: string): void | Promise<void> {
    return this.#write({ asked: "unschedule", token });
  }
  resume(token: string): void | Promise<void> {
    return this.#write({ asked: "resume", token });
  }

  #write(asked: Asked): void | Promise<void> {
    this.asked.push(asked);
    if (this.later) return new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** One instance of a saga, kept as a store would: what fails leaves it as it was. */
export class Driven {
  readonly definition: SagaDefinition;
  readonly effects: FakeEffects = new FakeEffects();
  instance: SagaInstance;

  /** @param saga what `saga()` made */
  constructor(saga: unknown, data: object = {}, id = "1") {
    const definition = definitionOfSaga(saga);
    if (definition === undefined) throw new Error("That is no saga");
    this.definition = definition;
    this.instance = blank(id, data);
  }

  get state(): string {
    return this.instance.state;
  }
  get over(): boolean {
    return isOver(this.definition, this.instance);
  }
  /** What was asked for since this was last read: `publish orders.cancelled`, … */
  get asked(): readonly string[] {
    return this.effects.asked.splice(0).map((each) => {
      switch (each.asked) {
        case "publish":
        case "send":
        case "request":
          return `${each.asked} ${each.contract}`;
        case "schedule":
          return `schedule ${each.timeout} ${each.token} at ${each.dueAt}`;
        case "respond":
          return `respond ${JSON.stringify(each.reply)}${
            each.caller === undefined ? "" : ` to ${each.caller.requestId}`
          }`;
        case "abandon":
          return `abandon ${each.requestId}`;
        case "wait":
          return `wait ${each.ms}`;
        default:
          return `${each.asked} ${each.token}`;
      }
    });
  }

  async occur(occurrence: Occurrence): Promise<Handled> {
    const before = structuredClone(this.instance);
    try {
      const handled = await handle(planOf(this.definition), this.instance, occurrence, this.effects);
      if (handled !== "handled") this.instance = before;
      // What is stored is plain data.
      else this.instance = structuredClone(this.instance);
      return handled;
    } catch (error) {
      this.instance = before;
      throw error;
    }
  }
  event(event: string, message: unknown = {}): Promise<Handled> {
    return this.occur({ kind: "event", event, message });
  }
  /** Has a timeout come that is scheduled. */
  timeout(timeout: string): Promise<Handled> {
    return this.occur({ kind: "timeout", timeout, token: this.instance.timeouts[timeout] ?? "none" });
  }
  /** Has the next part of a compensation come. */
  resume(): Promise<Handled> {
    return this.occur({ kind: "compensate", token: this.instance.compensating?.token ?? "none" });
  }
  /** Has a compensation run to its end. */
  async compensated(): Promise<void> {
    while (this.instance.compensating !== undefined) await this.resume();
  }
}

/** An instance before its first event. */
export function blank(id: string, data: object): SagaInstance {
  return newInstance(id, `${id}-a`, data);
}
