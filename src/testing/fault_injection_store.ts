/** A store whose instance may crash at each call. @module */
import { transactionOf } from "../spi/transaction.ts";
import type { Changes, OutboxRow, ScheduleRow } from "../spi/rows.ts";
import type { Due, InUnit, SagaRecords, Scope, Store, StoreCapabilities, Unit } from "../spi/store.ts";
import type { Clock } from "../spi/clock.ts";
import type { Change, DeployMode, Host } from "../spi/transport.ts";
import type { Life } from "./life.ts";

/**
 * A store that outlives its instance, which may crash before and after each call: what was not committed by then is
 * rolled back, what was stays.
 */
export class FaultyStore<Tx> implements Store<Tx> {
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  readonly sagas: SagaRecords;
  readonly outbox: Due<OutboxRow>;
  readonly schedules: Due<ScheduleRow>;
  readonly #store: Store<Tx>;
  readonly #life: Life;
  readonly #clock: Clock;

  /**
   * @param store this life's own end of what outlives it
   * @param clock the world's
   */
  constructor(store: Store<Tx>, life: Life, clock: Clock) {
    this.name = store.name;
    this.capabilities = store.capabilities;
    this.#store = store;
    this.#life = life;
    this.#clock = clock;
    this.sagas = {
      count: (...query) => crossing(life, "count sagas", () => store.sagas.count(...query)),
      history: (...query) => crossing(life, "ask for a history", () => store.sagas.history(...query)),
      forget: (...which) => crossing(life, "forget a history", () => store.sagas.forget(...which)),
    };
    this.outbox = faultyDue(store.outbox, life, "outbox");
    this.schedules = faultyDue(store.schedules, life, "schedules");
    // Its connection breaks: units roll back, and what they have locked is free. Leases go on.
    life.onDeath(() => void store.close());
  }

  tx(context: InUnit): Tx {
    return transactionOf(this, context);
  }
  open(host: Host): Promise<void> {
    return crossing(this.#life, "open the store", () => this.#store.open({ ...host, clock: this.#clock }));
  }
  deploy(mode: DeployMode): Promise<readonly Change[]> {
    return crossing(this.#life, "deploy the store", () => this.#store.deploy(mode));
  }
  migrations(): readonly { readonly id: string; readonly script: string }[] {
    return this.#store.migrations();
  }
  async begin(scope: Scope): Promise<Unit<Tx>> {
    const life = this.#life;
    const unit = await crossing(life, "begin", () => this.#store.begin(scope));
    return {
      duplicates: unit.duplicates,
      get tx() {
        life.cross("ctx.tx");
        return unit.tx;
      },
      load: (saga, id, lock) => crossing(life, "load", () => unit.load(saga, id, lock)),
      find: (saga, where, after, limit) => crossing(life, "find", () => unit.find(saga, where, after, limit)),
      savepoint: (member, work) => crossing(life, "savepoint", () => unit.savepoint(member, work)),
      commit: (changes: Changes) => crossing(life, "commit", () => unit.commit(changes)),
      rollback: () => unit.rollback(),
    };
  }
  lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined> {
    return crossing(this.#life, "lease", () => this.#store.lease(name, owner, ms));
  }
  sweep(limit: number): Promise<number> {
    return crossing(this.#life, "sweep", () => this.#store.sweep(limit));
  }
  close(): Promise<void> {
    return this.#store.close();
  }
}

function faultyDue<Row extends OutboxRow>(due: Due<Row>, life: Life, name: string): Due<Row> {
  return {
    claim: (bus, limit, leaseMs) => crossing(life, `claim from the ${name}`, () => due.claim(bus, limit, leaseMs)),
    done: (rows) => crossing(life, `done with the ${name}`, () => due.done(rows)),
    later: (rows) => crossing(life, `put off in the ${name}`, () => due.later(rows)),
    next: (bus, signal) => due.next(bus, signal),
    stats: (bus) => due.stats(bus),
    parked: (bus, after, limit) => due.parked(bus, after, limit),
    unpark: (bus, ids) => due.unpark(bus, ids),
    discard: (bus, ids) => due.discard(bus, ids),
  };
}

/** The caller never hears of what its death came between. */
async function crossing<Result>(life: Life, at: string, call: () => Promise<Result>): Promise<Result> {
  life.cross(at);
  const result = await call();
  life.cross(`after ${at}`);
  return result;
}
