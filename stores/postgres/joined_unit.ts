/** A unit within a transaction that an application has begun. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { TransactionEndedError } from "../../src/errors/store.ts";
import type { Changes, OutboxRow, SagaRow } from "../../src/spi/rows.ts";
import type { Leased, Scope, Unit } from "../../src/spi/store.ts";
import { explainJoined, noTransaction, stateOf, storeName } from "./errors.ts";
import { scriptOf } from "./inlined.ts";
import { isElsewhere } from "./migrations.ts";
import { sagaOf } from "./sagas.ts";
import type { JoinedSession, SqlRow } from "./sql_client.ts";
import type { Statement } from "./statement.ts";
import type { UnitHost, Written } from "./unit_host.ts";

const savepoint = "hero_member";

/** What a joined unit needs of its store. */
export interface JoinHost extends Pick<UnitHost<unknown>, "load" | "find"> {
  /** As errors say it. */
  readonly where: string;
  /** Fails where the transaction is not in the store's own database. Left out: nobody knows which that is. */
  readonly stay?: Statement | undefined;
  /** Leases nothing, holds nothing until the end, and has whoever listens told once it is committed. */
  writeJoined(scope: Scope, changes: Changes): Written;
}

/** Writes what others commit. */
export class JoinedUnit<Tx> implements Unit<Tx> {
  readonly duplicates: readonly boolean[] = [];
  readonly tx: Tx;
  readonly #host: JoinHost;
  readonly #session: JoinedSession;
  readonly #scope: Scope;
  #ended = false;

  constructor(host: JoinHost, session: JoinedSession, tx: Tx, scope: Scope) {
    this.#host = host;
    this.#session = session;
    this.tx = tx;
    this.#scope = scope;
  }

  async load(saga: string, id: string, lock: boolean): Promise<SagaRow | undefined> {
    const [found] = await this.#ask(this.#host.load(this.#scope.bus, saga, id, lock));
    return found === undefined ? undefined : sagaOf(found);
  }

  async find(...query: Parameters<Unit<unknown>["find"]>): Promise<readonly SagaRow[]> {
    return (await this.#ask(this.#host.find(this.#scope.bus, ...query))).map(sagaOf);
  }

  async savepoint<Result>(_member: number, work: () => Promise<Result>): Promise<Result> {
    const run = (text: string) => this.#ask({ text, values: [] });
    await run(`SAVEPOINT ${savepoint}`);
    try {
      const result = await work();
      await run(`RELEASE SAVEPOINT ${savepoint}`);
      return result;
    } catch (error) {
      await run(`ROLLBACK TO SAVEPOINT ${savepoint}`);
      throw error;
    }
  }

  async commit(changes: Changes): Promise<readonly Leased<OutboxRow>[]> {
    this.#check();
    this.#ended = true;
    const { stay } = this.#host;
    const written = this.#host.writeJoined(this.#scope, changes);
    const statements = stay === undefined ? written.statements : [stay, ...written.statements];
    const explain = (error: unknown) =>
      stay !== undefined && isElsewhere(error) ? this.#elsewhere(error) : written.explain(error);
    const { script } = this.#session;
    if (script !== undefined) return await this.#together(script.bind(this.#session), statements, explain);
    const sent = await Promise.allSettled(statements.map(({ text, values }) => this.#session.query(text, values)));
    for (const outcome of sent) if (outcome.status === "rejected") throw explain(outcome.reason);
    return [];
  }

  /**
   * A driver may take statements for a transaction that has ended, and run each for itself: what was rolled back would be
   * sent all the same. A savepoint is refused there, and what stands behind it in the same message with it.
   */
  async #together(
    script: (text: string) => Promise<unknown>,
    statements: readonly Statement[],
    explain: (error: unknown) => unknown,
  ): Promise<readonly Leased<OutboxRow>[]> {
    try {
      // Released before anything is written: a subtransaction that has written costs a number of its own.
      await script(`SAVEPOINT ${savepoint};RELEASE SAVEPOINT ${savepoint};${scriptOf(statements)}`);
    } catch (error) {
      if (stateOf(error) === noTransaction) throw new TransactionEndedError(storeName, { cause: error });
      throw explain(error);
    }
    return [];
  }

  #elsewhere(cause: unknown): ConfigurationError {
    return new ConfigurationError(
      `Cannot join this { tx }: it is in another database than the bus' store, "${this.#host.where}", and nobody would ` +
        "send what is written there. Begin it on a client of that database",
      { cause },
    );
  }

  rollback(): Promise<void> {
    this.#ended = true;
    return Promise.resolve();
  }

  #check(): void {
    if (this.#ended) throw new TransactionEndedError(storeName);
  }
  async #ask({ text, values }: Statement): Promise<readonly SqlRow[]> {
    this.#check();
    try {
      return await this.#session.query(text, values);
    } catch (error) {
      throw explainJoined(error, this.#host.where);
    }
  }
}
