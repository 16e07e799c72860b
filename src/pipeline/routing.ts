/** Where messages go: contracts and endpoints as addresses. @module */
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import type { Address, Extension } from "../spi/transport.ts";
import { checkName, type Destination, isDestination, queueName, topicName } from "../values/destination.ts";

/**
 * By address, whose they are. An event is published to, and subscribed at, the topic given here instead of its own. A
 * contract that stands twice is refused at start.
 */
export interface Routes {
  /** Commands and queries that the owner of that queue handles. */
  readonly [queue: `queue:${string}`]: readonly Contract<never, unknown, unknown, "command" | "query">[];
  /** What is published there. */
  readonly [topic: `topic:${string}`]: readonly Contract[];
}

/** How contracts and endpoints are called at the broker. */
export interface NamingPolicy {
  /** The name of a contract's topic. Left out: the contract's own. */
  readonly topic?: (contract: Contract) => string;
  /** The name of an endpoint's queue. Left out: the endpoint's own. */
  readonly queue?: (endpoint: string) => string;
  /** Settings of every queue, by transport: those of others do not count. An endpoint's own win. */
  readonly extensions?: readonly Extension[];
}

/** By which rule a contract's address was found. */
export type RouteRule = "contract" | "routes" | "endpoint";

/** The address of a contract. */
export interface Route {
  readonly to: Address;
  readonly by: RouteRule;
}

/** Contracts and endpoints as addresses, for one bus. */
export class Routing {
  readonly #naming: NamingPolicy;
  readonly #prefix: string;
  readonly #routes = new Map<Definition, Destination>();
  /** The policy's settings of every queue, for this transport. */
  readonly extensions: readonly Extension[];

  /** @throws {ConfigurationError} for a contract that stands in two routes, or an address that is none */
  constructor(naming: NamingPolicy, prefix: string, routes: Routes, transport = "") {
    this.#naming = naming;
    this.extensions = (naming.extensions ?? []).filter((each) => each.transport === transport);
    this.#prefix = prefix;
    for (const [address, contracts] of Object.entries(routes)) {
      const destination = checkDestination(address, "routes");
      for (const contract of contracts) {
        this.#add(destination, definitionOf(contract, `a contract routed to "${address}"`));
      }
    }
  }

  #add(to: Destination, definition: Definition): void {
    const other = this.#routes.get(definition);
    if (other !== undefined) {
      throw new ConfigurationError(
        `"${definition.name}" is routed to "${other}" and to "${to}". Leave one of them out of { routes }`,
      );
    }
    if (definition.kind === "event" && topicName(to) === undefined) {
      throw new ConfigurationError(`The event "${definition.name}" is routed to "${to}". Route it to a topic`);
    }
    this.#routes.set(definition, to);
  }

  /** The contracts that have a route. */
  get routed(): Iterable<Definition> {
    return this.#routes.keys();
  }

  /** The topic where an event is published and subscribed at, and to which the owner of a command binds its queue. */
  topic(definition: Definition): Address {
    const routed = this.#routes.get(definition);
    if (routed !== undefined && topicName(routed) !== undefined) return this.named(routed);
    return this.#named("topic:", this.#naming.topic?.(definition) ?? definition.name);
  }

  /** Where a command or query is sent, or an event published. */
  destination(definition: Definition): Route {
    const routed = this.#routes.get(definition);
    if (routed !== undefined) return { to: this.named(routed), by: "routes" };
    if (definition.to !== undefined && definition.kind !== "event") {
      return { to: this.named(checkDestination(definition.to, `the contract "${definition.name}"`)), by: "contract" };
    }
    return { to: this.topic(definition), by: "endpoint" };
  }

  /** The queue of an endpoint, or one that belongs to it, as in `orders` with the suffix `_error`. */
  queue(endpoint: string, suffix = ""): Address {
    return this.#named("queue:", (this.#naming.queue?.(endpoint) ?? endpoint) + suffix);
  }

  /** An address as an application writes it, with the bus' prefix. */
  named(destination: Destination): Address {
    const queue = queueName(destination);
    return queue === undefined ? this.#named("topic:", topicName(destination) ?? "") : this.#named("queue:", queue);
  }

  #named(kind: "queue:" | "topic:", name: string): Address {
    return `${kind}${this.#prefix}${name}`;
  }
}

/**
 * Refuses, where types did not, what is not `queue:…` or `topic:…`.
 *
 * @param where as in `the contract "orders.submit"`
 * @throws {ConfigurationError}
 */
export function checkDestination(address: string, where: string): Destination {
  if (isDestination(address)) return address;
  const named = /^(queue|topic):([^]*)$/.exec(address);
  if (named !== null) checkName(`the ${named[1]} in ${where}`, named[2]);
  throw new ConfigurationError(
    `"${address}" in ${where} is not an address. Write "queue:${address}" or "topic:${address}"`,
  );
}
