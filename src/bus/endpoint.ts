/** Endpoints, as an application builds them. @module */
import type { Contract, Kind } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import { AlreadyStartedError } from "../errors/lifecycle.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type {
  BatchHandler,
  BatchOptions,
  ConsumeContext,
  Handler,
  Middleware,
  SendMiddleware,
} from "../pipeline/context.ts";
import { checkRunnable, type Consumer, isRunnable, type Runnable } from "../pipeline/consumer.ts";
import type { SagaDefinition } from "../sagas/definition.ts";
import type { SagaPart } from "../sagas/runtime/part.ts";
import { sagaParts } from "../sagas/runtime/saga_parts.ts";
import { definitionOfSaga } from "../sagas/saga.ts";
import { checkOptionNames } from "../values/option_names.ts";
import { endpointOptionNames, type EndpointOptions, outboxSettingNames, type TxFor } from "./endpoint_options.ts";
import { batchesOf } from "../pipeline/batch_consumer.ts";

/** A queue and what runs on it: the unit of competing consumers, concurrency and retry. */
export interface Endpoint<out Tx> {
  /** Of the queue, too, unless the bus' naming policy says otherwise. */
  readonly name: string;
  /**
   * Handles a contract. Handlers that match one message run one after the other, as declared.
   *
   * @throws {AlreadyStartedError} once the bus has started
   */
  handle<Out, Reply, K extends Kind>(
    contract: Contract<never, Out, Reply, K>,
    handler: NoInfer<Handler<Out, Reply, TxFor<K, Tx>>>,
  ): this;
  /** Handles several messages of a contract at once. */
  batch<Out>(
    contract: Contract<never, Out, unknown, "command" | "event">,
    options: BatchOptions<Out>,
    handler: NoInfer<BatchHandler<Out, Tx>>,
  ): this;
  /** Adds a consumer or saga that was written on its own. */
  add(consumer: Consumer<Tx>): this;
  /** Adds middleware around each handler, inside the bus' own. */
  use(middleware: Middleware): this;
  /** Adds middleware around all that handlers here send and publish, inside the bus' own. */
  useSend(middleware: SendMiddleware): this;
}

/** What was added to an endpoint at once: a handler has one contract, a saga many. */
export interface DeclaredConsumer {
  /** Its own, its function's, or its contract's. */
  readonly name: string;
  readonly kind: "handler" | "batch" | "saga";
}
/** One handler, as it was declared. */
export interface Declared {
  /** The same object for all that one consumer declared. */
  readonly consumer: DeclaredConsumer;
  readonly definition: Definition;
  readonly handler: (context: ConsumeContext) => unknown;
  readonly batch: { readonly options: BatchOptions; readonly handler: BatchHandler<unknown> } | undefined;
  /** Of a saga. */
  readonly part: SagaPart | undefined;
}

/** Whether what is handled comes by the contract's topic; else it is sent to the endpoint's queue. */
export function isSubscribed({ part }: Declared): boolean {
  return part?.subscribed ?? true;
}

/** What an endpoint was told before it started. */
export class EndpointBuilder implements Endpoint<unknown> {
  readonly name: string;
  readonly options: EndpointOptions;
  readonly declared: Declared[] = [];
  readonly sagas: SagaDefinition[] = [];
  readonly middleware: Middleware[] = [];
  readonly sendMiddleware: SendMiddleware[] = [];
  /** The name of its bus. */
  readonly bus: string;
  #sealed = false;

  /** @throws {ConfigurationError} for an option that there is not */
  constructor(name: string, options: EndpointOptions, bus: string) {
    checkOptionNames(options, endpointOptionNames, `the endpoint "${name}"`);
    const { outbox } = options;
    if (typeof outbox === "object" && outbox !== null) {
      checkOptionNames(outbox, outboxSettingNames, `the outbox of "${name}"`);
    }
    this.name = name;
    this.options = options;
    this.bus = bus;
  }

  /** Takes no more. */
  seal(): void {
    this.#sealed = true;
  }

