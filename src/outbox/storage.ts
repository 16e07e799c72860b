/** What a bus has of its store. @module */
import { StoppedError } from "../errors/lifecycle.ts";
import { toError } from "../errors/thrown.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { OutgoingMessage, SendTarget } from "../pipeline/outgoing_message.ts";
import { type PluginStatus, ReportedStatus } from "../pipeline/plugin_status.ts";
import { carries } from "../pipeline/send_plan.ts";
import type { InboxKey, MessageKey, OutboxRow, ScheduleRow } from "../spi/rows.ts";
import type { JoinableStore, Leased, Scope, Store, Unit } from "../spi/store.ts";
import type { Backlog } from "../spi/telemetry.ts";
import type { Capabilities, Enlistment, Receiver, Transport } from "../spi/transport.ts";
import { Deliverer, leaseInMs } from "./deliverer.ts";
import { StoreTrouble } from "./store_trouble.ts";
import { rowOf } from "./stored_message.ts";
import { Sweeper } from "./sweeper.ts";
import { UnitOfWork } from "./unit_of_work.ts";
import type { UnitOwner } from "./unit_owner.ts";

const pollPushedMs = 30_000;
const pollMs = 1000;
/** For so long a unit may keep all others from writing. */
const heldTooLongMs = 100;

/** What a storage needs. */
export interface StorageOptions {
  readonly store: Store<unknown>;
  /** The application has given it: it is there for all that the bus does, and not for a unit of work alone. */
  readonly given: boolean;
  /** Whether it is asked now and then, though it has not said that there is anything. */
  readonly polled: boolean;
  readonly services: () => BusServices;
  readonly capabilities: Capabilities;
  /** The transport: frames leave as they are. */
  readonly target: SendTarget;
  /** Where the transport lives in a store's database: its end of a transaction. */
  readonly enlist: Transport["enlist"];
  /** Told of messages that the broker has by a commit, and of those that are not sent, as they would come too late. */
  readonly told: (message: OutgoingMessage, error: Error | undefined) => void;
}

/** What a bus has of its store: begins units of work, and delivers what they leave. */
export class Storage implements UnitOwner {
  readonly store: Store<unknown>;
  readonly given: boolean;
  readonly trouble: StoreTrouble;
  readonly #with: StorageOptions;
  readonly #ending = new AbortController();
  #deliverers: { readonly outbox: Deliverer<OutboxRow>; readonly schedules: Deliverer<ScheduleRow> } | undefined;
  #opening: Promise<void> | undefined;
  #status: ReportedStatus | undefined;
  #committing = 0;
  readonly #sweeper: Sweeper;

  constructor(options: StorageOptions) {
    this.store = options.store;
    this.given = options.given;
    this.#with = options;
    this.trouble = new StoreTrouble(options.store, options.services);
    this.#sweeper = new Sweeper(options.store, options.services);
  }

  /** The name of the bus, whose rows are its own. */
  get bus(): string {
    return this.#with.services().bus;
  }
  /** Asks anew how much waits: an operator has changed it. */
  look(): void {
    this.#deliverers?.outbox.look();
    this.#deliverers?.schedules.look();
  }
  /** Whether it has been opened, or is being opened. */
  get opened(): boolean {
    return this.#opening !== undefined;
  }
  /** How the store is, as it last said. */
  get status(): PluginStatus {
    return this.#status?.now ?? { state: "down" };
  }
  /** Messages that are being written, or are on their way from the store to the broker. */
  get sending(): number {
    const { outbox, schedules } = this.#deliverers ?? {};
    return this.#committing + (outbox?.busy ?? 0) + (schedules?.busy ?? 0);
  }
  /** What waits, as of a moment ago. */
  get backlogs(): readonly (readonly [name: "outbox" | "schedules", backlog: Backlog, error: Error | undefined])[] {
    if (this.#deliverers === undefined) return [];
    const { outbox, schedules } = this.#deliverers;
    return [["outbox", outbox.backlog, outbox.error], ["schedules", schedules.backlog, schedules.error]];
  }

  /** Connects; once. */
  open(): Promise<void> {
    const { clock, bus, observers } = this.#with.services();
    if (this.#opening !== undefined) return this.#opening;
    const status = this.#status = new ReportedStatus(`store ${this.store.name}`, observers);
    this.#opening = this.store.open({
      bus,
      clock: clock.background ?? clock,
      signal: this.#ending.signal,
      status: (now) => status.report(now),
    }).then(() => status.opened());
    return this.#opening;
  }

