/** A store whose process may be killed at each call. */
import { transactionOf } from "../../../src/spi/transaction.ts";
import type { Changes, MessageKey, OutboxRow, ScheduleRow } from "../../../src/spi/rows.ts";
import type {
  Due,
  InUnit,
  Leased,
  SagaRecords,
  Scope,
  Store,
  StoreCapabilities,
  Unit,
} from "../../../src/spi/store.ts";
import type { Change, DeployMode, Host } from "../../../src/spi/transport.ts";
import type { Killer, Point } from "./killer.ts";

/** Does what the store does, and comes to the points on the way. */
export class KillingStore<Tx> implements Store<Tx> {
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  readonly sagas: SagaRecords;
  readonly outbox: Due<OutboxRow>;
  readonly schedules: Due<ScheduleRow>;
  readonly #store: Store<Tx>;
  readonly #killer: Killer;

  constructor(store: Store<Tx>, killer: Killer) {
    this.name = store.name;
    this.capabilities = store.capabilities;
    this.#store = store;
    this.#killer = killer;
    this.sagas = store.sagas;
    this.outbox = killingDue(store.outbox, killer, ["claim from the outbox", "claimed from the outbox"]);
    this.schedules = killingDue(store.schedules, killer, ["claim from the schedules", "claimed from the schedules"]);
  }

  tx(context: InUnit): Tx {
    return transactionOf(this, context);
  }
  open(host: Host): Promise<void> {
    return this.#store.open(host);
  }
  deploy(mode: DeployMode): Promise<readonly Change[]> {
    return this.#store.deploy(mode);
  }
  migrations(): readonly { readonly id: string; readonly script: string }[] {
    return this.#store.migrations();
  }
  async begin(scope: Scope): Promise<Unit<Tx>> {
    this.#killer.cross("begin");
    return this.#begun(await this.#store.begin(scope));
  }
  /** On the same way, where nothing has to be waited for. */
  beginNow(scope: Scope): Unit<Tx> | undefined {
    this.#killer.cross("begin");
    const unit = this.#store.beginNow?.(scope);
    return unit && this.#begun(unit);
  }
  foresee(bus: string, messages: readonly MessageKey[]): void {
    this.#store.foresee?.(bus, messages);
  }
  #begun(unit: Unit<Tx>): Unit<Tx> {
    const killer = this.#killer;
    killer.cross("begun");
    const { loadNow, commitNow } = unit;
    return {
      ...loadNow && { loadNow: loadNow.bind(unit) },
      ...commitNow && {
        commitNow: (changes: Changes) => {
          killer.cross("commit");
          const leased = commitNow.call(unit, changes);
          killer.cross("committed");
          return leased;
        },
      },
      duplicates: unit.duplicates,
      get tx() {
        killer.cross("ctx.tx");
        return unit.tx;
      },
      load: (saga, id, lock) => unit.load(saga, id, lock),
      find: (saga, where, after, limit) => unit.find(saga, where, after, limit),
      savepoint: async (member, work) => {
        killer.cross("savepoint");
        const result = await unit.savepoint(member, work);
        killer.cross("savepoint released");
        return result;
      },
      commit: async (changes: Changes) => {
        killer.cross("commit");
        const committing = unit.commit(changes);
        killer.cross("commit sent");
        const leased = await committing;
        killer.cross("committed");
        return leased;
      },
      rollback: async () => {
        killer.cross("rollback");
        await unit.rollback();
        killer.cross("rolled back");
      },
    };
  }
  lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined> {
    return this.#store.lease(name, owner, ms);
  }
  sweep(limit: number): Promise<number> {
    return this.#store.sweep(limit);
  }
  close(): Promise<void> {
    return this.#store.close();
  }
}

function killingDue<Row>(due: Due<Row>, killer: Killer, [claim, claimed]: readonly [Point, Point]): Due<Row> {
  return {
    claim: async (bus, limit, leaseMs) => {
      killer.cross(claim);
      const rows = await due.claim(bus, limit, leaseMs);
      if (rows.length > 0) killer.cross(claimed);
      return rows;
    },
    done: async (rows: readonly Leased<Row>[]) => {
      killer.cross("done");
      const telling = due.done(rows);
      killer.cross("done sent");
      await telling;
      killer.cross("done told");
    },
    later: async (rows) => {
      killer.cross("later");
      await due.later(rows);
      killer.cross("later told");
    },
    next: (bus, signal) => due.next(bus, signal),
    stats: (bus) => due.stats(bus),
    parked: (bus, after, limit) => due.parked(bus, after, limit),
    unpark: (bus, ids) => due.unpark(bus, ids),
    discard: (bus, ids) => due.discard(bus, ids),
  };
}
