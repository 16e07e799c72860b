/** What handlers write with. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { shown } from "../../src/errors/shown.ts";
import { firstWordAt } from "../../src/values/first_word.ts";
import type { Connection } from "./connection.ts";
import type { File } from "./file.ts";
import type { SqliteValue } from "./value.ts";

/** What a statement that writes did. */
export interface SqliteResult {
  /** How many rows it touched. */
  readonly changes: number;
  /** The rowid of the last row that was inserted on this connection. */
  readonly lastInsertRowid: number | bigint;
}

/** A statement of one transaction, to be run often. */
export interface SqliteStatement<out Row> {
  /** Runs it for what it does. */
  run(...values: readonly SqliteValue[]): Promise<SqliteResult>;
  /** The first row; `undefined` if there is none. */
  get(...values: readonly SqliteValue[]): Promise<Row | undefined>;
  /** All rows. */
  all(...values: readonly SqliteValue[]): Promise<readonly Row[]>;
}

/**
 * The transaction of a unit of work, as `ctx.tx`. It begins with its first statement, and holds the file's only writer
 * from then on until the handler has returned: await nothing slow meanwhile. Statements run in the order in which they
 * were called. One that fails and that nobody waits for fails the unit. Whatever is called after the end rejects with
 * `TransactionEndedError`; what would begin or end a transaction, with `ConfigurationError`.
 *
 * Integers that a `number` cannot hold reject when they are read. Some runtimes read a text only up to its first NUL.
 *
 * @example
 * ```ts
 * import type { SqliteTransaction } from "@hero/messaging/sqlite";
 *
 * async function reserve(tx: SqliteTransaction, item: string): Promise<boolean> {
 *   const { changes } = await tx.run("UPDATE stock SET count = count - 1 WHERE item = ? AND count > 0", item);
 *   return changes === 1;
 * }
 * ```
 */
export interface SqliteTransaction {
  /** A statement to be run often. Checked when it is run. */
  prepare<Row = Readonly<Record<string, SqliteValue>>>(sql: string): SqliteStatement<Row>;
  /** Runs a statement for what it does. */
  run(sql: string, ...values: readonly SqliteValue[]): Promise<SqliteResult>;
  /** The first row; `undefined` if there is none. */
  get<Row = Readonly<Record<string, SqliteValue>>>(
    sql: string,
    ...values: readonly SqliteValue[]
  ): Promise<Row | undefined>;
  /** All rows. */
  all<Row = Readonly<Record<string, SqliteValue>>>(
    sql: string,
    ...values: readonly SqliteValue[]
  ): Promise<readonly Row[]>;
}

/** Does something on the unit's connection, when it is its turn. */
export type Use = <Result>(work: (connection: Connection) => Result) => Promise<Result>;

/** What becomes true with a unit's commit and is none of its store's: a transport's rows in the same file. */
export interface Joined {
  /** Refuses with a `HeroError`, or does nothing. May be asked again. */
  check(connection: Connection): void;
  /** Writes; all has been checked. May be asked again, where the first try was undone. */
  write(connection: Connection): void;
  /** The unit is over. */
  ended(committed: boolean): void;
}
/** The unit of a transaction, for what joins it. */
export interface JoinableUnit {
  readonly file: File;
  /** @throws {TransactionEndedError} once the unit commits or has ended */
  join(joined: Joined): void;
}

/** What would end the transaction behind the unit's back. */
const forbidden = /^(begin|commit|end|rollback|savepoint|release|vacuum|attach|detach)\b/i;

/** The transaction of a unit, over what the unit lets through. */
export class Transaction implements SqliteTransaction {
  readonly #use: Use;
  readonly #refuse: (refusal: Error) => Promise<never>;
  readonly #unit: JoinableUnit;

  /** @param refuse what a statement gives that is not run */
  constructor(use: Use, refuse: (refusal: Error) => Promise<never>, unit: JoinableUnit) {
    this.#use = use;
    this.#refuse = refuse;
    this.#unit = unit;
  }

  /** The unit of what `ctx.tx` gave; `undefined`: it is no transaction of a SQLite store. */
  static unitOf(tx: unknown): JoinableUnit | undefined {
    return tx instanceof Transaction ? tx.#unit : undefined;
  }

  prepare<Row>(sql: string): SqliteStatement<Row> {
    return {
      run: (...values) => this.run(sql, ...values),
      get: (...values) => this.get<Row>(sql, ...values),
      all: (...values) => this.all<Row>(sql, ...values),
    };
  }

  run(sql: string, ...values: readonly SqliteValue[]): Promise<SqliteResult> {
    return this.#do(sql, values, (connection) => {
      const { changes, lastInsertRowid } = connection.prepareFor(sql, values.length).run(...values);
      return { changes: Number(changes), lastInsertRowid };
    });
  }

  get<Row>(sql: string, ...values: readonly SqliteValue[]): Promise<Row | undefined> {
    return this.#do(
      sql,
      values,
      (connection) => (connection.prepareFor(sql, values.length).get(...values) ?? undefined) as Row | undefined,
    );
  }

  all<Row>(sql: string, ...values: readonly SqliteValue[]): Promise<readonly Row[]> {
    // The rows are what the caller says.
    return this.#do(
      sql,
      values,
      (connection) => connection.prepareFor(sql, values.length).all(...values) as readonly Row[],
    );
  }

  #do<Result>(
    sql: string,
    values: readonly SqliteValue[],
    work: (connection: Connection) => Result,
  ): Promise<Result> {
    const refusal = refusalOf(sql) ?? unwritable(sql, values);
    return refusal === undefined ? this.#use(work) : this.#refuse(refusal);
  }
}

function refusalOf(sql: string): ConfigurationError | undefined {
  if (typeof sql !== "string") {
    return new ConfigurationError(`Cannot run ${shown(sql)}: a statement is text. Write tx.run("…", value, …)`);
  }
  const found = forbidden.exec(sql.slice(firstWordAt(sql, false)))?.[1];
  if (found === undefined) return undefined;
  return new ConfigurationError(
    `Cannot run ${found.toUpperCase()} in a unit of work: the unit begins and ends its transaction. Take it away`,
  );
}

/** What JavaScript lets pass: an object is a runtime's list of named values, of which a `Date` has none, and NULL is written. */
function unwritable(sql: string, values: readonly unknown[]): ConfigurationError | undefined {
  for (const [at, value] of values.entries()) {
    if (isSqliteValue(value)) continue;
    return new ConfigurationError(
      `Cannot use ${shown(value)} as value ${at + 1} of ${shown(sql)}: ` +
        (typeof value === "number"
          ? "SQLite would hold NULL for it. Write null if that is meant"
          : "SQLite holds null, numbers, bigints, texts and Uint8Arrays. Write a Date as a text or number, a boolean " +
            "as 0 or 1, and several values one after the other"),
    );
  }
  return undefined;
}

function isSqliteValue(value: unknown): value is SqliteValue {
  switch (typeof value) {
    case "number":
      return !Number.isNaN(value);
    case "bigint":
    case "string":
      return true;
    default:
      return value === null || ArrayBuffer.isView(value);
  }
}
