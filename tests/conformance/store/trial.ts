/** One run of one case: its names, its stores, and the end of all of it. */
import { assertEquals } from "@std/assert";
import type { Frame, FrameHeaders } from "../../../src/spi/frame.ts";
import type { Changes, InboxKey, OutboxRow, SagaRow, ScheduleRow } from "../../../src/spi/rows.ts";
import type { Leased, Scope, Store, StoreCapabilities, Unit } from "../../../src/spi/store.ts";
import type { Host } from "../../../src/spi/transport.ts";
import type { TestClock } from "../test_clock.ts";

/** A handler's own table, for what is written with `tx`. */
export interface OwnTable {
  /** Makes it, if it is not there. */
  create(): Promise<void>;
  /** Adds a row, in the unit's transaction. */
  add(tx: unknown, text: string): Promise<void>;
  /** All rows as the transaction sees them. */
  within(tx: unknown): Promise<readonly string[]>;
  /** All rows that are committed, in order of the text. */
  all(): Promise<readonly string[]>;
}

/** A database, as the suite needs it. Disposing takes away all that has been made on it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly clock: TestClock;
  /** Makes a store on the database, as this process would. */
  connect(): Store<unknown>;
  /** Makes one as another process would. Left out: the cases that need it do not apply. */
  elsewhere?(): Store<unknown>;
  /** Where `tx` can write. Left out: the cases that need it do not apply. */
  readonly own?: OwnTable;
}

/** What a case may be asked before it runs: false, and it does not apply. */
export type Applies = (has: StoreCapabilities, under: StoreUnderTest) => boolean;

/** A claim about any store. */
export interface StoreCase {
  readonly name: string;
  readonly applies?: Applies;
  /** Begins on a database that has no tables yet. */
  readonly bare?: true;
  run(trial: Trial): Promise<void>;
}

const encoder = new TextEncoder();
const never = new AbortController().signal;

/** A message of a text. */
export function frame(text: string, headers: FrameHeaders = {}): Frame {
  return { contentType: "text/plain", headers, body: encoder.encode(text) };
}
/** The messages' ids. */
export function ids(rows: readonly Leased<OutboxRow>[]): readonly string[] {
  return rows.map(({ row }) => row.id);
}
/** All of a unit's changes, where only some are given. */
export function changes(some: Partial<Changes>): Changes {
  return { sagas: [], outbox: [], schedules: [], ...some };
}

/** What a case works with. */
export class Trial {
  readonly store: Store<unknown>;
  readonly under: StoreUnderTest;
  readonly clock: TestClock;
  /** The bus whose rows these are, unless another is said. */
  readonly bus: string;
  readonly #opened: Store<unknown>[] = [];
  readonly #prefix: string;
  #names = 0;

  private constructor(under: StoreUnderTest, prefix: string) {
    this.under = under;
    this.clock = under.clock;
    this.#prefix = prefix;
    this.bus = this.name("bus");
    this.store = under.connect();
  }

  static async run(under: StoreUnderTest, prefix: string, each: StoreCase): Promise<void> {
    const trial = new Trial(under, prefix);
    if (each.applies?.(trial.store.capabilities, under) === false) return;
    await trial.open(trial.store);
    if (each.bare !== true) await trial.store.deploy("apply");
    try {
      await each.run(trial);
    } finally {
      for (const store of trial.#opened) await store.close();
    }
    await trial.clock.pass(0);
    assertEquals(trial.clock.pending ?? 0, 0, "Timers are left after close");
  }

  /** A name of this case's own. */
  name(of: string): string {
    return `${this.#prefix}${of}${++this.#names}`;
  }

  host(signal: AbortSignal = never): Host {
    return { bus: this.bus, clock: this.clock, signal, status: () => {} };
  }

  /** Opens a store, another of this process if none is given, and closes it at the end. */
  async open(store: Store<unknown> = this.under.connect()): Promise<Store<unknown>> {
    await store.open(this.host());
    this.#opened.push(store);
    return store;
  }

  /** Opens a store as another process would. */
  elsewhere(): Promise<Store<unknown>> {
    return this.open(this.under.elsewhere?.());
  }

  /** An inbox key. */
  key(messageId: string = this.name("message"), endpoint = "endpoint"): InboxKey {
    return { endpoint, messageId, keepUntil: this.clock.now() + 60_000 };
  }

  /** Begins a unit. */
  begin(
    scope: Partial<Scope> = {},
    store: Store<unknown> = this.store,
  ): Promise<Unit<unknown>> {
    return store.begin({ bus: this.bus, partition: this.name("partition"), inbox: [], signal: never, ...scope });
  }

  /** Begins a unit and commits it. */
  async commit(
    some: Partial<Changes> = {},
    scope: Partial<Scope> = {},
    store: Store<unknown> = this.store,
  ): Promise<readonly Leased<OutboxRow>[]> {
    const unit = await this.begin(scope, store);
    return await unit.commit(changes(some));
  }

  /** Commits, and lets the leases of what it gave back run out, as if the process had died. */
  async abandon(some: Partial<Changes>, scope: Partial<Scope> = {}): Promise<void> {
    await this.commit(some, { leaseMs: 1, ...scope });
    await this.clock.pass(2);
  }

  /** A row of the outbox that is due now. */
  row(row: Partial<OutboxRow> = {}): OutboxRow {
    return {
      id: row.id ?? this.name("row"),
      group: this.name("group"),
      key: undefined,
      to: "queue:orders",
      frame: frame("text"),
      dueAt: 0,
      expiresAt: undefined,
      ...row,
    };
  }

  /** A row of the schedules. */
  schedule(row: Partial<ScheduleRow> = {}): ScheduleRow {
    return { ...this.row(row), token: row.token ?? this.name("token") };
  }

  /** A saga's first row. */
  saga(row: Partial<SagaRow> = {}): SagaRow {
    return {
      saga: "order",
      id: row.id ?? this.name("saga"),
      incarnation: this.name("incarnation"),
      version: 1,
      schema: 1,
      state: "placed",
      data: encoder.encode("{}"),
      types: undefined,
      index: {},
      ...row,
    };
  }

  /** Loads a saga in a unit of its own. */
  async load(row: Pick<SagaRow, "saga" | "id">, store: Store<unknown> = this.store): Promise<SagaRow | undefined> {
    const unit = await this.begin({}, store);
    try {
      return await unit.load(row.saga, row.id, false);
    } finally {
      await unit.rollback();
    }
  }

  /** Claims, and gives the ids. */
  async claim(limit = 100, leaseMs = 60_000, store: Store<unknown> = this.store): Promise<readonly string[]> {
    return ids(await store.outbox.claim(this.bus, limit, leaseMs));
  }

  /** Lets time pass until a promise settles: where stores get in each other's way, they wait. */
  async settled<Result>(promise: Promise<Result>): Promise<Result> {
    let pending = true;
    const settle = (): void => void (pending = false);
    promise.then(settle, settle);
    await this.clock.pass(0);
    for (let waited = 0; pending && waited < 20_000; waited++) await this.clock.pass(1);
    return await promise;
  }

  /** Whether a promise is still pending once all that is ready has gone on. */
  async pending(promise: Promise<unknown>): Promise<boolean> {
    let settled = false;
    const settle = (): void => void (settled = true);
    promise.then(settle, settle);
    await this.clock.pass(0);
    return !settled;
  }
}
