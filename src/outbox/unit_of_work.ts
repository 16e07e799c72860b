/** A unit of work of a store. @module */
import { TransactionEndedError } from "../errors/store.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import type { OutgoingMessage } from "../pipeline/outgoing_message.ts";
import type { OpenUnit } from "../pipeline/unit.ts";
import type { Changes, InboxKey, OutboxRow, SagaHistoryRow, SagaRow } from "../spi/rows.ts";
import type { InUnit, Store, Unit } from "../spi/store.ts";
import type { Enlistment, Receiver } from "../spi/transport.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import { none } from "../values/none.ts";
import { resolved } from "../values/resolved.ts";
import { Enlisted } from "./enlisted.ts";
import { SagaChanges } from "./saga_changes.ts";
import type { UnitOwner } from "./unit_owner.ts";
import { checkUnitSize } from "./unit_size.ts";

/** How many instances are read at once. */
const pageSize = 500;

/**
 * What a handler does in one attempt, made true by one commit: its inbox records, what it wrote with `ctx.tx`, what it
 * sent and scheduled.
 */
export class UnitOfWork implements OpenUnit {
  readonly #owner: UnitOwner;
  readonly #store: Store<unknown>;
  readonly #unit: Unit<unknown>;
  // Each of these is made when it is first needed: few units have more than one or two of them.
  #messages: OutgoingMessage[] | undefined;
  #rows: OutboxRow[] | undefined;
  #schedules: Changes["schedules"][number][] | undefined;
  #sagas: SagaChanges | undefined;
  #prepared: Promise<void>[] | undefined;
  #sending: Set<Promise<unknown>> | undefined;
  readonly #inbox: readonly InboxKey[];
  readonly #whole: UnitOfWork | undefined;
  readonly #receiver: Receiver | undefined;
  #settling: Consumption[] | undefined;
  #enlistment: Enlistment | undefined | "unknown" = "unknown";
  #told: (() => void)[] | undefined;
  /** How often the units of the same attempt before it have met another. */
  conflicts = 0;
  /** When it began, if that is known. */
  begunAt: number | undefined;
  #opened = false;
  #ended = false;

  /**
   * @param inbox what it is about
   * @param receiver of what it is about
   * @param whole of which it is a member's part
   */
  constructor(
    owner: UnitOwner,
    unit: Unit<unknown>,
    inbox: readonly InboxKey[],
    receiver?: Receiver,
    whole?: UnitOfWork,
  ) {
    this.#owner = owner;
    this.#store = owner.store;
    this.#unit = unit;
    this.#inbox = inbox;
    this.#receiver = receiver;
    this.#whole = whole;
  }

