/** Makes mediators. @module */
import type { Command } from "../contracts/command.ts";
import type { Contract, Kind } from "../contracts/contract.ts";
import { definitionOf } from "../contracts/definition.ts";
import type { Event } from "../contracts/event.ts";
import { checkAttached } from "../errors/attached.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { Consumer } from "../pipeline/consumer.ts";
import type { Handler, Middleware } from "../pipeline/context.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { checkName } from "../values/destination.ts";
import { createUuidV7 } from "../values/uuid_v7.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { CallOptions, CallRequestOptions, Mediator, MediatorOptions } from "./mediator.ts";
import type { Run } from "./plans.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import { batchesOf } from "../pipeline/batch_consumer.ts";

/** What {@linkcode MediatorOptions} may name. */
const optionNames: OptionNames<MediatorOptions> = {
  name: true,
  clock: true,
  newId: true,
};

/**
 * Makes a mediator. It needs no start and no stop.
 *
 * @throws {InvalidNameError} if the name cannot be that of an endpoint
 * @example
 * ```ts
 * import { command, createMediator, event, query } from "@hero/messaging";
 *
 * const SubmitOrder = command<{ orderId: string }>("orders.submit-order");
 * const OrderSubmitted = event<{ orderId: string }>("orders.order-submitted");
 * const GetOrder = query<{ orderId: string }, { status: string }>("orders.get-order");
 *
 * const mediator = createMediator()
 *   .handle(SubmitOrder, (order, ctx) => ctx.publish(OrderSubmitted, { orderId: order.orderId }))
 *   .handle(OrderSubmitted, ({ orderId }) => console.log(orderId))
 *   .handle(GetOrder, () => ({ status: "new" }));
 *
 * await mediator.send(SubmitOrder, { orderId: "42" }, { signal: AbortSignal.timeout(1000) });
 * const { status } = await mediator.request(GetOrder, { orderId: "42" });
 * console.log(status);
 * ```
 */
export function createMediator(options: MediatorOptions = {}): Mediator {
  checkOptionNames(options, optionNames, "a mediator");
  const { name = "mediator", clock = systemClock, newId = createUuidV7(clock) } = options;
  return new InProcessMediator(new Dispatcher(checkName("a mediator", name), clock, newId));
}

/** The mediator: see {@linkcode Mediator}. */
class InProcessMediator implements Mediator {
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  get name(): string {
    return this.#dispatcher.name;
  }

  handle<Out, Reply, K extends Kind>(
    contract: Contract<never, Out, Reply, K>,
    handler: NoInfer<Handler<Out, Reply, undefined>>,
  ): this {
    checkAttached(this, "mediator", "handle");
    this.#check(handler, "a handler");
    const definition = definitionOf(contract, `the contract of a handler of "${this.name}"`);
    // The plan hands it messages of its own contract only, and a context that is also a handler's of that contract.
    // By way of unknown: a type that names neither `Out` nor `Reply` has nothing in common with one that does.
    this.#dispatcher.plans.add(definition, handler.name || "a handler without a name", handler as unknown as Run);
    return this;
  }

  add(consumer: Consumer<undefined>): this {
    checkAttached(this, "mediator", "add");
    if (typeof consumer !== "object" || consumer === null || typeof consumer.consume !== "function") {
      throw new ConfigurationError(`Cannot add ${typeof consumer} to "${this.name}". Make a consumer with consumer()`);
    }
    if (consumer.runs !== "on one endpoint") {
      throw new ConfigurationError(
        `Cannot add "${consumer.name}" to "${this.name}": it has endpoints of its own. Add it to a bus: bus.add()`,
      );
    }
    if (batchesOf(consumer) !== undefined) {
      throw new ConfigurationError(
        `Cannot add the batch consumer "${consumer.name}" to "${this.name}": calls are not collected. Add it to a bus`,
      );
    }
    for (const contract of consumer.contracts) {
      const definition = definitionOf(contract, `the contract of "${consumer.name}"`);
      // As in `handle`.
      this.#dispatcher.plans.add(definition, consumer.name, (_, context) => consumer.consume(context as never));
    }
    return this;
  }

  use(middleware: Middleware): this {
    checkAttached(this, "mediator", "use");
    this.#check(middleware, "middleware");
    this.#dispatcher.plans.use(middleware);
    return this;
  }

  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: CallOptions): Promise<void> {
    checkAttached(this, "mediator", "send");
    // What handlers give without having been asked is nobody's: the type says so.
    return this.#dispatcher.tell("command", command, message, options, undefined) as Promise<void>;
  }
  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: CallOptions): Promise<void> {
    checkAttached(this, "mediator", "publish");
    return this.#dispatcher.tell("event", event, message, options, undefined) as Promise<void>;
  }
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: CallRequestOptions,
  ): Promise<Reply> {
    checkAttached(this, "mediator", "request");
    // The contract's type says what its owner answers; a reply schema has checked it.
    return this.#dispatcher.ask(contract, message, options, undefined) as Promise<Reply>;
  }

  #check(value: unknown, what: string): void {
    if (typeof value === "function") return;
    throw new ConfigurationError(
      `Cannot add ${what} to "${this.name}": it must be a function, and is ${shown(value)}`,
    );
  }
}
