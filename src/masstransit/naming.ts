/** Names as MassTransit gives them. @module */
import type { Contract } from "../contracts/contract.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { NamingPolicy } from "../pipeline/routing.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/** How contracts are called where they are .NET types. */
export interface MasstransitNamingOptions {
  /** The namespace of contracts whose names have none, as in `"Contracts"`. Left out: what is before their last dot. */
  readonly namespace?: string;
}

const optionNames: OptionNames<MasstransitNamingOptions> = { namespace: true };

/**
 * Calls topics as MassTransit calls the exchanges of message types, `Namespace:Type`, and has queues declared as it
 * declares them: classic, durable, without arguments. Such a queue counts no deliveries, so that a message which keeps
 * killing its process is not recognized there.
 *
 * A contract's name that has a `:` is taken as it is. Else its parts become words of .NET: `orders.submit-order` is
 * `Orders:SubmitOrder`, or `Contracts:SubmitOrder` with that namespace. Faults are `MassTransit:Fault--Orders:SubmitOrder--`.
 *
 * @throws {ConfigurationError} if an option is none, or the namespace no text
 * @example
 * ```ts
 * import { createBus } from "@hero/messaging";
 * import { masstransitNaming } from "@hero/messaging/masstransit";
 *
 * createBus({ name: "orders", naming: masstransitNaming({ namespace: "Contracts" }) });
 * ```
 */
export function masstransitNaming(options: MasstransitNamingOptions = {}): NamingPolicy {
  checkOptionNames(options, optionNames, "masstransitNaming()");
  const { namespace } = options;
  if (namespace !== undefined && (typeof namespace !== "string" || namespace === "")) {
    throw new ConfigurationError(
      `Cannot use ${shown(namespace)} as a namespace of .NET: it is text, as in { namespace: "Contracts" }`,
    );
  }
  return {
    topic: ({ name }: Contract) => entityOf(name, namespace),
    // Known to that transport alone: as its own rabbitmq.queue({ type: "default" }) makes it.
    extensions: [{ transport: "rabbitmq", value: { type: "default" } }],
  };
}

const faultPrefix = "fault:";

function entityOf(name: string, namespace: string | undefined): string {
  if (name.startsWith(faultPrefix)) {
    return `MassTransit:Fault--${entityOf(name.slice(faultPrefix.length), namespace)}--`;
  }
  if (name.includes(":")) return name;
  const parts = name.split(".").map(pascalCase);
  const type = parts.pop() ?? name;
  const within = namespace ?? parts.join(".");
  return within === "" ? type : `${within}:${type}`;
}

/** `submit-order` is `SubmitOrder`. */
function pascalCase(text: string): string {
  return text.replace(/(?:^|[-_+])([A-Za-z0-9])/g, (_, first: string) => first.toUpperCase());
}
