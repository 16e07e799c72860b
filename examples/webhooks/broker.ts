/** Where the demo's messages move: in memory, or over a broker, under names of its own that are taken away in the end. */
import type { Transport } from "@hero/messaging/spi";
import process from "node:process";
import { parseArgs } from "node:util";

/** The choice that was made. */
export interface Broker extends AsyncDisposable {
  readonly name: string;
  /** `undefined`: in memory. */
  readonly transport: Transport | undefined;
  /** Before the names of queues and topics. */
  readonly prefix: string;
}

/**
 * As the command line says: `--transport memory`, which is the default, or `--transport rabbitmq`, with the broker of
 * `RABBITMQ_URL` or that of this machine.
 */
export async function brokerOf(args: readonly string[]): Promise<Broker> {
  const { values } = parseArgs({ args: [...args], options: { transport: { type: "string", default: "memory" } } });
  switch (values.transport) {
    case "memory":
      return { name: "memory", transport: undefined, prefix: "", [Symbol.asyncDispose]: () => Promise.resolve() };
    case "rabbitmq":
      return await overRabbitmq(process.env["RABBITMQ_URL"] ?? "amqp://guest:guest@127.0.0.1:5672");
    default:
      throw new Error(`There is no transport "${values.transport}" in this demo: give memory or rabbitmq`);
  }
}

/** Over RabbitMQ at `url`. A run that is cut short leaves exchanges, and queues that go away after ten minutes. */
export async function overRabbitmq(url: string): Promise<Broker> {
  const { rabbitmq } = await import("@hero/messaging/rabbitmq"); // so that a demo in memory loads no client
  const transport = rabbitmq({ url, queue: { arguments: { "x-expires": 600_000 } } });
  const prefix = `demo-${crypto.randomUUID().slice(0, 8)}-`;
  const made = new Set<string>();
  const deploy = transport.deploy.bind(transport);
  transport.deploy = (topology, mode) => {
    for (const { name } of [...topology.queues, ...topology.topics]) made.add(name);
    return deploy(topology, mode);
  };
  return {
    name: "rabbitmq",
    transport,
    prefix,
    [Symbol.asyncDispose]: async () => {
      const { connect } = await import("amqplib");
      const connection = await connect(url);
      const channel = await connection.createChannel();
      for (const name of made) {
        await channel.deleteQueue(name);
        await channel.deleteExchange(name);
      }
      await connection.close();
    },
  };
}
