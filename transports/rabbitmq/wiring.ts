/** What a transport has once it is open: two connections, and what works on them. @module */
import type { Host } from "../../src/spi/transport.ts";
import type { Client } from "./client.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { askCredentials } from "./credentials.ts";
import { ConsumerWatch } from "./consumer_watch.ts";
import { Delays } from "./delays.ts";
import { type KnownBinding, Management } from "./management.ts";
import type { Settings } from "./options.ts";
import { Outbox } from "./outgoing.ts";
import type { RabbitReceiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { Deployments } from "./topology.ts";

/** Whoever is told how the connections are. */
export interface WiringOwner {
  readonly receivers: ReadonlySet<RabbitReceiver>;
  /** What was consumed is to be consumed again. */
  consumingUp(): void;
  /** Both are there, for the first time or again. */
  up(): void;
  /** One is not, any more or yet. */
  down(cause: Error): void;
  /** The broker takes no messages, or does again. */
  blocked(reason: string | undefined): void;
}

/** Publishes on one connection and does all else on the other: a broker that takes no messages still delivers. */
export class Wiring {
  readonly publishing: Connection;
  readonly consuming: Connection;
  readonly sender: Sender;
  readonly outbox: Outbox;
  readonly delays: Delays;
  readonly deployments: Deployments;
  readonly watch: ConsumerWatch;
  readonly #owner: WiringOwner;
  /** The connection that consumes is there. Made anew when one that has been up is down. */
  #consumingUp = { ...Promise.withResolvers<void>(), isUp: false };

  constructor(client: Client, settings: Settings, host: Host, owner: WiringOwner) {
    this.#owner = owner;
    this.consuming = new Connection(client, settings, host, "consume", this.#consumingOwner());
    this.publishing = new Connection(client, settings, host, "publish", this.#publishingOwner());
    this.deployments = new Deployments(this.consuming, settings.queue, lister(settings, host));
    this.delays = new Delays(this.consuming, settings.delays);
    this.sender = new Sender(this.publishing, host.clock, settings.maxUnconfirmed);
    this.outbox = new Outbox(
      {
        sender: this.sender,
        delays: this.delays,
        clock: host.clock,
        choosesBy: (to) => this.deployments.choosesBy(to),
        ignoresPriority: (to) => this.deployments.ignoresPriority(to),
        remake: (to) => this.deployments.remake(to),
      },
      settings,
    );
    this.watch = new ConsumerWatch(host, settings.checkConsumersEveryInMs, this.consuming, owner.receivers);
  }

  /** Whether both connections are there. */
  get ready(): boolean {
    return this.consuming.ready && this.publishing.ready;
  }

  /** Begins to connect. */
  start(): void {
    this.consuming.start();
    this.publishing.start();
  }

  /** Ends both connections. */
  async close(deadline: number): Promise<void> {
    await Promise.all([this.consuming.close(deadline), this.publishing.close(deadline)]);
  }

  #consumingOwner(): ConnectionOwner {
    const owner = this.#owner;
    return {
      prepare: async () => {
        await this.deployments.again();
        await this.delays.restore(this.deployments.addresses);
      },
      up: () => {
        this.delays.forget();
        owner.consumingUp();
        this.#consumingUp.isUp = true;
        this.#consumingUp.resolve();
        this.#up();
      },
      down: (cause) => {
        // Only one that has been up: who waits for the first time still does.
        if (this.#consumingUp.isUp) this.#consumingUp = { ...Promise.withResolvers<void>(), isUp: false };
        owner.down(cause);
      },
      blocked: (reason) => owner.blocked(reason),
    };
  }

  #publishingOwner(): ConnectionOwner {
    const owner = this.#owner;
    return {
      // What is published needs what the other connection declares again.
      prepare: () => this.consuming.ready ? Promise.resolve() : this.#consumingUp.promise,
      up: () => {
        owner.blocked(undefined);
        this.sender.connected();
        this.#up();
      },
      down: (cause) => owner.down(cause),
      blocked: (reason) => owner.blocked(reason),
    };
  }

  #up(): void {
    if (this.ready) this.#owner.up();
  }
}

/** What lists bindings, where there is a management plugin to ask. */
function lister(
  { management: url, nodes: [{ credentials, vhost }], credentials: ask, connectTimeoutInMs: limitInMs }: Settings,
  { clock, signal }: Host,
): (() => Promise<readonly KnownBinding[]>) | undefined {
  if (url === undefined) return undefined;
  const current = typeof ask === "function"
    ? () => askCredentials({ ask, at: url.host, limitInMs, clock, signal })
    : () => credentials;
  const management = new Management(url, current, clock);
  return () => management.bindings(vhost);
}
