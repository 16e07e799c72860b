/** The transport on RabbitMQ. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { HeroError } from "../../src/errors/hero_error.ts";
import { ClosedError } from "../../src/errors/transport.ts";
import type {
  Capabilities,
  Change,
  DeployMode,
  Host,
  Outgoing,
  Receiver,
  Sink,
  Source,
  Topology,
} from "../../src/spi/transport.ts";
import { RabbitAdmin } from "./admin.ts";
import { loadClient } from "./client.ts";
import type { RabbitmqCounts, RabbitmqTransport } from "./counts.ts";
import { bounded } from "./connection.ts";
import { declareUnsorted } from "./dead_letters.ts";
import { DeadSorting, unsortedSource } from "./dead_sorting.ts";
import { DirectReplies } from "./direct_replies.ts";
import { toTyped, transportName } from "./errors.ts";
import type { Settings } from "./options.ts";
import { PartitionedReceiver } from "./partitioned_receiver.ts";
import type { RabbitmqQueueOptions } from "./queue_options.ts";
import { RabbitReceiver } from "./receiver.ts";
import type { ReceiverOptions, ReceiverServices } from "./receiver_options.ts";
import { sourceServices } from "./source.ts";
import { Standing } from "./standing.ts";
import type { Taker } from "./taker.ts";
import { Wiring } from "./wiring.ts";

/** The client's own buffer for headers has 64 KiB, and they must fit one frame: all of them and the properties. */
const clientHeaderBytes = 2 ** 16;

