/** The client, loaded when a transport opens. @module */
import type { connect, credentials } from "amqplib";
import { ConfigurationError } from "../../src/errors/configuration.ts";

/** What is used of `npm:amqplib`. */
export interface Client {
  /** Opens a connection. */
  readonly connect: typeof connect;
  /** How to say who one is. */
  readonly credentials: typeof credentials;
}

/** A CommonJS module: whether its names are seen differs from runtime to runtime. */
type Module = Client & { readonly default?: Client };

/**
 * Loads it.
 *
 * @param load replaced in tests
 * @throws {ConfigurationError} if it is not installed
 */
export async function loadClient(load: () => Promise<Module> = () => import("amqplib")): Promise<Client> {
  try {
    const module = await load();
    return module.default ?? module;
  } catch (cause) {
    throw new ConfigurationError(
      `Cannot open the transport "rabbitmq": its client, "amqplib", cannot be loaded. ` +
        `Install it beside this package: npm install amqplib@2, bun add amqplib@2 or deno add npm:amqplib@2`,
      { cause },
    );
  }
}