  get holds(): true {
    return true;
  }
  get keeps(): true {
    return true;
  }
  /** Which of the messages that it is about were handled before. */
  get duplicates(): readonly boolean[] {
    return this.#unit.duplicates;
  }
  /** As {@linkcode Unit.refusal}. */
  get refusal(): Error | undefined {
    return this.#unit.refusal;
  }
  /** Whether the store keeps the very rows of instances that it is given. */
  get keepsRows(): boolean {
    return this.#store.capabilities.keepsRows === true;
  }
  get opened(): boolean {
    return this.#opened || this.#whole?.opened === true;
  }
  get tx(): unknown {
    this.#open();
    return this.#unit.tx;
  }
  get own(): InUnit["~unit"] {
    this.#open();
    return { store: this.#store, unit: this.#unit };
  }
  #open(): void {
    this.#check();
    this.#opened = true;
    if (this.#whole !== undefined) this.#whole.#opened = true;
  }
  #check(): void {
    if (this.#ended) throw new TransactionEndedError(this.#store.name);
  }

  track<Result>(sending: Promise<Result>): Promise<Result> {
    if (sending === resolved) return sending;
    const all = this.#sending ??= new Set();
    all.add(sending);
    // Another promise for the sender: that somebody waits here must not hide that nobody waits there.
    return sending.finally(() => all.delete(sending));
  }

  /** @throws {TransactionEndedError} once the unit has ended */
  enqueue(message: OutgoingMessage): void {
    this.#check();
    (this.#messages ??= []).push(message);
  }
  /**
   * Has a message made into what leaves; `then` follows at once, or before the commit.
   *
   * @throws {TransactionEndedError} once the unit has ended
   */
  prepare(message: OutgoingMessage, then: () => void): void {
    this.#check();
    const transforming = this.#owner.transform(message);
    if (transforming === undefined) then();
    else {
      const prepared = transforming.then(then);
      prepared.catch(() => {}); // the commit rejects with it
      (this.#prepared ??= []).push(prepared);
    }
  }
  /**
   * A row that is none of a handler's messages.
   *
   * @throws {TransactionEndedError} once the unit has ended
   */
  add(row: OutboxRow): void {
    this.#check();
    (this.#rows ??= []).push(row);
  }
  /**
   * Puts a schedule, or takes one back.
   *
   * @throws {TransactionEndedError} once the unit has ended
   */
  schedule(change: Changes["schedules"][number]): void {
    this.#check();
    (this.#schedules ??= []).push(change);
  }

  /**
   * Settles one of the messages that it is about by the commit, as its outcome says; false: the broker is elsewhere, and
   * hears of it afterwards.
   *
   * @throws {TransactionEndedError} once the unit has ended
   */
  settle(consumption: Consumption): boolean {
    this.#check();
    if (this.#receiver === undefined || this.#enlist() === undefined) return false;
    (this.#settling ??= []).push(consumption);
    return true;
  }
  #enlist(): Enlistment | undefined {
    if (this.#whole !== undefined) return this.#whole.#enlist();
    if (this.#enlistment === "unknown") this.#enlistment = this.#owner.enlist(this.#unit, this.#receiver);
    return this.#enlistment;
  }

  /**
   * An instance of a saga, as the unit has left it so far.
   *
   * @param lock whether others are held off until the unit ends, where the store can
   */
  load(saga: string, id: string, lock: boolean): Awaitable<SagaRow | undefined> {
    const change = this.#sagas?.of(saga, id);
    if (change !== undefined) return change.after;
    const unit = this.#unit;
    return lock || unit.loadNow === undefined ? unit.load(saga, id, lock) : unit.loadNow(saga, id);
  }
  /** A row that was found before, as the unit has left it since; `undefined`: it is gone. */
  left(row: SagaRow): SagaRow | undefined {
    const change = this.#sagas?.of(row.saga, row.id);
    return change === undefined ? row : change.after;
  }
  /** All instances that have these values in their indexes in the store, in order of their ids. */
  async find(saga: string, where: Readonly<Record<string, string>>): Promise<readonly SagaRow[]> {
    const found: SagaRow[] = [];
    for (;;) {
      const page = await this.#unit.find(saga, where, found.at(-1)?.id, pageSize);
      found.push(...page);
      if (page.length < pageSize) return found;
    }
  }
  /**
   * Writes an instance of a saga, makes it, or removes it.
   *
   * @param happened to be kept in its history
   * @throws {TransactionEndedError} once the unit has ended
   */
  save(before: SagaRow | undefined, after: SagaRow | undefined, happened: readonly SagaHistoryRow[] = []): void {
    this.#check();
    (this.#sagas ??= new SagaChanges()).save(before, after, happened);
  }

  /** Has something told once all of it is true, and not at all if it never is. */
  onCommitted(tell: () => void): void {
    (this.#told ??= []).push(tell);
  }

  /** Leaves out one of the messages that it is about: it has not had its effect. */
  async exclude(member: number): Promise<void> {
    const failed = new Error("It fails alone");
    await this.#unit.savepoint(member, () => Promise.reject(failed)).catch((thrown) => {
      if (thrown !== failed) throw thrown;
    });
  }

  /**
   * Does one message's part on a savepoint: if `work` rejects, what it wrote is undone, what it sent is dropped, and the
   * unit goes on without it. One after the other.
   *
   * @param member its place among those that the unit is about
   */
  async part(member: number, work: (part: UnitOfWork) => Promise<void>): Promise<void> {
    const part = new UnitOfWork(this.#owner, this.#unit, [], this.#receiver, this);
    try {
      await this.#unit.savepoint(member, async () => {
        await work(part);
        await part.#finish();
      });
    } finally {
      part.#ended = true;
    }
    this.#messages = joined(this.#messages, part.#messages);
    this.#rows = joined(this.#rows, part.#rows);
    this.#schedules = joined(this.#schedules, part.#schedules);
    this.#settling = joined(this.#settling, part.#settling);
    this.#told = joined(this.#told, part.#told);
    if (part.#sagas !== undefined) (this.#sagas ??= new SagaChanges()).add(part.#sagas);
  }

  /** Nothing can be added from then on, not even by a handler that was not waited for. */
  async #finish(): Promise<void> {
    while (this.#sending !== undefined && this.#sending.size > 0) await Promise.allSettled(this.#sending);
    if (this.#prepared !== undefined) await Promise.all(this.#prepared);
    this.#ended = true;
  }

  /**
   * Makes all of it true, and sends what is due. Nothing can be added from then on.
   *
   * @param atOnce with no promise, if that is possible: for who has made sure that its signal has not aborted
   * @throws {ConflictError}, {@linkcode DuplicateError} or {@linkcode OutcomeUnknownError}, as `Unit.commit` says
   * @throws {UnitTooLargeError} if it is more than the store takes at once
   * @throws {ClaimLostError} if it settles a message that is no longer this process'; {@linkcode UnroutableError} and
   * other refusals, if it sends: where broker and store are one
   */
  commit(atOnce = false): Awaitable<void> {
    // What it has sent may still have to be made into what leaves.
    const waits = this.#sending ?? this.#prepared ?? this.#messages ?? this.#settling;
    if (!atOnce || waits !== undefined || this.#unit.commitNow === undefined) return this.#commit();
    this.#ended = true;
    const changes = this.#changes(this.#rows ?? none);
    let leased;
    try {
      leased = this.#unit.commitNow(changes);
    } catch (error) {
      this.#owner.failed(error);
      throw error;
    }
    this.#owner.committed(changes.outbox, leased, none, this.begunAt);
    this.#tell();
  }

  #changes(outbox: readonly OutboxRow[]): Changes {
    const changes: Changes = { sagas: this.#sagas?.all ?? none, outbox, schedules: this.#schedules ?? none };
    checkUnitSize(this.#store, this.#inbox.length, changes);
    return changes;
  }
  #tell(): void {
    if (this.#told !== undefined) { for (const tell of this.#told) tell(); }
  }

  async #commit(): Promise<void> {
    if (this.#prepared === undefined && (this.#sending?.size ?? 0) === 0) this.#ended = true;
    else await this.#finish();
    const enlistment = this.#messages === undefined && this.#settling === undefined ? undefined : this.#enlist();
    const enlisted = enlistment === undefined ? undefined : await this.#enlisted(enlistment);
    const own = this.#messages ?? none;
    const messages = enlisted === undefined ? own : own.filter((each) => !enlisted.has(each));
    const made = this.#owner.rowsOf(messages);
    const rows = isPromise(made) ? await made : made;
    const outbox = this.#rows === undefined ? rows : [...rows, ...this.#rows];
    const changes = this.#changes(outbox);
    const { heldSince } = this.#unit;
    let leased;
    try {
      leased = await this.#unit.commit(changes);
    } catch (error) {
      this.#owner.failed(error);
      throw error;
    } finally {
      if (heldSince !== undefined) this.#owner.ended(this.#inbox, heldSince);
    }
    enlisted?.committed((message) => this.#owner.sent(message));
    this.#owner.committed(outbox, leased, messages, undefined);
    this.#tell();
  }

  /** Puts into the store's transaction what the broker would be told afterwards, where that is possible. */
  async #enlisted(enlistment: Enlistment): Promise<Enlisted> {
    // What only the store keeps until it is due stays a row of it.
    const messages = (this.#messages ?? none).filter((each) => this.#owner.carries(each));
    for (const message of messages) await this.#owner.transform(message);
    const enlisted = new Enlisted(enlistment, messages, this.#settling ?? none);
    await enlisted.write();
    return enlisted;
  }

  /** Undoes all of it. Never rejects. */
  async rollback(): Promise<void> {
    this.#ended = true;
    const { heldSince } = this.#unit;
    await this.#unit.rollback();
    if (heldSince !== undefined) this.#owner.ended(this.#inbox, heldSince);
  }
}

/** Two lists as one: the first of them, if there is one. */
function joined<Item>(list: Item[] | undefined, more: readonly Item[] | undefined): Item[] | undefined {
  if (more === undefined) return list;
  if (list === undefined) return [...more];
  list.push(...more);
  return list;
}
