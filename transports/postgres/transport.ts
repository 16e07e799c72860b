/** The transport in a database. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { ClosedError, TopologyError } from "../../src/errors/transport.ts";
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
import type { Lease } from "./lease.ts";
import { Migrations } from "../../stores/postgres/migrations.ts";
import type { Names } from "../../stores/postgres/names.ts";
import type { SqlSession } from "../../stores/postgres/sql_client.ts";
import type { PostgresStore } from "../../stores/postgres/store.ts";
import { PostgresAdmin } from "./admin.ts";
import { PostgresEnlistment } from "./enlistment.ts";
import { maxFrameBytes, maxHeaderBytes } from "./flight.ts";
import { nowhere, priorities } from "./message.ts";
import { Messages } from "./messages.ts";
import { queues } from "./migrations/0001_queues.ts";
import { Notices } from "./notices.ts";
import { addOwnQueue } from "./own_queue.ts";
import type { Taking } from "./offers.ts";
import { PostgresReceiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import type { Services } from "./services.ts";
import { Sweeping } from "./sweeping.ts";
import { Entities, type Queue, refuse, transportName } from "./topology.ts";
import { sessionOf, transact } from "./transacting.ts";
import { Usual } from "./usual.ts";

/** What a transport is made with, checked. */
export interface Settings {
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly maxUnsent: number;
  /** Whether the application gave it the store. */
  readonly given: boolean;
}

/** What lives while it is open. */
interface Open {
  readonly host: Host;
  readonly services: Services;
  /** What units send and accept at once. */
  readonly usual: Usual;
  readonly sender: Sender;
  readonly notices: Notices;
  readonly sweeping: Sweeping;
}

/** One bus' end of queues in a database. */
export class PostgresTransport<Tx> implements Transport {
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
  readonly #store: PostgresStore<Tx>;
  readonly #settings: Settings;
  readonly #entities: Entities;
  readonly #messages: Messages;
  readonly #migrations: Migrations;
  readonly #receivers = new Set<PostgresReceiver>();
  /** Ends of waits. */
  readonly #pauses = new Set<() => void>();
  #open: Open | undefined;
  #opened = false;
  #closing: Promise<void> | undefined;
  #healthy = true;
  readonly #silent = new Set<Taking>();

