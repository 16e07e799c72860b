/** The broker that `deno task services` has started, and what tests leave on it. */
import { connect } from "amqplib";
import process from "node:process";
import type { Topology, Transport } from "../../../src/spi/transport.ts";
import { rabbitmq, type RabbitmqOptions, type RabbitmqTransport } from "../../../transports/rabbitmq/mod.ts";
import { eventually, type TestClock } from "../../conformance/test_clock.ts";
import { listens, usualPort } from "../../support/servers/rabbitmq.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";

/** The broker itself. */
export const url = `amqp://127.0.0.1:${usualPort}`;

/** Why tests that need the broker are skipped; `undefined`: they are not. */
export const skip: string | undefined = await listens(usualPort)
  ? undefined
  : `no RabbitMQ on 127.0.0.1:${usualPort}; start it with: deno task services`;
if (skip !== undefined && process.env["HERO_SERVICES"] === "required") {
  throw new Error(`RabbitMQ must be there, and is not: nothing listens on 127.0.0.1:${usualPort}`);
}

/** As in `4.3.6`; that of no broker is empty. */
const version: string = skip === undefined ? await versionThere() : "";

/** Whether the broker is of a version, or a later one. */
export function isSince(major: number, minor: number): boolean {
  const [itsMajor = 0, itsMinor = 0] = version.split(".").map(Number);
  return itsMajor > major || (itsMajor === major && itsMinor >= minor);
}

/** As {@linkcode skip}, of tests of what only later versions do. */
export function skipBefore(major: number, minor: number): string | undefined {
  return skip ?? (isSince(major, minor) ? undefined : `RabbitMQ ${version} does not do so; ${major}.${minor} does`);
}

async function versionThere(): Promise<string> {
  const connection = await connect(url);
  try {
    const { serverProperties } = connection.connection as { readonly serverProperties: { readonly version?: unknown } };
    return String(serverProperties.version);
  } finally {
    await connection.close();
  }
}

/** Some transports, each on a wire of its own, and the entities that they make. */
export class RabbitmqBench implements AsyncDisposable {
  readonly #wires = new Map<Transport, TcpProxy>();
  readonly #proxies: TcpProxy[] = [];
  readonly #names = new Set<string>();

  /** Makes a transport, not opened, on a free wire. Call {@linkcode prepare} before. */
  connect(options: RabbitmqOptions = {}): RabbitmqTransport {
    const proxy = this.#proxies.pop();
    if (proxy === undefined) throw new Error("Prepare more wires");
    const transport = rabbitmq({ url: `amqp://127.0.0.1:${proxy.port}`, heartbeat: "60s", ...options });
    this.#wires.set(transport, proxy);
    const deploy = transport.deploy.bind(transport);
    transport.deploy = (topology, mode) => {
      this.owns(topology);
      return deploy(topology, mode);
    };
    return transport;
  }

  /** Lays wires for so many transports. */
  async prepare(transports: number): Promise<void> {
    for (let count = 0; count < transports; count++) this.#proxies.push(await TcpProxy.to(usualPort));
  }

  /** Ends what a transport has at the broker, for ever, as the death of its process would; it knows when this is over. */
  async kill(transport: Transport, clock: TestClock): Promise<void> {
    await this.wire(transport).refuse();
    const made = transport as RabbitmqTransport; // by `connect`
    await eventually(clock, "the loss of both connections", () => made.counts.connections === 0);
  }

  /** The wire of a transport. */
  wire(transport: Transport): TcpProxy {
    const proxy = this.#wires.get(transport);
    if (proxy === undefined) throw new Error("This transport is not the bench's");
    return proxy;
  }

  /** Takes these away in the end. */
  owns({ queues, topics }: Topology): void {
    for (const { name } of [...queues, ...topics]) this.#names.add(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of [...this.#wires.values(), ...this.#proxies]) await proxy[Symbol.asyncDispose]();
    if (this.#names.size === 0) return;
    await raw(async (channel) => {
      for (const name of this.#names) {
        if (name.startsWith("amq.")) continue; // the broker's own: nobody may take it away
        await channel.deleteQueue(name);
        await channel.deleteExchange(name);
      }
    });
  }
}

/** A client of the broker that knows nothing of this library. */
export type RawChannel = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>["createConfirmChannel"]>>;

/** Opens a channel for one thing. */
export async function raw<Result>(use: (channel: RawChannel) => Promise<Result>): Promise<Result> {
  const connection = await connect(url, { noDelay: true });
  try {
    return await use(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}
