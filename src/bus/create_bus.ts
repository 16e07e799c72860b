/** Makes buses: the one place that knows what stands in for what is left out. @module */
import { memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { checkOptionNames } from "../values/option_names.ts";
import type { Bus } from "./bus.ts";
import { busOptionNames, type BusOptions } from "./bus_options.ts";
import { MessageBus } from "./message_bus.ts";

/**
 * Makes a bus. Nothing happens before `start()`.
 *
 * @throws {InvalidNameError} if the name cannot stand in an address
 * @throws {ConfigurationError} if an option is not what it should be
 * @example
 * ```ts
 * import { command, createBus } from "@hero/messaging";
 *
 * const SubmitOrder = command<{ orderId: string }>("orders.submit-order");
 *
 * const bus = createBus({ name: "orders" });
 * bus.endpoint("orders").handle(SubmitOrder, (order) => console.log(order.orderId));
 * await bus.start();
 * await bus.send(SubmitOrder, { orderId: "42" });
 * await bus.stop();
 * ```
 */
export function createBus<Tx = undefined>(options: BusOptions<Tx>): Bus<Tx> {
  checkOptionNames(options, busOptionNames, typeof options?.name === "string" ? `the bus "${options.name}"` : "a bus");
  const { name, transport, store, deploy = "apply" } = options;
  // Types tell of this, but not where a URL or a path from the environment was cast, nor in JavaScript.
  if (transport !== undefined && typeof transport?.receive !== "function") {
    throw new ConfigurationError(
      `Cannot use the { transport } of the bus "${name}": it is none. Give what memory(), rabbitmq(), ` +
        `sqliteTransport() or postgresTransport() makes`,
    );
  }
  if (store !== undefined && typeof store?.tx !== "function") {
    throw new ConfigurationError(
      `Cannot use the { store } of the bus "${name}": it is none. Give what memoryStore(), sqlite() or postgres() makes`,
    );
  }
  if (deploy !== "apply" && deploy !== "check") {
    throw new ConfigurationError(
      `Cannot use { deploy: "${deploy}" } for the bus "${name}": start() can "apply" or "check". For a plan, call bus.deploy("plan")`,
    );
  }
  return new MessageBus(options, options.transport ?? memory(), { store: memoryStore });
}
