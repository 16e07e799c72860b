/** The settings of single exchanges. @module */
import { ConfigurationError, UnsupportedError } from "../../src/errors/configuration.ts";
import type { Extension } from "../../src/spi/transport.ts";
import { transportName } from "./errors.ts";

/** What `rabbitmq.exchange({ … })` sets: how a contract's topic passes messages on. It cannot be changed once it is there. */
export interface RabbitmqExchangeOptions {
  /**
   * `"fanout"`: to all. `"topic"`, `"direct"`: by the message's routing key, which the contract's `routingKey` gives, else
   * its `key`. `"headers"`: by its headers. Default: `"fanout"`. Which keys or headers an endpoint wants, its queue says:
   * `rabbitmq.queue({ bind: [{ exchange: "orders.placed", routingKey: "eu.*" }] })`.
   */
  readonly type?: "fanout" | "topic" | "direct" | "headers";
  /** The exchange that gets what no binding takes, as in the name of another endpoint's queue. Left out: nobody. */
  readonly alternate?: string;
  /** Anything else that the broker takes when an exchange is declared, by its name there. */
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

/** How one is kept in an extension: those of queues are kept as they are. */
interface ExchangeSetting {
  readonly exchange: RabbitmqExchangeOptions;
}

/**
 * Makes the setting.
 *
 * @throws {ConfigurationError} for a type that there is not
 */
export function exchangeExtension(options: RabbitmqExchangeOptions): Extension {
  const type: string = options.type ?? "fanout";
  if (!["fanout", "topic", "direct", "headers"].includes(type)) {
    throw new ConfigurationError(
      `Cannot make an exchange of the type "${type}". Give "fanout", "topic", "direct" or "headers"`,
    );
  }
  const value: ExchangeSetting = { exchange: options };
  return { transport: transportName, value };
}

/** Whether it is a setting of an exchange, not of a queue. */
export function isOfExchange(value: unknown): value is ExchangeSetting {
  return typeof value === "object" && value !== null && "exchange" in value;
}

/** All settings of one exchange, the later winning. Those of queues, and of other transports, are refused. */
export function exchangeOptions(name: string, extensions: readonly Extension[]): RabbitmqExchangeOptions {
  let options: RabbitmqExchangeOptions = {};
  for (const { transport, value } of extensions) {
    if (transport !== transportName || !isOfExchange(value)) {
      throw new UnsupportedError(
        transportName,
        transport === transportName ? `a queue's setting on the contract "${name}"` : `a setting of "${transport}"`,
        "Give a contract rabbitmq.exchange({ … }), and an endpoint rabbitmq.queue({ … })",
      );
    }
    options = { ...options, ...value.exchange };
  }
  return options;
}
