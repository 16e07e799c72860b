/** The store within a process. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { ClosedError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { OutboxRow, ScheduleRow } from "../../src/spi/rows.ts";
import type { Due, InUnit, SagaRecords, Scope, Store, StoreCapabilities, Unit } from "../../src/spi/store.ts";
import { transactionOf } from "../../src/spi/transaction.ts";
import type { Change, DeployMode, Host } from "../../src/spi/transport.ts";
import { isPromise } from "../../src/values/awaitable.ts";
import type { Database } from "./database.ts";
import { type DueHost, MemoryDue } from "./due.ts";
import { MemoryUnit, type UnitHost } from "./unit_of_work.ts";

const name = "memory";

/** One end of a {@linkcode Database}. */
export class MemoryStore implements Store<undefined>, DueHost, UnitHost {
  readonly name: string = name;
  readonly capabilities: StoreCapabilities = {
    durable: false,
    atomic: "database",
    interactive: true,
    writers: Number.MAX_SAFE_INTEGER,
    query: "indexed",
    wake: "push",
    keepsRows: true,
    maxOperations: Number.MAX_SAFE_INTEGER,
    maxBytes: Number.MAX_SAFE_INTEGER,
  };
  readonly sagas: SagaRecords;
  readonly outbox: Due<OutboxRow>;
  readonly schedules: Due<ScheduleRow>;
  readonly database: Database;
  readonly listening: Set<MemoryUnit> = new Set();
  readonly #end = new AbortController();
  /** As its signal says, whose getters are calls on some runtimes. */
  #closed = false;
  #clock: Clock | undefined;
  /** How many buses have it open. */
  #users = 0;

  constructor(database: Database) {
    this.database = database;
    this.sagas = {
      // deno-lint-ignore require-await -- a rejection, not a throw
      count: async (bus, ...query) => {
        this.check("count");
        return database.of(bus).sagas.count(...query);
      },
      // deno-lint-ignore require-await -- as above
      history: async (bus, ...query) => {
        this.check("ask");
        return database.of(bus).sagas.history(...query);
      },
      // deno-lint-ignore require-await -- as above
      forget: async (bus, ...which) => {
        this.check("forget");
        return database.of(bus).sagas.forget(...which);
      },
    };
    this.outbox = new MemoryDue<OutboxRow>(this, (bus) => database.of(bus).outbox, function* () {
      for (const { outbox } of database.buses.values()) yield outbox;
    });
    this.schedules = new MemoryDue<ScheduleRow>(this, (bus) => database.of(bus).schedules, function* () {
      for (const { schedules } of database.buses.values()) yield schedules;
    });
  }

  /** As {@linkcode DueHost.end} and {@linkcode UnitHost.end}. */
  get end(): AbortSignal {
    return this.#end.signal;
  }

  tx(context: InUnit): undefined {
    return transactionOf(this, context);
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async open(host: Host): Promise<void> {
    this.#end.signal.throwIfAborted();
    host.signal.throwIfAborted();
    this.#clock ??= host.clock;
    this.#users++;
    host.status({ state: "up" });
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async deploy(_mode: DeployMode): Promise<readonly Change[]> {
    this.check("deploy");
    return [];
  }

  migrations(): readonly { readonly id: string; readonly script: string }[] {
    return [];
  }

  beginNow(scope: Scope): Unit<undefined> | undefined {
    this.check("begin");
    const unit = new MemoryUnit(this, scope);
    return unit.tryEnter() ? unit : undefined;
  }

  async begin(scope: Scope): Promise<Unit<undefined>> {
    this.check("begin");
    scope.signal.throwIfAborted();
    const unit = new MemoryUnit(this, scope);
    const entered = unit.enter();
    if (isPromise(entered)) {
      await entered;
      if (this.#end.signal.aborted) unit.end();
      this.check("begin");
    }
    return unit;
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined> {
    return this.database.lease(name, owner, ms, this.check("lease").now());
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async sweep(limit: number): Promise<number> {
    return this.database.sweep(limit, this.check("sweep").now());
  }

  close(): Promise<void> {
    if (this.#users > 1) this.#users--;
    else if (!this.#end.signal.aborted) {
      this.#users = 0;
      this.#closed = true;
      this.#end.abort(new ClosedError(`the store "${name}"`));
      for (const unit of [...this.listening]) unit.end(this.#end.signal.reason);
    }
    return Promise.resolve();
  }

  /** As {@linkcode DueHost.check}. */
  check(doing: string): Clock {
    if (this.#closed) this.#end.signal.throwIfAborted();
    if (this.#clock !== undefined) return this.#clock;
    throw new ConfigurationError(`Cannot ${doing}: the memory store is not open. Start its bus first`);
  }

  /** As {@linkcode UnitHost.now}. */
  now(): number {
    return this.check("commit").now();
  }
}
