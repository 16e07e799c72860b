/** A store in memory on which things go wrong as a test says. */
import type { Changes, OutboxRow, ScheduleRow } from "../../../src/spi/rows.ts";
import type {
  Due,
  InUnit,
  Leased,
  Postponed,
  SagaRecords,
  Scope,
  Store,
  StoreCapabilities,
  Unit,
} from "../../../src/spi/store.ts";
import { transactionOf } from "../../../src/spi/transaction.ts";
import type { Change, DeployMode, Host } from "../../../src/spi/transport.ts";
import { type MemoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";

/** What a test can stand before or behind. */
export type StoreCall =
  | "begin"
  | "savepoint"
  | "commit"
  | "committed"
  | "rollback"
  | "claim"
  | "done"
  | "later"
  | "deploy";

/** Asks a test before each call, which it can let fail or wait. */
export class ScriptedStore implements Store<undefined> {
  readonly name = "scripted";
  readonly capabilities: StoreCapabilities;
  readonly calls: StoreCall[] = [];
  readonly sagas: SagaRecords;
  readonly outbox: Due<OutboxRow>;
  readonly schedules: Due<ScheduleRow>;
  readonly #inner: Store<undefined>;
  /** The test's. `time` counts the calls of that name from 1. */
  script: (call: StoreCall, time: number) => void | Promise<void> = () => {};
  scopes: Scope[] = [];

  constructor(database?: MemoryDatabase, capabilities: Partial<StoreCapabilities> = {}) {
    this.#inner = memoryStore(database === undefined ? {} : { database });
    this.capabilities = { ...this.#inner.capabilities, ...capabilities };
    this.sagas = this.#inner.sagas;
    this.outbox = this.#due(this.#inner.outbox);
    this.schedules = this.#due(this.#inner.schedules);
  }

  /** How often it was called so. */
  count(call: StoreCall): number {
    return this.calls.filter((each) => each === call).length;
  }

  async #call(call: StoreCall): Promise<void> {
    this.calls.push(call);
    await this.script(call, this.count(call));
  }

  #due<Row>(due: Due<Row>): Due<Row> {
    return {
      claim: async (bus, limit, leaseMs) => {
        await this.#call("claim");
        return await due.claim(bus, limit, leaseMs);
      },
      done: async (rows: readonly Leased<Row>[]) => {
        await this.#call("done");
        await due.done(rows);
      },
      later: async (rows: readonly Postponed<Row>[]) => {
        await this.#call("later");
        await due.later(rows);
      },
      next: (bus, signal) => due.next(bus, signal),
      stats: (bus) => due.stats(bus),
      parked: (bus, after, limit) => due.parked(bus, after, limit),
      unpark: (bus, ids) => due.unpark(bus, ids),
      discard: (bus, ids) => due.discard(bus, ids),
    };
  }

  tx(context: InUnit): undefined {
    return transactionOf(this, context);
  }
  open(host: Host): Promise<void> {
    return this.#inner.open(host);
  }
  async deploy(mode: DeployMode): Promise<readonly Change[]> {
    await this.#call("deploy");
    return await this.#inner.deploy(mode);
  }
  migrations(): readonly { readonly id: string; readonly script: string }[] {
    return this.#inner.migrations();
  }
  async begin(scope: Scope): Promise<Unit<undefined>> {
    this.scopes.push(scope);
    await this.#call("begin");
    const unit = await this.#inner.begin(scope);
    return {
      duplicates: unit.duplicates,
      get tx() {
        return unit.tx;
      },
      load: (saga, id, lock) => unit.load(saga, id, lock),
      find: (saga, where, after, limit) => unit.find(saga, where, after, limit),
      savepoint: async (member, work) => {
        await this.#call("savepoint");
        return await unit.savepoint(member, work);
      },
      commit: async (changes: Changes) => {
        await this.#call("commit");
        const leased = await unit.commit(changes);
        await this.#call("committed");
        return leased;
      },
      rollback: async () => {
        await this.#call("rollback");
        await unit.rollback();
      },
    };
  }
  lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined> {
    return this.#inner.lease(name, owner, ms);
  }
  sweep(limit: number): Promise<number> {
    return this.#inner.sweep(limit);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}
