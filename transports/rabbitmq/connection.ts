/** One connection that comes back. @module */
import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import { DisconnectedError } from "../../src/errors/transport.ts";
import type { Host } from "../../src/spi/transport.ts";
import { type Backoff, exponentialBackoff } from "../../src/values/backoff.ts";
import type { Client } from "./client.ts";
import { dial } from "./dialling.ts";
import { codeOf, codes, textOf, transportName } from "./errors.ts";
import type { Settings } from "./options.ts";
import { readQuickly, takeWhole } from "./reader.ts";
import { ChannelWire } from "./wire.ts";

/** Whoever uses a connection. */
export interface ConnectionOwner {
  /** It is there. Awaited before anybody is told; what it rejects with ends the connection. */
  prepare(connection: Connection): Promise<void>;
  /** It is there, and prepared. */
  up(): void;
  /** It is gone, or could not be had. */
  down(cause: Error): void;
  /** The broker takes no messages (a memory or disk alarm), or takes them again. */
  blocked(reason: string | undefined): void;
}

/** A connection that has lived that long may come back at once. */
const settledInMs = 5_000;
const backoff: Backoff = exponentialBackoff({ min: "100ms", max: "30s", jitter: 0.3 });

/** One connection to one node at a time, reconnected for ever until it is closed. */
export class Connection {
  readonly #client: Client;
  readonly #settings: Settings;
  readonly #host: Host;
  readonly #purpose: string;
  readonly #owner: ConnectionOwner;
  readonly #channels = new Set<Channel>();
  #model: ChannelModel | undefined;
  #ready = false;
  #attempts = 0;
  #turn = 0;
  readonly #closing = new AbortController();
  #endWait: () => void = () => {};
  #reconnects = -1;

  /** @param purpose beside the name of the bus, as in `publish` */
  constructor(client: Client, settings: Settings, host: Host, purpose: string, owner: ConnectionOwner) {
    this.#client = client;
    this.#settings = settings;
    this.#host = host;
    this.#purpose = purpose;
    this.#owner = owner;
  }

  /** Whether it is there and prepared. */
  get ready(): boolean {
    return this.#ready;
  }

