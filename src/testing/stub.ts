/** Stands in for the owner of a contract. @module */
import type { Bus } from "../bus/bus.ts";
import { consumer, type Runnable } from "../pipeline/consumer.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import type { Contract } from "../contracts/contract.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import type { EndpointOptions } from "../bus/endpoint_options.ts";
import type { Awaitable } from "../values/awaitable.ts";
import { queueName } from "../values/destination.ts";

/** What a stub answers, or how it finds its answer. */
export type StubReply<Message, Reply> = Reply | ((message: Message) => Awaitable<Reply>);

/** The stubs of one bus: an endpoint each. A second one of a contract takes the place of the first. */
export class Stubs {
  readonly #bus: Bus<unknown>;
  readonly #prefix: string;
  readonly #replies = new Map<Definition, (message: unknown) => unknown>();

  /** @param prefix of the bus' queues */
  constructor(bus: Bus<unknown>, prefix: string) {
    this.#bus = bus;
    this.#prefix = prefix;
  }

  /** Resolves when messages of the contract come to the stub. */
  async add(contract: Contract, reply: unknown): Promise<void> {
    const definition = definitionOf(contract, "the contract to stub");
    if (definition.kind === "event") {
      throw new ConfigurationError(`Cannot stub "${definition.name}": an event has no owner to stand in for`);
    }
    const known = this.#replies.has(definition);
    // Who stubs a contract says what it answers: its type is checked there.
    this.#replies.set(definition, typeof reply === "function" ? reply as (message: unknown) => unknown : () => reply);
    if (known) return;
    const { name, options } = this.#place(definition);
    const runnable = consumer<unknown, unknown>(
      contract as Contract<never, unknown, unknown>,
      (message) => this.#replies.get(definition)?.(message),
      { name },
    );
    try {
      await this.#bus.connect(runnable as Runnable<unknown>, options);
    } catch (error) {
      this.#replies.delete(definition);
      throw error;
    }
  }

  /** Where the contract's messages go: a queue of its owner's, which the stub then takes from, or its topic. */
  #place(definition: Definition): { readonly name: string; readonly options: EndpointOptions } {
    const routed = this.#bus.describe().routes.find(({ contract }) => contract === definition.name)?.to;
    const to = routed?.replace(`queue:${this.#prefix}`, "queue:") ?? definition.to ?? "";
    const queue = queueName(to);
    if (queue === undefined) return { name: `stub-${definition.name}`, options: {} };
    return { name: queue, options: { subscribe: false } };
  }
}