/** One bus' end of a broker. */
export class RabbitTransport implements RabbitmqTransport {
  readonly name: string = transportName;
  readonly capabilities: Capabilities;
  readonly admin: RabbitAdmin;
  readonly #settings: Settings;
  readonly #receivers = new Set<RabbitReceiver>();
  readonly #direct = new Set<DirectReplies>();
  readonly #partitioned = new Set<PartitionedReceiver>();
  readonly #takers = new Set<Taker>();
  readonly #standing = new Standing();
  #host: Host | undefined;
  /** Once it is open. */
  #parts: Wiring | undefined;
  #closing: Promise<void> | undefined;
  /** Ends an `open` that waits. */
  #giveUp: ((reason: Error) => void) | undefined;
  /** Taking from {@linkcode unsortedQueue}, once a queue needs it. */
  #sorting: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.capabilities = {
      claim: "connection",
      order: "queue",
      delay: { maxMs: Number.MAX_SAFE_INTEGER, cancel: false },
      expiry: true,
      mandatory: true,
      hierarchy: true,
      priorities: 256, // above its highest a queue counts each as that
      maxFrameBytes: settings.maxMessageBytes,
      maxHeaderBytes: Math.min(clientHeaderBytes, settings.frameMaxBytes) / 2,
    };
    this.admin = new RabbitAdmin((doing) => {
      const { consuming, outbox, deployments } = this.#open(doing);
      return {
        connection: consuming,
        copies: outbox,
        clock: this.#hostOf().clock,
        takers: this.#takers,
        queuesOf: (queue: string) => deployments.queuesOf(queue),
      };
    });
  }

  get counts(): RabbitmqCounts {
    const { consuming, publishing, sender } = this.#parts ?? {};
    const receivers = [...this.#receivers];
    return {
      connections: Number(consuming?.ready ?? false) + Number(publishing?.ready ?? false),
      reconnects: (consuming?.reconnects ?? 0) + (publishing?.reconnects ?? 0),
      blocked: this.#standing.blocked,
      unconfirmed: sender?.unconfirmed ?? 0,
      waiting: (sender?.outstanding ?? 0) - (sender?.unconfirmed ?? 0),
      inFlight: receivers.reduce((sum, { unsettled }) => sum + unsettled, 0),
      channels: (consuming?.channels ?? 0) + (publishing?.channels ?? 0),
      receivers: receivers.length,
      consumersWanted: receivers.filter(({ wanting }) => wanting).length,
      consumers: receivers.filter(({ consuming }) => consuming).length,
    };
  }

  async open(host: Host): Promise<void> {
    if (this.#closing !== undefined) throw new ClosedError(`the transport "${transportName}"`);
    if (this.#host !== undefined) {
      throw new ConfigurationError(
        `Cannot open a RabbitMQ transport for the bus "${host.bus}": it is that of "${this.#host.bus}". ` +
          `Give each bus one of its own`,
      );
    }
    host.signal.throwIfAborted();
    this.#host = host;
    const client = await loadClient();
    host.signal.throwIfAborted();
    const connected = Promise.withResolvers<void>();
    const parts = new Wiring(client, this.#settings, host, {
      receivers: this.#receivers,
      consumingUp: () => {
        for (const receiver of this.#receivers) receiver.kick();
        for (const replies of this.#direct) replies.kick();
      },
      up: () => {
        connected.resolve();
        if (this.#parts !== undefined) this.#tell();
      },
      down: (cause) => {
        // What this process may not do, it may not do later either.
        if (this.#parts === undefined && cause instanceof ConfigurationError) giveUp(cause);
        this.#standing.cause = cause;
        this.#tell();
      },
      blocked: (reason) => {
        if (this.#standing.blocked === reason) return;
        this.#standing.blocked = reason;
        this.#parts?.sender.block(reason !== undefined);
        this.#tell();
      },
    });
    const giveUp = (reason: unknown) => {
      void parts.close(0);
      connected.reject(reason);
    };
    const abort = () => giveUp(host.signal.reason);
    host.signal.addEventListener("abort", abort, { once: true });
    this.#giveUp = giveUp;
    if (this.#closing !== undefined) giveUp(this.#failure("open"));
    else parts.start();
    try {
      await connected.promise;
    } finally {
      host.signal.removeEventListener("abort", abort);
    }
    this.#parts = parts;
    parts.watch.start();
    this.#tell();
  }

  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    const { deployments, delays } = this.#open("deploy");
    try {
      const changes = await deployments.deploy(topology, mode);
      const made = new Set(changes.filter(({ kind }) => kind === "create").map(({ entity }) => entity));
      if (mode === "apply") await delays.restore(deployments.addresses.filter((each) => made.has(each)));
      return changes;
    } catch (error) {
      throw error instanceof HeroError ? error : toTyped(error, "the topology", "deploy");
    }
  }

  send(batch: readonly Outgoing[]): void | Promise<void> {
    if (this.#parts !== undefined && this.#closing === undefined) return this.#parts.outbox.send(batch);
    for (const outgoing of batch) outgoing.settled(this.#failure("send"));
  }

  async receive(source: Source, sink: Sink): Promise<Receiver> {
    const { consuming, deployments } = this.#open(`receive from "${source.queue}"`);
    if (source.lifetime === "reply" && source.topics.length === 0 && this.#settings.replies === "direct") {
      const replies = new DirectReplies(consuming, sink, source.credit, () => this.#direct.delete(replies));
      this.#direct.add(replies);
      try {
        await replies.start();
      } catch (error) {
        await replies.stop();
        throw error instanceof HeroError ? error : toTyped(error, `queue:${source.queue}`, "receive from");
      }
      return replies;
    }
    const { options, services, partitions } = this.#services(source, this.#settings.queue);
    if (deployments.unsorted(source.queue)) await (this.#sorting ??= this.#sort());
    if (partitions === undefined) return await this.#receive(sink, services, options);
    const receiver: PartitionedReceiver = new PartitionedReceiver(source.queue, partitions, source.credit, {
      host: this.#hostOf(),
      connection: consuming,
      open: (queue, credit) => this.#receive(sink, services, { ...options, queue, credit, ordered: true }),
      ended: () => this.#partitioned.delete(receiver),
    });
    this.#partitioned.add(receiver);
    try {
      await receiver.start();
    } catch (error) {
      await receiver.stop();
      throw error instanceof HeroError ? error : toTyped(error, receiver.address, "receive from");
    }
    return receiver;
  }

  #services(source: Source, defaults: RabbitmqQueueOptions): ReturnType<typeof sourceServices> {
    const { consuming: connection, outbox, delays, deployments } = this.#open(`receive from "${source.queue}"`);
    const { consumerTimeoutInMs } = this.#settings;
    return sourceServices(source, {
      host: this.#hostOf(),
      connection,
      outbox,
      delays,
      deployments,
      defaults,
      consumerTimeoutInMs,
    });
  }

  /** Takes what queues gave up of which no exchange can tell why. */
  async #sort(): Promise<void> {
    const { options, services } = this.#services(unsortedSource, {});
    const sorting: DeadSorting = new DeadSorting(this.#hostOf().clock, (cause) => this.#troubled(sorting, cause));
    try {
      sorting.begin(await this.#receive(sorting, { ...services, declare: declareUnsorted }, options));
    } catch (error) {
      this.#sorting = undefined;
      throw error;
    }
  }

  async #receive(
    sink: Sink,
    services: Omit<ReceiverServices, "ended" | "troubled">,
    options: ReceiverOptions,
  ): Promise<RabbitReceiver> {
    const receiver: RabbitReceiver = new RabbitReceiver(sink, {
      ...services,
      ended: () => {
        this.#receivers.delete(receiver);
        this.#standing.troubled(receiver, undefined);
      },
      troubled: (cause) => this.#troubled(receiver, cause),
    }, options);
    this.#receivers.add(receiver);
    try {
      await receiver.start();
    } catch (error) {
      receiver.close();
      throw error;
    }
    return receiver;
  }

  close(deadline: number): Promise<void> {
    return this.#closing ??= this.#close(deadline);
  }

  async #close(deadline: number): Promise<void> {
    const parts = this.#parts;
    const host = this.#host;
    if (parts === undefined || host === undefined) {
      this.#giveUp?.(new ClosedError(`the transport "${transportName}"`));
      return;
    }
    parts.watch.stop();
    this.admin.close();
    for (const each of [...this.#partitioned, ...this.#direct]) void each.stop();
    const receivers = [...this.#receivers];
    const stopped = Promise.all(receivers.map((receiver) => receiver.stop()));
    await bounded(host, deadline, Promise.all([stopped, parts.outbox.drained()]));
    for (const receiver of receivers) receiver.close();
    for (const taker of [...this.#takers]) taker.close();
    parts.sender.close();
    await parts.close(deadline);
  }

  #troubled(who: object, cause: Error | undefined): void {
    if (this.#standing.troubled(who, cause)) this.#tell();
  }

  /** Says how it is. */
  #tell(): void {
    if (this.#closing === undefined) this.#host?.status(this.#standing.status(this.#parts?.ready === true));
  }

  #open(doing: string): Wiring {
    if (this.#parts === undefined || this.#closing !== undefined) throw this.#failure(doing);
    return this.#parts;
  }

  #hostOf(): Host {
    if (this.#host === undefined) throw this.#failure("ask");
    return this.#host;
  }

  #failure(doing: string): Error {
    return this.#closing === undefined
      ? new ConfigurationError(`Cannot ${doing}: the RabbitMQ transport is not open. Start its bus first`)
      : new ClosedError(`the transport "${transportName}"`);
  }
}
