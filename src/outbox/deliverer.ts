/** Sends what units of work have left to be sent. @module */
import type { Registry } from "../contracts/registry.ts";
import { ClosedError } from "../errors/transport.ts";
import { StoppedError } from "../errors/lifecycle.ts";
import { toError } from "../errors/thrown.ts";
import { MissedScheduleError } from "../errors/sending.ts";
import type { OutgoingMessage, SendTarget } from "../pipeline/outgoing_message.ts";
import type { Clock } from "../spi/clock.ts";
import type { OutboxRow } from "../spi/rows.ts";
import type { Due, Leased, Postponed } from "../spi/store.ts";
import type { Backlog, BacklogActivity, Telemetry } from "../spi/telemetry.ts";
import { type Backoff, exponentialBackoff } from "../values/backoff.ts";
import type { Random } from "../values/random.ts";
import { BacklogWatch } from "./backlog_watch.ts";
import { DueLoop } from "./due_loop.ts";
import { Reports } from "./reports.ts";
import { isOutage, isRefused } from "./send_failures.ts";
import { latestTimeOf, messageOf } from "./stored_message.ts";
import { type Chain, nameOf, type Send, type SendBatch, UnderWay } from "./under_way.ts";

/** How long a row is this process' own. */
export const leaseInMs = 30_000;
const rowsAtOnce = 1000;
/** How often a row is tried whose fate nobody knows. */
const mostAttempts = 20;

/** What a deliverer needs. */
export interface DelivererOptions<in out Row extends OutboxRow> {
  readonly bus: string;
  readonly of: BacklogActivity["of"];
  readonly due: Due<Row>;
  /** Its waits hold up no delivery. */
  readonly clock: Clock;
  readonly random: Random;
  readonly registry: Registry;
  /** The transport: frames leave as they are. */
  readonly target: SendTarget;
  readonly pollInMs: number;
  readonly telemetry: Telemetry | undefined;
  /** Told of what is not sent, as it would come too late. Must not throw. */
  readonly dropped: (message: OutgoingMessage, error: Error) => void;
  /** Called whenever there is nothing to do. Must not throw. */
  readonly rest: () => void;
}

/**
 * Sends rows of a store: those that this process has committed at once, and all others as they become due. A row is
 * gone when the broker has its message; one that fails waits longer and longer, and is parked if trying again is
 * useless. Of one key, one is under way at a time.
 */
export class Deliverer<in out Row extends OutboxRow> {
  readonly #with: DelivererOptions<Row>;
  readonly #loop: DueLoop<Row>;
  readonly #backoff: Backoff;
  /** Rows that have been claimed and are neither sent nor put off. */
  #sending = 0;
  /** Of rows for which no other waits: a store may take its time with them. */
  readonly #sentFree: Reports<Row>;
  readonly #others: Reports<Row>;
  #room: PromiseWithResolvers<void> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #behind = false;
  readonly #watch: BacklogWatch;
  readonly #underWay = new UnderWay<Row>();

