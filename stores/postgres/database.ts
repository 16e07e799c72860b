/** A database, as a store has it open. @module */
import { ConflictError, StoreTimeoutError } from "../../src/errors/store.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { explainCommit, explainOwn, isLost, isReadOnly, unavailable } from "./errors.ts";
import type { SqlClient, SqlConnection, SqlRow } from "./sql_client.ts";
import type { Statement } from "./statement.ts";

/** What each statement of a list gave. */
export type Results = readonly (readonly SqlRow[])[];

/**
 * Begins a transaction of the library's own, in which each statement sees what others have committed: a database may
 * say that none does unless asked.
 */
export const begin = "BEGIN ISOLATION LEVEL READ COMMITTED";

/** How often a statement is done again that the server has undone, as another had touched the same. */
const mostRounds = 10;

/** Says what an error means. */
type Explain = (error: unknown, where: string, lastWords?: SqlConnection<unknown>["lastWords"]) => unknown;

/** Sends statements, says what their errors mean, and tells whether the database is there. */
export class Database<Tx> {
  readonly client: SqlClient<Tx>;
  /** As errors say it. */
  readonly where: string;
  readonly clock: Clock;
  /** Aborts when the store is closed. */
  readonly end: AbortSignal;
  readonly #report: (error: Error | undefined) => void;

  /** @param report told of each loss, and of each answer after one */
  constructor(
    client: SqlClient<Tx>,
    where: string,
    clock: Clock,
    end: AbortSignal,
    report: (error: Error | undefined) => void,
  ) {
    this.client = client;
    this.where = where;
    this.clock = clock;
    this.end = end;
    this.#report = report;
  }

  /** One statement that is a transaction of its own. */
  async query({ text, values }: Statement): Promise<readonly SqlRow[]> {
    for (let rounds = 1;; rounds++) {
      try {
        return await this.watch(this.client.query(text, values), explainOwn);
      } catch (error) {
        if (!(error instanceof ConflictError) || rounds === mostRounds) throw error;
      }
    }
  }

  /** Some statements in one transaction and one flight. */
  async write(
    statements: readonly Statement[],
    signal: AbortSignal,
    explain: Explain = explainCommit,
  ): Promise<Results> {
    const [first] = statements;
    if (first === undefined) return [];
    if (statements.length === 1) return [await this.watch(this.client.query(first.text, first.values), explain)];
    const connection = await this.connect(signal, true);
    const begun = connection.query(begin);
    return await this.commit(connection, statements, explain, [begun]);
  }

  /** Some statements, then the end of an open transaction, in one flight. Gives the connection back. */
  async commit(
    connection: SqlConnection<unknown>,
    statements: readonly Statement[],
    explain: Explain = explainCommit,
    before: readonly Promise<unknown>[] = [],
  ): Promise<Results> {
    const [only, ...others] = statements;
    if (only !== undefined && others.length + before.length === 0) {
      const committed = connection.together?.("", only.text, only.values, "COMMIT");
      if (committed !== undefined) return [await this.#end(connection, committed, explain)];
    }
    const sent = statements.map(({ text, values }) => connection.query(text, values));
    // Where one fails, so does all that follows, and this undoes all of it.
    const committed = connection.query("COMMIT");
    const outcomes = await Promise.allSettled([...before, ...sent, committed]);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    connection.release(isReadOnly(failed?.reason));
    if (failed !== undefined) throw this.#meaning(failed.reason, explain, connection);
    this.#report(undefined);
    return await Promise.all(sent);
  }

  /**
   * A connection for a transaction.
   *
   * @param brief whether no application has anything to do with it
   */
  async connect(signal: AbortSignal, brief: boolean): Promise<SqlConnection<Tx>> {
    try {
      // That there is one says nothing of the database: a driver may open it with the first statement.
      return await this.client.connect(signal, brief);
    } catch (error) {
      throw this.#meaning(error, explainOwn);
    }
  }

  /** The end of a transaction that is not committed where something before that fails; gives the connection back. */
  async #end<Result>(
    connection: SqlConnection<unknown>,
    committed: Promise<Result>,
    explain: Explain,
  ): Promise<Result> {
    try {
      const result = await committed;
      connection.release();
      this.#report(undefined);
      return result;
    } catch (error) {
      await undo(connection, isReadOnly(error));
      throw this.#meaning(error, explain, connection);
    }
  }

  #meaning(error: unknown, explain: Explain, connection?: SqlConnection<unknown>): unknown {
    const meant = explain(error, this.where, connection?.lastWords);
    if (isLost(error) && !(meant instanceof StoreTimeoutError)) this.#report(unavailable(error, this.where));
    return meant;
  }

  /** Says what an error means, and tells of losses. */
  async watch<Result>(answer: Promise<Result>, explain: Explain): Promise<Result> {
    try {
      const result = await answer;
      this.#report(undefined);
      return result;
    } catch (error) {
      throw this.#meaning(error, explain);
    }
  }
}

/**
 * Undoes a transaction, and gives its connection back. Never rejects: what is not committed is not there.
 *
 * @param forGood whether the connection is to be used no more
 */
export async function undo(connection: SqlConnection<unknown>, forGood: boolean): Promise<void> {
  if (connection.lost) return connection.release();
  try {
    await connection.query("ROLLBACK");
    connection.release(forGood);
  } catch {
    connection.release(true);
  }
}
