/** A connection to a file. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { shown } from "../../src/errors/shown.ts";
import { firstWordAt } from "../../src/values/first_word.ts";
import { type Parameters, parametersOf } from "./parameters.ts";
import type { SqliteValue } from "./value.ts";

/** As `node:sqlite` has it, on every runtime. */
export interface Statement {
  /** Of what it was prepared from, the first statement. */
  readonly sourceSQL: string;
  run(
    ...values: readonly SqliteValue[]
  ): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...values: readonly SqliteValue[]): unknown;
  all(...values: readonly SqliteValue[]): unknown[];
}
/** The same. */
export interface NativeDatabase {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** A statement, and what it wants, once that was asked. */
class Prepared {
  readonly statement: Statement;
  parameters: Parameters | undefined;

  constructor(statement: Statement) {
    this.statement = statement;
  }
}

/** More statements than this of one connection are forgotten. */
const maxStatements = 500;

/** A connection that knows its statements. */
export class Connection {
  readonly #database: NativeDatabase;
  readonly #statements = new Map<string, Prepared>();

  constructor(database: NativeDatabase) {
    this.#database = database;
  }

  /** Whether a transaction is open; SQLite ends it by itself after some errors. */
  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Runs statements that give nothing. */
  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /**
   * A statement, prepared once.
   *
   * @throws {ConfigurationError} if it is none, or more than one
   */
  prepare(sql: string): Statement {
    return this.#prepared(sql).statement;
  }

  /**
   * The same for so many values: where some are missing, a runtime takes NULL for them.
   *
   * @throws {ConfigurationError} if it wants fewer or more, too
   */
  prepareFor(sql: string, values: number): Statement {
    const prepared = this.#prepared(sql);
    const parameters = prepared.parameters ??= parametersOf(sql);
    if (parameters.values !== values || parameters.named !== undefined) throw notFor(sql, parameters, values);
    return prepared.statement;
  }

  #prepared(sql: string): Prepared {
    let prepared = this.#statements.get(sql);
    if (prepared === undefined) {
      refuseNone(sql);
      const statement = this.#database.prepare(sql);
      refuseMore(sql.slice(statement.sourceSQL.length));
      prepared = new Prepared(statement);
      if (this.#statements.size >= maxStatements) this.#statements.clear();
      this.#statements.set(sql, prepared);
    }
    return prepared;
  }

  /** Undoes what is open, if anything is. */
  rollback(): void {
    if (this.inTransaction) this.prepare("ROLLBACK").run();
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

/** SQLite gives no statement then. On Deno the process ends when that one is asked for its text. */
function refuseNone(sql: string): void {
  if (firstWordAt(sql, false) < sql.length && !sql.includes("\0")) return;
  throw new ConfigurationError(
    `Cannot run ${shown(sql)}: SQLite reads a text up to its first NUL, and needs a statement there. Write one`,
  );
}

/** SQLite prepares the first of several statements, and says nothing of the others. */
function refuseMore(rest: string): void {
  if (firstWordAt(rest, false) === rest.length) return;
  throw new ConfigurationError(
    `Cannot run several SQL statements at once: SQLite would run the first alone, and not ${shown(rest.trim())}. ` +
      "Run them one after the other",
  );
}

function notFor(sql: string, parameters: Parameters, values: number): ConfigurationError {
  const { named } = parameters;
  return new ConfigurationError(
    named === undefined
      ? `Cannot run ${shown(sql)} with ${counted(values)}: it has ${
        counted(parameters.values)
      } to be given, one for each ` +
        `"?". Write one after the other, and null where nothing is to be`
      : `Cannot run ${shown(sql)}: its ${shown(named)} is given by a name, and values here by their place. Write "?"`,
  );
}

function counted(values: number): string {
  return `${values} ${values === 1 ? "value" : "values"}`;
}
