/** The transaction of a unit of work. @module */
import type { StoreTimeoutError, StoreUnavailableError } from "../../src/errors/store.ts";
import type { Awaitable } from "../../src/values/awaitable.ts";
import { type Database, type Results, undo } from "./database.ts";
import { explainLoss, isAborted, isReadOnly } from "./errors.ts";
import type { SqlConnection } from "./sql_client.ts";
import type { Statement } from "./statement.ts";
import type { Written } from "./unit_host.ts";

/** Whose transaction it is. */
export interface TransactionOwner {
  /** Ends a wait for a connection. */
  readonly signal: AbortSignal;
  /** Throws once the unit has ended. */
  checkEnd(): void;
}

/** A connection that a unit has from its first use of the transaction until it ends. */
export class UnitTransaction<Tx> {
  readonly #database: Database<Tx>;
  readonly #owner: TransactionOwner;
  readonly #record: Pick<Written, "statements" | "explain">;
  readonly #opening: Awaitable<SqlConnection<Tx>>;
  #open: SqlConnection<Tx> | undefined;
  /** To be rolled back and given back. */
  #held: SqlConnection<Tx> | undefined;
  /** The answer to its beginning: it may come in one turn with that to what follows. */
  #begun: Promise<unknown> | undefined;
  /** Why it failed at its beginning. */
  #refusal: unknown;

  /**
   * Begins it, with no promise where a connection is free.
   *
   * @param record what no other process may handle from here on: it goes with the beginning
   */
  constructor(database: Database<Tx>, owner: TransactionOwner, record: Pick<Written, "statements" | "explain">) {
    this.#database = database;
    this.#owner = owner;
    this.#record = record;
    let opening: Promise<SqlConnection<Tx>>;
    try {
      const free = database.client.free?.();
      if (free !== undefined) {
        this.#opening = this.#open = this.#begin(free);
        return;
      }
      opening = this.#connect();
    } catch (error) {
      opening = Promise.reject(error);
    }
    this.#opening = opening;
    // The first to be told, so that none overtakes those that wait.
    opening.then((connection) => this.#open = connection, (error) => this.#refusal ??= error);
  }

  /** Its connection, once it has one. */
  get open(): SqlConnection<Tx> | undefined {
    return this.#open;
  }
  /** The same, to be waited for. */
  get opening(): Awaitable<SqlConnection<Tx>> {
    return this.#opening;
  }

  /** Sends without waiting for an answer, as one message if it can be: where it fails, so does what follows. */
  send(...texts: readonly string[]): void {
    const connection = this.#held;
    if (connection?.lost !== false) return;
    const [first, second] = texts;
    const together = first === undefined || second === undefined
      ? undefined
      : connection.together?.(first, second, [], "");
    const answers = together === undefined ? texts.map((text) => connection.query(text)) : [together];
    for (const answer of answers) answer.catch(() => {});
  }
  /** The same, for who waits. */
  async run(text: string): Promise<unknown> {
    return await this.#held?.query(text);
  }

  /** @throws what the loss means, if the connection is lost: of what is sent then, nobody knows where it ends up */
  checkLost(connection: SqlConnection<Tx>): void {
    if (connection.lost) throw this.lossOf(connection);
  }
  /** What the loss of its connection means. */
  lossOf({ lastWords }: SqlConnection<Tx>): StoreUnavailableError | StoreTimeoutError {
    return explainLoss(lastWords, this.#database.where);
  }

  /** Commits it with these statements, and gives the connection back. */
  async commit(connection: SqlConnection<Tx>, statements: readonly Statement[]): Promise<Results> {
    this.#held = undefined;
    // A transaction that has failed answers COMMIT with a rollback, and no error: something must ask.
    const all = statements.length > 0 ? statements : [{ text: "SELECT 1", values: [] }];
    return await this.#database.commit(connection, all);
  }

  /** Why it failed at its beginning, as far as that is known by now. */
  get refused(): unknown {
    return this.#refusal;
  }
  /** The same, once it is known; `undefined`: it did not. */
  async refusal(): Promise<unknown> {
    await this.#begun;
    return this.#refusal;
  }
  /** The same, of what a statement has failed with. */
  async refusalOf(error: unknown): Promise<unknown> {
    return isAborted(error) ? await this.refusal() : undefined;
  }

  /** Undoes it, and gives the connection back; `undefined`: it has none, or is committed. */
  undo(): Promise<void> | undefined {
    const connection = this.#held;
    this.#held = undefined;
    return connection && undo(connection, isReadOnly(this.#refusal));
  }

  /** Whether it was there to be written in: its record is. */
  get written(): boolean {
    return this.#record.statements.length > 0 && this.#refusal === undefined;
  }

  async #connect(): Promise<SqlConnection<Tx>> {
    const connection = await this.#database.connect(this.#owner.signal, false);
    try {
      this.#owner.checkEnd();
    } catch (error) {
      connection.release();
      throw error;
    }
    return this.#begin(connection);
  }

  /** In the first flight: the beginning, the record, and what asked for it. */
  #begin(connection: SqlConnection<Tx>): SqlConnection<Tx> {
    this.#held = connection;
    const { statements, explain } = this.#record;
    const refuse = (error: unknown) => this.#refusal ??= explain(error);
    const [record] = statements;
    const begun = record === undefined ? undefined : connection.together?.("BEGIN", record.text, record.values, "");
    if (begun !== undefined) this.#begun = begun.catch(refuse);
    else {
      const all = [{ text: "BEGIN", values: [] }, ...statements];
      const answers = all.map(({ text, values }) => connection.query(text, values).catch(refuse));
      this.#begun = Promise.all(answers);
    }
    return connection;
  }
}
