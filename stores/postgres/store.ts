/** The store in a PostgreSQL database. @module */
import type { MessageKey, OutboxRow, ScheduleRow } from "../../src/spi/rows.ts";
import type { Due, InUnit, JoinableStore, SagaRecords, Scope, StoreCapabilities, Unit } from "../../src/spi/store.ts";
import { transactionOf } from "../../src/spi/transaction.ts";
import type { Change, DeployMode, Host } from "../../src/spi/transport.ts";
import { PostgresDue, type Session } from "./due.ts";
import { begin, type Database } from "./database.ts";
import { explainOwn, storeName } from "./errors.ts";
import type { JoinableUnit } from "./joining.ts";
import { Migrations } from "./migrations.ts";
import { tables } from "./migrations/0001_tables.ts";
import { sagaHistory } from "./migrations/0002_saga_history.ts";
import { cancelled } from "./migrations/0003_cancelled.ts";
import { outboxInPlace } from "./migrations/0004_outbox_in_place.ts";
import { runway } from "./migrations/0005_runway.ts";
import { putOff } from "./migrations/0006_put_off.ts";
import type { Names } from "./names.ts";
import { historyOf } from "./saga_history.ts";
import { type Open, type Settings, StoreLife } from "./store_life.ts";
import { Tables } from "./tables.ts";
import { Units } from "./units.ts";

/** One end of a database. */
export class PostgresStore<Tx> implements JoinableStore<Tx> {
  readonly name: string = storeName;
  readonly capabilities: StoreCapabilities;
  readonly sagas: SagaRecords;
  readonly outbox: Due<OutboxRow>;
  readonly schedules: Due<ScheduleRow>;
  /** How its tables are called. */
  readonly names: Names;
  readonly #where: string;
  readonly #identity: unknown;
  readonly #tables: Tables;
  readonly #migrations: Migrations;
  readonly #life: StoreLife<Tx>;
  readonly #units: Units<Tx>;

  constructor(settings: Settings<Tx>) {
    const { names, where, max, listen } = settings;
    this.names = names;
    this.#where = where;
    this.#identity = settings.identity;
    this.capabilities = {
      atomic: "database",
      interactive: true,
      writers: max,
      query: "indexed",
      wake: listen ? "push" : "poll",
      maxOperations: Number.MAX_SAFE_INTEGER,
      maxBytes: 2 ** 28, // a value has 1 GB at most, and bytes travel as text
    };
    this.#tables = new Tables(names);
    this.#migrations = new Migrations(names, [tables, sagaHistory, cancelled, outboxInPlace, runway, putOff]);
    this.#life = new StoreLife(settings, this.#tables);
    this.#units = new Units(settings, this.#tables, this.#life);
    const session = (doing: string): Session => this.#life.check(doing);
    const { history, outbox, schedules } = this.#tables;
    this.sagas = {
      count: async (...query) => {
        const { database } = this.#life.check("count");
        const [found] = await database.query(history.count(...query));
        return Number(found?.[0]);
      },
      history: async (...query) => {
        const { database } = this.#life.check("ask");
        return (await database.query(history.history(...query))).map(historyOf);
      },
      forget: async (...which) => {
        const { database } = this.#life.check("forget");
        return (await database.query(history.forget(...which))).length;
      },
    };
    this.outbox = new PostgresDue(outbox, session);
    this.schedules = new PostgresDue(schedules, session);
  }

  /** What is there while it is open, for a transport in the same database. */
  get session(): Open<Tx> {
    return this.#life.check("go on");
  }
  /** Whether it is another value on the very tables of this one, whose transactions are none of this one's. */
  isTwinOf(other: unknown): boolean {
    if (!(other instanceof PostgresStore) || other === this || other.#identity !== this.#identity) return false;
    return other.names.schema === this.names.schema && other.names.prefix === this.names.prefix;
  }
  /** The unit of what `ctx.tx` gave; `undefined`: it is none of this store's. */
  unitOf(tx: unknown): JoinableUnit | undefined {
    return this.#units.of(tx);
  }

  tx(context: InUnit): Tx {
    return transactionOf(this, context);
  }

  open(host: Host): Promise<void> {
    return this.#life.open(host);
  }

  async deploy(mode: DeployMode): Promise<readonly Change[]> {
    const { database } = this.#life.check("deploy");
    const changes = await this.#deploy(database, mode);
    if (mode === "apply" || !changes.some(({ kind }) => kind === "create")) {
      const place = await database.watch(this.#migrations.place(database.client), explainOwn);
      this.#units.stay = this.#migrations.stay(place);
    }
    return changes;
  }

  async #deploy(database: Database<Tx>, mode: DeployMode): Promise<readonly Change[]> {
    const plan = await database.watch(this.#migrations.plan(database.client), explainOwn);
    if (mode !== "apply" || !plan.some(({ kind }) => kind === "create")) return plan;
    const connection = await database.connect(database.end, true);
    try {
      await connection.query(begin);
      const changes = await this.#migrations.apply(connection);
      await connection.query("COMMIT");
      connection.release();
      return changes;
    } catch (error) {
      connection.release(true); // which undoes what it began
      throw explainOwn(error, this.#where);
    }
  }

  migrations(): readonly { readonly id: string; readonly script: string }[] {
    return this.#migrations.scripts();
  }

  foresee(bus: string, messages: readonly MessageKey[]): void {
    this.#units.foresee(bus, messages);
  }

  beginNow(scope: Scope): Unit<Tx> | undefined {
    return this.#units.beginNow(scope);
  }

  begin(scope: Scope): Promise<Unit<Tx>> {
    return this.#units.begin(scope);
  }

  join(tx: Tx, scope: Scope): Unit<Tx> {
    return this.#units.join(tx, scope);
  }

  async lease(name: string, owner: string, ms: number): Promise<{ readonly fence: number } | undefined> {
    const { database } = this.#life.check("lease");
    const [found] = await database.query(this.#tables.leases.take(name, owner, ms));
    return found === undefined ? undefined : { fence: Number(found[0]) };
  }

  async sweep(limit: number): Promise<number> {
    const { database } = this.#life.check("sweep");
    const { inbox, cancelled } = this.#tables;
    const swept = [inbox, cancelled].map((each) => database.query(each.sweep(limit)));
    return Math.max(...(await Promise.all(swept)).map(({ length }) => length));
  }

  close(): Promise<void> {
    return this.#life.close((cause) => this.#units.end(cause));
  }
}
