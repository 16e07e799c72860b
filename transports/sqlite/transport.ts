/** The transport in a file. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { ClosedError, TopologyError } from "../../src/errors/transport.ts";
import { lifeOf } from "../../src/leasing/own_queue.ts";
import type {
  Admin,
  Capabilities,
  Change,
  DeployMode,
  Enlistment,
  Host,
  Outgoing,
  Receiver,
  Sink,
  Source,
  Topology,
  Transport,
} from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { Listener } from "../../stores/sqlite/file.ts";
import { Migrations } from "../../stores/sqlite/migrations.ts";
import type { SqliteStore } from "../../stores/sqlite/store.ts";
import { Transaction } from "../../stores/sqlite/transaction.ts";
import { SqliteAdmin } from "./admin.ts";
import { SqliteEnlistment } from "./enlistment.ts";
import { introduce } from "./introducing.ts";
import { nowhere, priorities } from "./message.ts";
import { Messages } from "./messages.ts";
import { News } from "./news.ts";
import { queues } from "./migrations/0001_queues.ts";
import { SqliteReceiver } from "./receiver.ts";
import { maxFrameBytes, maxHeaderBytes, Sender } from "./sender.ts";
import type { Services } from "./services.ts";
import { Sweeping } from "./sweeping.ts";
import { Entities, type Queue, refuse, transportName } from "./topology.ts";
import { Waking } from "./waking.ts";

/** What a transport is made with, checked. */
export interface Settings {
  /** What the names of the tables begin with. */
  readonly prefix: string;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly maxUnsent: number;
}

/** What lives while it is open. */
interface Open {
  readonly host: Host;
  readonly services: Services;
  readonly sender: Sender;
  readonly waking: Waking;
  readonly listener: Listener;
}

/** One bus' end of queues in a file. */
export class SqliteTransport implements Transport {
  readonly name: string = transportName;
  readonly capabilities: Capabilities = {
    claim: "lease",
    order: "key",
    delay: { maxMs: Number.MAX_SAFE_INTEGER, cancel: true },
    expiry: true,
    mandatory: true,
    hierarchy: true,
    priorities,
    maxFrameBytes,
    maxHeaderBytes,
    uncounted: true,
  };
  readonly admin: Admin;
  readonly #store: SqliteStore;
  readonly #settings: Settings;
  readonly #table: string;
  readonly #entities: Entities;
  readonly #messages: Messages;
  readonly #migrations: Migrations;
  readonly #receivers = new Set<SqliteReceiver>();
  /** Ends of waits. */
  readonly #pauses = new Set<() => void>();
  #open: Open | undefined;
  #opened = false;
  #closing: Promise<void> | undefined;
  #healthy = true;