  /** Begins to deliver what is due. Twice is once. */
  start(): void {
    const { services, target, polled, told: dropped } = this.#with;
    const { bus, clock, random, registry, telemetry } = services();
    const shared = {
      bus,
      clock: clock.background ?? clock,
      random,
      registry,
      target,
      dropped,
      telemetry,
      pollInMs: polled ? this.store.capabilities.wake === "push" ? pollPushedMs : pollMs : Infinity,
    };
    this.#deliverers ??= {
      outbox: new Deliverer({ ...shared, of: "outbox", due: this.store.outbox, rest: () => this.#sweeper.sweep() }),
      schedules: new Deliverer({ ...shared, of: "schedules", due: this.store.schedules, rest: () => {} }),
    };
    this.#deliverers.outbox.start();
    this.#deliverers.schedules.start();
  }

  /**
   * Begins a unit of work.
   *
   * @param receiver of what it is about
   */
  async begin(scope: Scope, receiver?: Receiver): Promise<UnitOfWork> {
    return new UnitOfWork(this, await this.store.begin(scope), scope.inbox, receiver);
  }

  /**
   * The same, with no promise; `undefined`: it has to be waited for.
   *
   * @param scope whose signal has not aborted
   */
  beginNow(scope: Scope, receiver: Receiver | undefined): UnitOfWork | undefined {
    if (this.store.beginNow === undefined) return undefined;
    const unit = this.store.beginNow(scope);
    return unit && new UnitOfWork(this, unit, scope.inbox, receiver);
  }

  /** Units of these messages are likely to begin soon. */
  foresee(messages: readonly MessageKey[]): void {
    this.store.foresee?.(this.bus, messages);
  }

  /** A unit to read with, of which nothing is committed. */
  view(): Promise<Unit<unknown>> {
    return this.store.begin(this.scope(this.#with.services().newId(), []));
  }
  /** A unit within a transaction of the caller's own. */
  join(store: JoinableStore<unknown>, tx: unknown, partition: string): UnitOfWork {
    return new UnitOfWork(this, store.join(tx, this.scope(partition, [])), []);
  }

  /**
   * What a unit is about that ends with no delivery, only with the store.
   *
   * @param partition for stores that keep together what belongs together
   */
  scope(partition: string, inbox: readonly InboxKey[], instances?: Scope["instances"]): Scope {
    const { bus } = this.#with.services();
    return { bus, partition, inbox, instances, signal: this.#ending.signal, leaseMs: leaseInMs };
  }

  /** Writes what belongs to no delivery. */
  async write(partition: string, fill: (unit: UnitOfWork) => void): Promise<void> {
    const unit = await this.begin(this.scope(partition, []));
    fill(unit);
    await unit.commit();
  }

  /** The rows of messages, in their order: as the transport shall get them, but for what a store keeps to itself. */
  rowsOf(messages: readonly OutgoingMessage[]): Promise<readonly OutboxRow[]> | readonly OutboxRow[] {
    if (messages.length === 0) return [];
    const group = this.#with.services().newId();
    if (this.#with.services().transforms.length === 0) return messages.map((message) => this.#row(message, group));
    return this.#transformed(messages, group);
  }

  async #transformed(messages: readonly OutgoingMessage[], group: string): Promise<readonly OutboxRow[]> {
    const rows: OutboxRow[] = [];
    for (const message of messages) {
      await this.#transform(message);
      rows.push(this.#row(message, group));
    }
    return rows;
  }

  transform(message: OutgoingMessage): Promise<void> | undefined {
    return this.#with.services().transforms.length === 0 ? undefined : this.#transform(message);
  }

  async #transform(message: OutgoingMessage): Promise<void> {
    let { frame } = message;
    for (const transform of this.#with.services().transforms) frame = await transform.apply(frame);
    message.reframe(frame);
  }

  enlist(unit: Pick<Unit<unknown>, "tx">, receiver: Receiver | undefined): Enlistment | undefined {
    // Most transports do not: what a handler writes with is then made when a handler asks for it.
    return this.#with.enlist?.(unit.tx, receiver);
  }
  carries({ dueAt }: OutgoingMessage): boolean {
    return dueAt === undefined || carries(this.#with.capabilities, dueAt - this.#with.services().clock.now());
  }
  sent(message: OutgoingMessage): void {
    this.#with.told(message, undefined);
  }

  #row(message: OutgoingMessage, group: string): OutboxRow {
    const { dueAt } = message;
    if (dueAt === undefined) return rowOf(message, { group, dueAt: 0 });
    return this.carries(message)
      ? rowOf(message, { group, dueAt: 0, dueAtBroker: dueAt })
      : rowOf(message, { group, dueAt });
  }

  /** Sends what a commit has left to this process. */
  committed(
    rows: readonly OutboxRow[],
    leased: readonly Leased<OutboxRow>[],
    messages: readonly OutgoingMessage[],
    now: number | undefined,
  ): void {
    this.trouble.over();
    this.#sweeper.sweep(now);
    if (rows.length === 0) return;
    const made = new Map<string, OutgoingMessage>();
    const own = leased.length === rows.length ? undefined : new Set(leased.map(({ row }) => row.id));
    for (const message of messages) {
      // The others are the store's: whoever sent them need not wait any longer.
      if (own?.has(message.messageId) !== false) made.set(message.messageId, message);
      else message.settled();
    }
    for (const { row } of leased) if (row.dueAt !== 0) made.delete(row.id);
    this.#deliverers?.outbox.committed(leased, made, rows.filter(({ dueAt }) => dueAt === 0).length);
  }

  failed(error: unknown): void {
    this.trouble.failed(error);
  }
  ended(inbox: readonly InboxKey[], heldSince: number): void {
    const { clock, observers } = this.#with.services();
    const inMs = clock.now() - heldSince;
    if (inMs <= heldTooLongMs) return;
    const messageIds = inbox.map(({ messageId }) => messageId.slice(0, messageId.lastIndexOf("#")));
    const held = { store: this.store.name, endpoint: inbox[0]?.endpoint, messageIds, inMs };
    observers.tell((observer) => observer.held?.(held));
  }

  /** Where what is due later than the transport can keep it goes, outside of any unit of work. */
  readonly later: SendTarget = {
    holds: false,
    keeps: true,
    enqueue: (message) => this.keep(message, (unit) => unit.enqueue(message), false),
  };

  /**
   * Writes a message in a unit of its own.
   *
   * @param fill puts it there
   * @param transform whether it has to be made into what leaves before
   */
  keep(message: OutgoingMessage, fill: (unit: UnitOfWork) => void, transform = true): void {
    this.#committing++;
    const ready = transform ? this.transform(message) : undefined;
    const written = ready === undefined ? this.#write(message, fill) : ready.then(() => this.#write(message, fill));
    written
      .then(() => message.settled(), (thrown) => message.settled(toError(thrown)))
      .finally(() => this.#committing--);
  }
  #write(message: OutgoingMessage, fill: (unit: UnitOfWork) => void): Promise<void> {
    return this.write(message.messageId, fill);
  }

  /** Delivers no more; resolves when the store knows of all that has been sent. */
  async stop(): Promise<void> {
    const { outbox, schedules } = this.#deliverers ?? {};
    await Promise.all([outbox?.stop(), schedules?.stop()]);
  }

  /** After the last unit. */
  async close(): Promise<void> {
    this.#ending.abort(new StoppedError(this.#with.services().bus, "wait for the store"));
    this.#status?.closed();
    if (this.#opening !== undefined) await this.store.close();
  }
}
