/** The streams of one bus. @module */
import type { Contract } from "../contracts/contract.ts";
import { type Consumer, consumer } from "../pipeline/consumer.ts";
import { checkSignal } from "../values/abortable.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { Connection } from "./bus.ts";
import type { BusLife } from "./bus_life.ts";
import type { EndpointOptions } from "./endpoint_options.ts";
import { type MessageStream, messageStream, streamCredit } from "./stream.ts";

const optionNames: OptionNames<{ readonly signal?: AbortSignal }> = { signal: true };

/** Opens streams, each on an endpoint of its own that only this process has. */
export class BusStreams {
  readonly #bus: string;
  readonly #life: BusLife;
  readonly #connect: (source: Consumer, options: EndpointOptions) => Promise<Connection>;
  #count = 0;
  /** Those that are being opened. */
  readonly #opening = new Set<Promise<void>>();

  /** @param connect as the bus does it while it runs */
  constructor(
    bus: string,
    life: BusLife,
    connect: (source: Consumer, options: EndpointOptions) => Promise<Connection>,
  ) {
    this.#bus = bus;
    this.#life = life;
    this.#connect = connect;
  }

  /** @throws {ConfigurationError} for an option that there is not */
  open<Out>(
    contract: Contract<never, Out, unknown>,
    options: { readonly signal?: AbortSignal },
  ): MessageStream<Out> {
    checkOptionNames(options, optionNames, `stream() on "${this.#bus}"`);
    const { signal } = options;
    checkSignal(signal, `stream() on "${this.#bus}"`);
    const name = `${this.#bus}-stream-${++this.#count}`;
    let connection: Connection | undefined;
    const stream = messageStream<Out>({
      open: async (handle, ended) => {
        await this.#life.started(ended);
        const source = consumer(contract, (message, ctx) => handle(message, ctx.signal) as never, { name });
        connection = await this.#connect(source, {
          queue: "instance",
          concurrency: streamCredit,
          prefetch: streamCredit,
          publishFaults: false,
          keepFailed: false,
        });
      },
      close: async () => await connection?.disconnect({ deadline: 0 }),
    }, { signal, stopping: this.#life.stopping });
    const opened = stream.opened.catch(() => {}).finally(() => this.#opening.delete(opened));
    this.#opening.add(opened);
    return stream;
  }

  /** Resolves when those that were asked for are open, or could not be. */
  async opened(): Promise<void> {
    await Promise.all(this.#opening);
  }
}