  /** @param store whose file, connections and transactions it shares */
  constructor(store: SqliteStore, settings: Settings) {
    this.#store = store;
    this.#settings = settings;
    this.#table = `${settings.prefix}messages`;
    this.#entities = new Entities(settings.prefix);
    this.#messages = new Messages(settings.prefix, this.#entities);
    this.#migrations = new Migrations(settings.prefix, [queues]);
    this.admin = new SqliteAdmin((doing) => this.#check(doing).services, this.#receivers);
  }

  async open(host: Host): Promise<void> {
    if (this.#closing !== undefined) throw closed();
    if (this.#opened) {
      throw new ConfigurationError(
        `Cannot open a SQLite transport for the bus "${host.bus}": it is open. Give each bus one of its own`,
      );
    }
    this.#opened = true;
    try {
      await this.#store.open({ ...host, status: (now) => this.#stored(host, now) });
    } catch (error) {
      this.#opened = false;
      throw error;
    }
    const { setImmediate } = await import("node:timers");
    if (this.#closing !== undefined) {
      await this.#store.close();
      throw closed();
    }
    const { session } = this.#store;
    const services: Services = {
      session,
      entities: this.#entities,
      messages: this.#messages,
      leaseMs: this.#settings.leaseMs,
      announce: (news) => this.#announce(news),
      failed: (error) => this.#failed(error),
      worked: () => this.#worked(),
      turn: () => new Promise((resolve) => void setImmediate(resolve)),
      pause: (ms) => this.#pause(ms),
    };
    const sweeping = new Sweeping(services);
    const open: Open = {
      host,
      services,
      sender: new Sender(services, this.#settings.maxUnsent, this.#receivers),
      waking: new Waking(session, this.#settings.pollMs, () => {
        for (const receiver of [...this.#receivers]) receiver.wake();
      }, () => sweeping.tick()),
      listener: (table, queue, at) => {
        if (table !== this.#table) return;
        const id = Number(queue);
        for (const receiver of [...this.#receivers]) {
          if (id === nowhere || receiver.queue.id === id) receiver.expect(at);
        }
      },
    };
    this.#open = open;
    session.file.listeners.add(open.listener);
    await open.waking.start();
  }

  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    const { services } = this.#check("deploy");
    const { session } = services;
    const order = (connection: Connection, queue: Queue): void => this.#messages.order(connection, queue);
    if (mode === "apply" && topology.queues.length === 0) {
      return await introduce(topology, services, this.#migrations, () => this.#closing !== undefined);
    }
    if (mode === "apply") {
      return await session.writer.write((connection) => {
        for (const { extensions } of [...topology.queues, ...topology.topics]) refuse(extensions);
        const migrated = this.#migrations.apply(connection);
        return [...migrated, ...this.#entities.deploy(connection, topology, true, order)];
      });
    }
    return await session.read((reader) => {
      const missing = this.#migrations.plan(reader);
      const there = !missing.some(({ kind }) => kind === "create");
      return [...missing, ...this.#entities.deploy(there ? reader : undefined, topology, false, order)];
    });
  }

  send(batch: readonly Outgoing[]): void | Promise<void> {
    if (this.#open !== undefined && this.#closing === undefined) return this.#open.sender.send(batch);
    const error = this.#closing === undefined ? notOpen("send") : closed();
    for (const outgoing of batch) outgoing.settled(error);
  }

  async receive(source: Source, sink: Sink): Promise<Receiver> {
    const doing = `receive from "${source.queue}"`;
    const { services } = this.#check(doing);
    refuse(source.extensions);
    const queue = await this.#queueOf(source, services);
    this.#check(doing); // it may have been closed meanwhile
    const receiver = new SqliteReceiver(services, queue, source, sink, this.#receivers);
    receiver.start();
    return receiver;
  }

  async cancel(receipt: string): Promise<boolean> {
    const { session } = this.#check("cancel what is due later").services;
    const place = Number(receipt);
    if (!Number.isSafeInteger(place)) return false;
    return await session.writer.write((connection) => this.#messages.cancel(connection, place));
  }

  enlist(tx: unknown, receiver: Receiver | undefined): Enlistment | undefined {
    const { services } = this.#check("join a transaction");
    const unit = Transaction.unitOf(tx);
    if (unit === undefined || unit.file !== services.session.file) return undefined;
    if (receiver === undefined) return new SqliteEnlistment(services, unit, undefined);
    if (!(receiver instanceof SqliteReceiver) || !receiver.isOf(services)) return undefined;
    return new SqliteEnlistment(services, unit, receiver);
  }

  close(deadline: number): Promise<void> {
    return this.#closing ??= this.#close(deadline);
  }

  async #close(deadline: number): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    await undefined; // from here on it counts as closing
    const { services: { session, messages }, sender } = open;
    open.waking.close();
    session.file.listeners.delete(open.listener);
    const receivers = [...this.#receivers];
    await this.#within(deadline, [sender.flush(), ...receivers.map((receiver) => receiver.flush())]);
    const reason = closed();
    const held = receivers.map((receiver) => [receiver, receiver.close(reason)] as const);
    for (const end of [...this.#pauses]) end();
    await this.#within(deadline, [
      ...receivers.map((receiver) => receiver.flush()),
      session.writer.write((connection) => {
        const [now, news] = [session.clock.now(), new News()];
        for (const [{ abandoned }, leases] of held) {
          for (const lease of leases) {
            if (abandoned) messages.accept(connection, lease, news, now);
            else messages.release(connection, lease, true, news, now);
          }
        }
      }),
    ]);
    this.#receivers.clear();
    this.#open = undefined;
    await this.#store.close();
  }

  /** Waits for all, and not beyond the deadline. What fails has been told to whom it concerns. */
  async #within(deadline: number, all: readonly Promise<unknown>[]): Promise<void> {
    const { clock } = this.#store.session;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.at(Math.max(deadline, clock.now()), resolve);
    await Promise.race([Promise.allSettled(all), promise]);
    cancel();
  }

  async #queueOf(source: Source, services: Services): Promise<Queue> {
    const { session } = services;
    const { queue: name, lifetime, ordered, topics } = source;
    if (lifetime !== "durable") {
      const until = Math.ceil(session.clock.now() + lifeOf(services));
      const entity = { name, lifetime, ordered, topics };
      return await session.writer.write((connection) => this.#entities.addTemporary(connection, entity, until));
    }
    const found = await session.read((reader) => this.#entities.queue(reader, name));
    if (found === undefined) throw TopologyError.missing(`queue:${name}`);
    if (!ordered || found.ordered) return found;
    return await session.writer.write((connection) => {
      const queue = this.#entities.queue(connection, name);
      if (queue === undefined) throw TopologyError.missing(`queue:${name}`);
      if (!queue.ordered) this.#messages.order(connection, queue);
      return { ...queue, ordered: true };
    });
  }

  #announce(news: News): void {
    const listeners = this.#store.session.file.listeners;
    for (const [queue, at] of news.times) {
      for (const listener of [...listeners]) listener(this.#table, String(queue), at);
    }
  }

  #failed(error: unknown): void {
    this.#healthy = false;
    this.#open?.host.status({ state: "degraded", ...(error instanceof Error ? { cause: error } : {}) });
  }

  /** How the store is: that it goes on again does not say so of what was being tried. */
  #stored(host: Host, now: Parameters<Host["status"]>[0]): void {
    if (now.state !== "up" || this.#healthy) host.status(now);
  }

  #worked(): void {
    if (this.#healthy) return;
    this.#healthy = true;
    this.#open?.host.status({ state: "up" });
  }

  #pause(ms: number): Promise<void> {
    if (this.#open === undefined) return Promise.resolve();
    const { clock } = this.#open.services.session;
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#pauses.delete(end);
        resolve();
      };
      const cancel = clock.at(clock.now() + ms, end);
      this.#pauses.add(end);
    });
  }

  #check(doing: string): Open {
    if (this.#closing !== undefined) throw closed();
    if (this.#open === undefined) throw notOpen(doing);
    return this.#open;
  }
}

function closed(): ClosedError {
  return new ClosedError(`the transport "${transportName}"`);
}

function notOpen(doing: string): ConfigurationError {
  return new ConfigurationError(`Cannot ${doing}: the SQLite transport is not open. Start its bus first`);
}
