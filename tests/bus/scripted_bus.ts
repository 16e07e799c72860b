/** A bus on a transport that does as it is told, and what may be asked of it. */
import type { Bus } from "../../src/bus/bus.ts";
import type { BusOptions } from "../../src/bus/bus_options.ts";
import { consumer } from "../../src/pipeline/consumer.ts";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { type Script, ScriptedTransport } from "../support/fakes/scripted_transport.ts";

export interface Order {
  readonly orderId: string;
}
export const order: Order = { orderId: "42" };
export const Submit = command<Order>("orders.submit");
export const Happened = event<Order>("orders.happened");
export const Get = query<Order, { ok: boolean }>("orders.get");

/** A bus with three endpoints on a transport that does as it is told. */
export function scripted(
  script: Script,
  options: Partial<BusOptions<undefined>> = {},
): { readonly bus: Bus; readonly transport: ScriptedTransport; readonly clock: VirtualClock } {
  const transport = new ScriptedTransport(script);
  const clock = new VirtualClock();
  const bus = createBus({ name: "app", transport, clock, ...options });
  for (const name of ["one", "two", "three"]) bus.endpoint(name).handle(event(`to-${name}`), () => {});
  return { bus, transport, clock };
}

/** All that an application may call a bus for. */
export function calls(bus: Bus): readonly (readonly [string, () => Promise<unknown>])[] {
  return [
    ["send", () => bus.send(Submit, order)],
    ["publish", () => bus.publish(Happened, order)],
    ["request", () => bus.request(Get, order)],
    ["schedule", () => bus.schedule(Submit, order, { in: "1h" })],
    ["unschedule", () => bus.unschedule({ id: "1" })],
    ["begin a transaction", () => bus.transaction(() => {})],
    [`connect "orders.happened"`, () => bus.connect(consumer(Happened, () => {}))],
  ];
}
