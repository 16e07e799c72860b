/** A bus on a transport that takes everything, and what is sent there. @module */
import type { Bus } from "../../src/bus/bus.ts";
import type { BusOptions } from "../../src/bus/bus_options.ts";
import { createBus } from "../../src/bus/create_bus.ts";
import { type Command, command } from "../../src/contracts/command.ts";
import { type Event, event } from "../../src/contracts/event.ts";
import { type Query, query } from "../../src/contracts/query.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";

/** What is sent. */
export interface Order {
  readonly orderId: string;
}
/** One. */
export const order: Order = { orderId: "42" };
/** To whoever handles it. */
export const Submit: Command<Order> = command<Order>("orders.submit");
/** To all. */
export const Happened: Event<Order> = event<Order>("orders.happened");
/** To be answered. */
export const Get: Query<Order, { ok: boolean }> = query<Order, { ok: boolean }>("orders.get");

/** A started bus on a transport that takes everything. */
export async function scripted(
  transport: ScriptedTransport = new ScriptedTransport(),
  options: Partial<BusOptions<undefined>> = {},
): Promise<{ readonly bus: Bus; readonly transport: ScriptedTransport }> {
  const bus = createBus({ name: "app", transport, clock: new VirtualClock(), ...options });
  await bus.start();
  return { bus, transport };
}