  constructor(options: DelivererOptions<Row>) {
    this.#with = options;
    const { bus, of, due, clock, random, pollInMs, telemetry } = options;
    this.#watch = new BacklogWatch({ bus, of, due, clock, telemetry });
    const told = (failed: readonly Postponed<Row>[]) => {
      // What is parked shows in health at once.
      if (failed.some(({ park }) => park)) this.#watch.forget();
      // Also while there is so much that the loop never waits.
      this.#watch.look();
    };
    const rest = () => {
      this.#checkIdle();
      if (this.#behind && this.#others.size === 0) this.#catchUp();
    };
    this.#sentFree = new Reports({ due, clock, told, rest });
    this.#others = new Reports({ due, clock, told, rest });
    this.#backoff = exponentialBackoff({ min: "1s", max: "5m" }, random);
    this.#loop = new DueLoop({
      bus,
      due,
      clock,
      random,
      pollInMs,
      limit: rowsAtOnce,
      leaseMs: leaseInMs,
      take: (rows, until) => this.#take(rows, until),
      // While the broker keeps up. Behind rows with keys there are more of theirs, which would have to wait.
      ahead: (rows) => this.#sending === 0 && rows.every(({ row }) => row.key === undefined),
      idle: () => {
        this.#watch.look();
        options.rest();
      },
    });
  }

  /** Rows that this process has, and has not told the store about. */
  get busy(): number {
    return this.#sending + this.#others.size + this.#sentFree.size;
  }
  /** What waits. */
  get backlog(): Backlog {
    return this.#watch.backlog;
  }
  /** Why the store could not be asked last time. */
  get error(): Error | undefined {
    return this.#loop.error;
  }

  /** Begins to look for rows that are due. */
  start(): void {
    this.#loop.start();
  }

  /**
   * Sends what this process has just committed.
   *
   * @param made the messages by id, where they are still there
   * @param all how many rows were due: those that were not given to this process wait for others of their key
   */
  committed(rows: readonly Leased<Row>[], made: ReadonlyMap<string, OutgoingMessage>, all: number): void {
    if (rows.length < all) this.#behind = true;
    if (rows.length > 0) this.#send(rows, Infinity, made);
    else if (this.#behind && this.#sending + this.#others.size === 0) this.#catchUp();
  }

  async #take(rows: readonly Leased<Row>[], until: number): Promise<void> {
    this.#send(rows, until, undefined);
    if (this.#sending <= rowsAtOnce / 2) return;
    this.#room ??= Promise.withResolvers<void>();
    await this.#room.promise;
  }

  #send(rows: readonly Leased<Row>[], until: number, made: ReadonlyMap<string, OutgoingMessage> | undefined): void {
    this.#sending += rows.length;
    const batch = this.#underWay.begin(rows);
    let chains: Map<string, Leased<Row>[]> | undefined;
    for (const leased of rows) {
      const { key, id } = leased.row;
      if (key === undefined) {
        this.#sendOne(batch, leased, Math.min(until, leased.until), made?.get(id));
        continue;
      }
      chains ??= new Map();
      const chain = chains.get(key);
      if (chain === undefined) chains.set(key, [leased]);
      else chain.push(leased);
    }
    if (chains === undefined) return;
    for (const rest of chains.values()) this.#sendInOrder(batch, { rest, until }, made);
  }

  async #sendInOrder(
    batch: SendBatch<Row>,
    chain: Chain<Row>,
    made: ReadonlyMap<string, OutgoingMessage> | undefined,
  ): Promise<void> {
    for (let leased = chain.rest.shift(); leased !== undefined; leased = chain.rest.shift()) {
      const { id } = leased.row;
      const parked = await this.#sendOne(batch, leased, Math.min(chain.until, leased.until), made?.get(id), chain);
      if (parked !== false) continue;
      for (const later of chain.rest) {
        this.#over(batch);
        this.#postpone(later, this.#with.clock.now(), `It waits for "${id}", which has its key`, false, false);
      }
      return;
    }
  }

  /** Gives, when that is known, whether the next of its key may go: it does not pass one that is tried again. */
  async #sendOne(
    batch: SendBatch<Row>,
    leased: Leased<Row>,
    until: number,
    made: OutgoingMessage | undefined,
    chain?: Chain<Row>,
  ): Promise<boolean> {
    const { clock, registry, target } = this.#with;
    let send: Send<Row> | undefined;
    try {
      // Another process may have it by now.
      if (clock.now() >= until) return false;
      const before = batch.again?.get(nameOf(leased.row));
      if (before?.over === false) {
        const followers = chain?.rest.length ?? 0;
        this.#sending += before.renew(leased, chain);
        for (let left = followers; left > 0; left--) this.#over(batch);
        return true;
      }
      let message = before?.message;
      if (message === undefined) {
        if (leased.unreadable !== undefined) throw leased.unreadable;
        message = made ?? messageOf(leased.row, registry);
        const tooLate = this.#tooLate(leased.row, message);
        if (tooLate !== undefined) return this.#drop(leased, message, tooLate);
        send = batch.begin(leased, message, chain);
        target.enqueue(message);
      }
      await message.done;
      if (send !== undefined) this.#watch.sent();
      this.#gone(send?.leased ?? leased);
      return true;
    } catch (thrown) {
      return this.#fail(send?.leased ?? leased, toError(thrown));
    } finally {
      if (send !== undefined) send.over = true;
      this.#over(batch);
    }
  }

  #drop(leased: Leased<Row>, message: OutgoingMessage, tooLate: Error): true {
    this.#with.dropped(message, tooLate);
    this.#watch.dropped();
    this.#gone(leased);
    return true;
  }
  #gone(leased: Leased<Row>): void {
    (leased.row.key === undefined ? this.#sentFree : this.#others).sent(leased);
  }

  #tooLate(row: OutboxRow, { definition: { name } }: OutgoingMessage): Error | undefined {
    if (this.#with.of !== "schedules") return undefined;
    const lateInMs = this.#with.clock.now() - (latestTimeOf(row) ?? Infinity);
    return lateInMs > 0 ? new MissedScheduleError(name, row.id, lateInMs) : undefined;
  }

  #over(batch: SendBatch<Row>): void {
    this.#underWay.over(batch);
    this.#sending--;
    this.#checkIdle();
    if (this.#sending > rowsAtOnce / 2 || this.#room === undefined) return;
    this.#room.resolve();
    this.#room = undefined;
  }

  #checkIdle(): void {
    if (this.busy > 0 || this.#idle === undefined) return;
    this.#idle.resolve();
    this.#idle = undefined;
  }

  #fail(leased: Leased<Row>, error: Error): boolean {
    // The bus stops: whoever has the row next sends it.
    const stopped = error instanceof StoppedError || error instanceof ClosedError;
    const outage = isOutage(error);
    const park = isRefused(error) || (!outage && leased.attempts + 1 >= mostAttempts);
    // What is not counted is seen by its fence, which grows with each lease and with each failure.
    const tries = outage ? Math.max(leased.attempts, Math.floor((leased.fence - 1) / 2)) : leased.attempts;
    const wait = stopped ? 0 : this.#backoff(tries);
    this.#postpone(leased, this.#with.clock.now() + wait, `${error.name}: ${error.message}`, park, !outage);
    return park;
  }

  #postpone(leased: Leased<Row>, dueAt: number, error: string, park: boolean, counts: boolean): void {
    this.#others.failed({ leased, dueAt, error: error.toWellFormed().replaceAll("\0", "\ufffd"), park, counts });
  }

  #catchUp(): void {
    this.#behind = false;
    this.#loop.wake();
  }

  /** Asks the store how much waits. */
  look(): void {
    this.#watch.forget();
    this.#watch.look();
  }

  /** Takes no more; resolves when the store knows of all that has been sent. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    while (this.busy > 0) {
      this.#idle ??= Promise.withResolvers<void>();
      await this.#idle.promise;
    }
    this.#watch.stop();
  }
}