  /** As in `3.10.8`: of the node that it is to; `undefined`: there is none, or it does not say. */
  get version(): string | undefined {
    const version: unknown = (this.#model as (ChannelModel & Wired) | undefined)?.connection.serverProperties
      ?.["version"];
    return typeof version === "string" ? version : undefined;
  }

  /** How often it came back. */
  get reconnects(): number {
    return Math.max(0, this.#reconnects);
  }

  /** Connects, and again whenever it is lost. */
  start(): void {
    void this.#run();
  }

  /** How many channels it has. */
  get channels(): number {
    return this.#channels.size;
  }

  /** A new channel. Its errors end it alone, and never the process. */
  async channel(): Promise<Channel> {
    const channel = this.#tame(await this.#open("open a channel").createChannel());
    ChannelWire.take(channel);
    takeWhole(channel);
    return channel;
  }

  /** A new channel whose messages are confirmed, and a quicker way to publish on it, if the client lets it. */
  async confirmChannel(): Promise<{ readonly channel: ConfirmChannel; readonly wire: ChannelWire | undefined }> {
    const channel = this.#tame(await this.#open("open a channel").createConfirmChannel());
    return { channel, wire: ChannelWire.take(channel) };
  }

  /** Whether the broker has a type of exchange: asked on a connection of its own, which the answer may end. */
  async knows(type: string, args: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const model = await this.#connect();
    let reason: unknown;
    model.on("error", (error: Error) => reason = error);
    try {
      const channel = await model.createChannel();
      channel.on("error", () => {}); // told by what is rejected
      const name = `hero.probe.${type}`;
      await channel.assertExchange(name, type, { durable: false, autoDelete: true, arguments: args });
      await channel.deleteExchange(name);
      return true;
    } catch (error) {
      // Up to 3.13 that ends the connection, and the call rejects for that; from 4.0 on it ends the channel alone.
      if ([reason, error].some((each) => textOf(each).includes("unknown exchange type"))) return false;
      throw error;
    } finally {
      cut(model);
    }
  }

  /** Whether the broker has a queue, as far as it tells. */
  async has(queue: string): Promise<boolean> {
    try {
      await this.with((channel) => channel.checkQueue(queue));
      return true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error; // the connection is gone
      return codeOf(error) !== codes.notFound;
    }
  }

  /** Opens a channel for one thing. */
  async with<Result>(use: (channel: Channel) => Promise<Result>): Promise<Result> {
    const channel = await this.channel();
    try {
      return await use(channel);
    } finally {
      void channel.close().catch(() => {}); // the broker may have closed it already
    }
  }

  /** Says good-bye until `deadline` (epoch milliseconds), then cuts. */
  async close(deadline: number): Promise<void> {
    if (this.#closed) return;
    this.#closing.abort();
    this.#ready = false;
    this.#endWait();
    const model = this.#model;
    if (model === undefined) return;
    await bounded(this.#host, deadline, model.close().catch(() => {}));
    cut(model);
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  #open(doing: string): ChannelModel {
    if (this.#model === undefined) throw new DisconnectedError(transportName, doing);
    return this.#model;
  }

  /** An error that nobody listens to would end the process. What it means, `close` and rejected calls tell. */
  #tame<Kind extends Channel>(channel: Kind): Kind {
    this.#channels.add(channel);
    channel.on("error", () => {});
    channel.on("close", () => this.#channels.delete(channel));
    return channel;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      let cause: Error;
      try {
        cause = await this.#live();
      } catch (thrown) {
        cause = thrown instanceof Error ? thrown : new Error(String(thrown));
      }
      if (this.#closed) return;
      this.#owner.down(cause);
      // At once after a long life; what fails again and again is not tried in a hurry.
      const wait = this.#attempts === 0 ? 0 : backoff(this.#attempts - 1);
      this.#attempts++;
      if (wait > 0) await this.#wait(wait);
    }
  }

  /** One life: resolves with why it ended, rejects if it did not begin. */
  async #live(): Promise<Error> {
    const model = await this.#connect();
    readQuickly(model);
    const { promise: lost, resolve } = Promise.withResolvers<Error>();
    model.on("error", () => {}); // `close` follows
    model.on("close", (error?: Error) => {
      if (this.#model === model) this.#model = undefined;
      if (this.#model === undefined) this.#ready = false;
      resolve(error ?? new Error("The connection was closed"));
    });
    model.on("blocked", (reason: string) => this.#owner.blocked(reason));
    model.on("unblocked", () => this.#owner.blocked(undefined));
    if (this.#closed) {
      cut(model);
      return new Error("It is closed");
    }
    this.#model = model;
    const since = this.#host.clock.now();
    try {
      await Promise.race([this.#owner.prepare(this), lost]);
      if (this.#model === model && !this.#closed) {
        this.#reconnects++;
        this.#ready = true;
        this.#owner.up();
      }
      return await lost;
    } finally {
      this.#model = undefined;
      this.#ready = false;
      cut(model);
      if (this.#host.clock.now() - since >= settledInMs) this.#attempts = 0;
    }
  }

  #connect(): Promise<ChannelModel> {
    const { nodes } = this.#settings;
    const node = nodes[this.#turn++ % nodes.length] ?? nodes[0];
    return dial(node, {
      client: this.#client,
      settings: this.#settings,
      clock: this.#host.clock,
      name: `${this.#settings.connectionName ?? this.#host.bus} (${this.#purpose})`,
      signal: this.#closing.signal,
    });
  }

  #wait(ms: number): Promise<void> {
    const { clock } = this.#host;
    return new Promise((resolve) => {
      const cancel = clock.at(clock.now() + ms, resolve);
      this.#endWait = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** Resolves with the promise, or at `deadline` (epoch milliseconds). */
export function bounded(host: Host, deadline: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = host.clock.at(deadline, resolve);
    void promise.then(() => {
      cancel();
      resolve();
    });
  });
}

/** What the client keeps to itself. */
interface Wired {
  readonly connection: {
    readonly stream?: { destroy?(error: Error): void };
    readonly heartbeater?: { clear?(): void };
    readonly serverProperties?: Readonly<Record<string, unknown>>;
  };
}

/**
 * Half-open sockets never end by themselves. The client has no call for it. It hears of it by the error, and then ends
 * its heartbeats, which would keep the process alive, and what waits for an answer, which would wait for ever.
 */
function cut(model: ChannelModel): void {
  const { connection } = model as ChannelModel & Wired;
  connection.heartbeater?.clear?.();
  connection.stream?.destroy?.(new Error("The connection was cut"));
}