  /**
   * @param store whose connections and transactions it shares
   * @param names of the queues' tables
   */
  constructor(store: PostgresStore<Tx>, names: Names, settings: Settings) {
    this.#store = store;
    this.#settings = settings;
    this.#entities = new Entities(names);
    this.#messages = new Messages(names);
    this.#migrations = new Migrations(names, [queues]);
    this.admin = new PostgresAdmin((doing) => this.#check(doing).services, this.#receivers);
  }

  async open(host: Host): Promise<void> {
    if (this.#closing !== undefined) throw closed();
    if (this.#opened) {
      throw new ConfigurationError(
        `Cannot open a PostgreSQL transport for the bus "${host.bus}": it is open. Give each bus one of its own`,
      );
    }
    if (this.#settings.given && this.#store.isTwinOf(host.store)) {
      throw new ConfigurationError(
        `Cannot open a PostgreSQL transport for the bus "${host.bus}": it was given another value of the store than the ` +
          "bus, so that what a handler writes and what it sends would be no single transaction. Give both the same: " +
          "const store = postgres(…); createBus({ store, transport: postgresTransport(store) })",
      );
    }
    this.#opened = true;
    try {
      await this.#store.open(host);
    } catch (error) {
      this.#opened = false;
      throw error;
    }
    if (this.#closing !== undefined) {
      await this.#store.close();
      throw closed();
    }
    const { session } = this.#store;
    const notices = new Notices(session, this.#store.names.channel, (queue, at) => {
      for (const receiver of [...this.#receivers]) {
        if (queue === undefined || queue === nowhere || receiver.queue.id === queue) receiver.expect(at);
      }
    });
    const services: Services = {
      database: session.database,
      entities: this.#entities,
      messages: this.#messages,
      receivers: this.#receivers,
      giving: new Set(),
      silent: this.#silent,
      leaseMs: this.#settings.leaseMs,
      pollMs: this.#settings.pollMs,
      announce: (news) => notices.announce(news),
      failed: (error) => this.#failed(error),
      worked: () => this.#worked(),
      pause: (ms) => this.#pause(ms),
    };
    const sender = new Sender(services, this.#settings.maxUnsent);
    const sweeping = new Sweeping(services);
    this.#open = { host, services, usual: new Usual(services), sender, notices, sweeping };
    sweeping.start();
  }

  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    const { services: { database } } = this.#check("deploy");
    for (const { extensions } of [...topology.queues, ...topology.topics]) refuse(extensions);
    const session = sessionOf(database);
    const missing = await this.#migrations.plan(session);
    const there = !missing.some(({ kind }) => kind === "create");
    const never = (): Promise<void> => Promise.resolve();
    const plan = [...missing, ...await this.#entities.deploy(there ? session : undefined, topology, false, never)];
    if (mode !== "apply" || !plan.some(({ kind }) => kind === "create")) return plan;
    return await transact(database, async (connection) => {
      const migrated = await this.#migrations.apply(connection);
      await this.#entities.lock(connection);
      const order = (queue: Queue): Promise<void> => this.#order(connection, queue);
      return [...migrated, ...await this.#entities.deploy(connection, topology, true, order)];
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
    const receiver = new PostgresReceiver(services, queue, source, sink, this.#receivers);
    receiver.start();
    return receiver;
  }

  async cancel(receipt: string): Promise<boolean> {
    const { services: { database } } = this.#check("cancel what is due later");
    const place = Number(receipt);
    return Number.isSafeInteger(place) && await this.#messages.cancel(database, place);
  }

  enlist(tx: unknown, receiver: Receiver | undefined): Enlistment | undefined {
    const { services, usual } = this.#check("join a transaction");
    const unit = this.#store.unitOf(tx);
    if (unit === undefined) return undefined;
    if (receiver === undefined) return new PostgresEnlistment(services, unit, undefined, usual);
    if (!(receiver instanceof PostgresReceiver) || !receiver.isOf(services)) return undefined;
    return new PostgresEnlistment(services, unit, receiver, usual);
  }

  close(deadline: number): Promise<void> {
    return this.#closing ??= this.#close(deadline);
  }

  async #close(deadline: number): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    await undefined; // from here on it counts as closing
    const { services: { database, messages, giving }, sender, notices, sweeping } = open;
    const receivers = [...this.#receivers];
    const swept = sweeping.close();
    await this.#within(deadline, [sender.flush(), ...receivers.map((receiver) => receiver.flush())]);
    sender.close();
    const reason = closed();
    const leases = (abandoned: boolean): readonly Lease[] =>
      receivers.filter((receiver) => receiver.abandoned === abandoned).flatMap((receiver) => receiver.close(reason));
    const [held, gone] = [leases(false), leases(true)];
    for (const end of [...this.#pauses]) end();
    await this.#within(deadline, [
      swept,
      ...receivers.map((receiver) => receiver.flush()),
      ...giving,
      held.length === 0 ? undefined : messages.release(database, held, true),
      gone.length === 0 ? undefined : messages.drop(database, gone),
    ]);
    notices.close();
    this.#receivers.clear();
    this.#open = undefined;
    await this.#store.close();
  }

  /** Waits for all, and not beyond the deadline. What fails has been told to whom it concerns. */
  async #within(deadline: number, all: readonly (Promise<unknown> | undefined)[]): Promise<void> {
    const { clock } = this.#store.session.database;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.at(Math.max(deadline, clock.now()), resolve);
    await Promise.race([Promise.allSettled(all), promise]);
    cancel();
  }

  async #queueOf(source: Source, services: Services): Promise<Queue> {
    const { queue: name, lifetime, ordered, topics } = source;
    if (lifetime !== "durable") return await addOwnQueue(services, { name, lifetime, ordered, topics });
    const { database } = services;
    const find = async (session: SqlSession): Promise<Queue> => {
      const queue = await this.#entities.queue(session, name);
      if (queue === undefined) throw TopologyError.missing(`queue:${name}`);
      return queue;
    };
    const found = await find(sessionOf(database));
    if (!ordered || found.ordered) return found;
    return await transact(database, async (session) => {
      await this.#entities.lock(session);
      const queue = await find(session);
      if (!queue.ordered) await this.#order(session, queue);
      return { ...queue, ordered: true };
    });
  }

  /** From now on the order of a queue's keys counts: all but the first of each are behind. */
  async #order(session: SqlSession, queue: Queue): Promise<void> {
    const { sql } = this.#messages;
    // Whoever writes has seen the queue as it was; the next ones see it as it is.
    await session.query(sql.lockTable);
    await this.#entities.makeOrdered(session, queue);
    await session.query(sql.lineUp, [String(queue.id)]);
    await session.query(sql.lineUpFirsts, [String(queue.id)]);
  }

  #failed(error: unknown): void {
    this.#healthy = false;
    this.#open?.host.status({ state: "degraded", ...(error instanceof Error ? { cause: error } : {}) });
  }

  #worked(): void {
    if (this.#healthy || this.#silent.size > 0) return;
    this.#healthy = true;
    this.#open?.host.status({ state: "up" });
  }

  #pause(ms: number): Promise<void> {
    if (this.#open === undefined) return Promise.resolve();
    const { clock } = this.#open.services.database;
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
  return new ConfigurationError(`Cannot ${doing}: the PostgreSQL transport is not open. Start its bus first`);
}