  handle<Out, Reply, K extends Kind>(
    contract: Contract<never, Out, Reply, K>,
    handler: NoInfer<Handler<Out, Reply, TxFor<K, unknown>>>,
  ): this {
    if (isRunnable(contract)) {
      throw new ConfigurationError(
        `Cannot handle by the consumer "${contract.name}" on "${this.name}": it brings its contract along. Add it: .add()`,
      );
    }
    this.#check(handler, "a handler");
    // The bindings hand it messages of its own contract only, in a handler's context.
    const consumer = { name: handler.name || contract.name, kind: "handler" } as const;
    return this.#declare(consumer, contract, (ctx) => handler(ctx.message as Out, ctx as never), undefined);
  }

  batch<Out>(
    contract: Contract<never, Out, unknown, "command" | "event">,
    options: BatchOptions<Out>,
    handler: NoInfer<BatchHandler<Out, unknown>>,
  ): this {
    // Its options stand before it, and are easily left out.
    if (typeof options === "function") {
      throw new ConfigurationError(
        `Cannot add a batch handler to "${this.name}": its options are missing. ` +
          `Write batch(contract, { size, within }, handler)`,
      );
    }
    this.#check(handler, "a batch handler");
    const consumer = { name: handler.name || contract.name, kind: "batch" } as const;
    return this.#declare(consumer, contract, () => undefined, {
      // A batch holds messages of its own contract only.
      options: options as BatchOptions,
      handler: handler as BatchHandler<unknown>,
    });
  }

  add(consumer: Runnable): this {
    checkRunnable(consumer, `"${this.name}"`);
    if (consumer.runs !== "on one endpoint") {
      throw new ConfigurationError(
        `Cannot add "${consumer.name}" to "${this.name}": it has endpoints of its own. Use bus.add()`,
      );
    }
    const saga = definitionOfSaga(consumer);
    if (saga !== undefined) return this.#addSaga(saga);
    const batch = batchesOf(consumer);
    const declared = { name: consumer.name, kind: batch === undefined ? "handler" : "batch" } as const;
    for (const contract of consumer.contracts) {
      this.#declare(declared, contract, (context) => consumer.consume(context as ConsumeContext<never>), batch);
    }
    return this;
  }

  #addSaga(saga: SagaDefinition): this {
    if (this.options.queue === "instance") {
      throw new ConfigurationError(
        `Cannot add the saga "${saga.name}" to "${this.name}": its timeouts would be lost with this process' queue. ` +
          `Leave { queue } out`,
      );
    }
    this.sagas.push(saga);
    const consumer = { name: saga.name, kind: "saga" } as const;
    for (const part of sagaParts(saga)) {
      const { definition, handle: handler } = part;
      if (part.subscribed) this.#declare(consumer, definition, handler, undefined, part);
      else this.declared.push({ consumer, definition, handler, batch: undefined, part });
    }
    return this;
  }

  use(middleware: Middleware): this {
    this.#check(middleware, "middleware");
    this.middleware.push(middleware);
    return this;
  }
  useSend(middleware: SendMiddleware): this {
    this.#check(middleware, "middleware");
    this.sendMiddleware.push(middleware);
    return this;
  }

  #declare(
    consumer: DeclaredConsumer,
    contract: unknown,
    handler: Declared["handler"],
    batch: Declared["batch"],
    part?: SagaPart,
  ): this {
    this.#check(handler, "a handler");
    const definition = definitionOf(contract, `the contract of a handler of "${this.name}"`);
    const owned = definition.kind !== "event";
    if (owned && this.declared.some((other) => other.definition === definition)) {
      throw new ConfigurationError(
        `Cannot handle "${definition.name}" twice on "${this.name}": a ${definition.kind} is answered once. Merge the handlers`,
      );
    }
    this.declared.push({ consumer, definition, handler, batch, part });
    return this;
  }

  #check(value: unknown, what: string): void {
    if (this.#sealed) throw new AlreadyStartedError(this.bus, `add ${what} to "${this.name}"`);
    if (typeof value !== "function") {
      throw new ConfigurationError(
        `Cannot add ${what} to "${this.name}": it must be a function, and is ${shown(value)}`,
      );
    }
  }
}
