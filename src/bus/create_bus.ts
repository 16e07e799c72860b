/** Makes buses: the one place that knows what stands in for what is left out. @module */
import { memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
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
  return new MessageBus(options, options.transport ?? memory(), { store: memoryStore });
}
