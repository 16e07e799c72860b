/** One bus on the broker, and what it leaves there. */
import { createBus } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { rabbitmq, type RabbitmqTransport } from "../../../transports/rabbitmq/mod.ts";
import { test } from "../../support/runner.ts";
import { raw, skip, url } from "./broker.ts";

let buses = 0;
const run = Math.floor(performance.timeOrigin + performance.now()).toString(36);

/** Registers a test with a bus whose names are its own, and takes away what it made. */
export function withBus(name: string, use: (bus: Bus, transport: RabbitmqTransport) => Promise<void>): void {
  test(`rabbitmq: ${name}`, async () => {
    const transport = rabbitmq(url);
    const names = new Set<string>();
    const deploy = transport.deploy.bind(transport);
    transport.deploy = (topology, mode) => {
      for (const each of [...topology.queues, ...topology.topics]) names.add(each.name);
      return deploy(topology, mode);
    };
    const bus = createBus({ name: "shop", transport, prefix: `b${run}-${++buses}-` });
    try {
      await use(bus, transport);
    } finally {
      await bus.stop({ deadline: "2s" });
      await raw(async (channel) => {
        for (const each of names) {
          await channel.deleteQueue(each);
          await channel.deleteExchange(each);
        }
      });
    }
  }, { skip });
}

/** Takes away the queues and exchanges of a bus. */
export async function removeAll(bus: Bus): Promise<void> {
  const { queues, topics } = bus.describe().topology;
  await raw(async (channel) => {
    for (const each of [...queues, ...topics]) {
      const name = each.slice(each.indexOf(":") + 1);
      await channel.deleteQueue(name);
      await channel.deleteExchange(name);
    }
  });
}

/** The name of a bus' queue at the broker. */
export function queueOf(bus: Bus, endpoint: string): string {
  const address = bus.describe().topology.queues.find((each) => each.endsWith(`-${endpoint}`));
  if (address === undefined) throw new Error(`The bus has no queue "${endpoint}"`);
  return address.slice("queue:".length);
}
