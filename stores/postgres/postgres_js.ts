/** postgres.js as a store uses it. @module */
import type { Options, Row, Sql, TransactionSql } from "postgres";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { type ArrayType, arrayTypesOf, arrayTypesQuery, registerArrays } from "./array_types.ts";
import { registerBytes } from "./bytes.ts";
import type { Client } from "./client.ts";
import { deferredSql } from "./deferred_sql.ts";
import { isReadOnly, stateOf } from "./errors.ts";
import { type Dial, dialer, dialNoMore } from "./dial.ts";
import type { LastWords } from "./last_words.ts";
import type { Line } from "./line.ts";
import { LinePool } from "./line_pool.ts";
import { isPooled, lookAtPooler } from "./pooler.ts";
import type { Patience } from "./waiting.ts";
import type {
  JoinedSession,
  SqlClient,
  SqlConnection,
  SqlRow,
  SqlSession,
  SqlValue,
  UseTransaction,
} from "./sql_client.ts";

/** How postgres.js is used. */
export interface PostgresJsOptions {
  /** `undefined`: as `options` and the environment say, as always with postgres.js. */
  readonly url: string | undefined;
  readonly options: Options<Record<string, never>>;
  readonly max: number;
  /** `undefined`: unless a pooler stands before the database. */
  readonly prepare: boolean | undefined;
  /** Where to listen, if elsewhere. */
  readonly listenUrl: string | undefined;
  readonly patience: Patience;
  /** How long a connection may owe an answer, in milliseconds. */
  readonly answerMs: number;
}

/** Which statements may be prepared. */
interface Preparing {
  /** By the client. */
  statements: boolean;
  /** By name, as SQL can. */
  names: boolean;
}

/** One connection, had by one unit. */
class Connection implements SqlConnection<TransactionSql> {
  readonly #line: Line;
  readonly #release: () => void;
  readonly #preparing: Preparing;

  constructor(line: Line, preparing: Preparing, release: () => void) {
    this.#line = line;
    this.#preparing = preparing;
    this.#release = release;
  }

  get tx(): TransactionSql {
    // Of a client with one connection, what all share and what a transaction has to itself is the same.
    return this.#line.sql as unknown as TransactionSql;
  }
  get lost(): boolean {
    return this.#line.lost;
  }
  get lastWords(): LastWords | undefined {
    return this.#line.lastWords;
  }
  query(text: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#line.ask(text, values, prepares(values, this.#preparing.statements));
  }
  together(
    before: string,
    text: string,
    values: readonly SqlValue[],
    after: string,
  ): Promise<readonly SqlRow[]> | undefined {
    const { sql, inlined } = this.#line;
    // What a text means must not depend on how its bytes are read.
    if (!this.#preparing.names || sql.parameters["client_encoding"] !== "UTF8") return undefined;
    const found = inlined.textOf(text, values);
    if (found === undefined) return undefined;
    const all = `${before === "" ? "" : `${before};`}${found.text}${after === "" ? "" : `;${after}`}`;
    return this.#together(text, all, found.prepares);
  }
  async #together(text: string, all: string, prepares: boolean): Promise<readonly SqlRow[]> {
    try {
      return lastOf(await this.#line.ask(all, [], false));
    } catch (error) {
      if (prepares) this.#line.inlined.forget(text);
      // Others have taken it away, or a pooler has given this connection another server.
      if (stateOf(error) === "26000") this.#preparing.names = false;
      throw error;
    }
  }
  release(broken = false): void {
    if (broken) this.#line.close();
    this.#release();
  }
}

/** A pool of connections by postgres.js. */
export class PostgresJs implements SqlClient<TransactionSql> {
  readonly max: number;
  readonly #pool: LinePool;
  readonly #preparing: Preparing;
  /** Whether it is to be seen what stands before the database. */
  #looks = true;
  /** Whether it was said that statements are to be prepared. */
  readonly #told: boolean;
  readonly #patience: Patience;
  readonly #dial: Dial;
  readonly #listenDial: Dial;
  /** Makes fragments and typed values, and connects to nothing. */
  readonly #helpers: () => Sql;
  #arrays: readonly ArrayType[] | undefined;
  /** What handlers of this store are given. */
  readonly #deferred = new WeakSet<object>();

  constructor(client: Client, { url, options, max, prepare, listenUrl, patience, answerMs }: PostgresJsOptions) {
    this.max = max;
    this.#told = prepare === true;
    this.#patience = patience;
    const preparing = this.#preparing = { statements: prepare !== false, names: prepare !== false };
    if (options.fetch_types === false) this.#arrays = [];
    const made = dialer(client, url, { ...options, fetch_types: false });
    const dial: Dial = (own) => {
      const sql = made({ ...own, prepare: preparing.statements });
      registerBytes(sql);
      registerArrays(sql, this.#arrays ?? []);
      return sql;
    };
    this.#dial = dial;
    this.#pool = new LinePool(dial, max, patience, answerMs);
    this.#listenDial = listenUrl === undefined ? dial : dialer(client, listenUrl, options);
    let helpers: Sql | undefined;
    this.#helpers = () => helpers ??= dial({ max: 1 });
  }

  async connect(signal: AbortSignal, brief = false): Promise<SqlConnection<TransactionSql>> {
    const use = brief ? "flight" : "transaction";
    const line = await this.#pool.take(use, signal);
    return new Connection(line, this.#preparing, () => this.#pool.release(line, use));
  }

  free(): SqlConnection<TransactionSql> | undefined {
    const line = this.#pool.free();
    return line && new Connection(line, this.#preparing, () => this.#pool.release(line, "transaction"));
  }

  async query(text: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    // A pooler takes its connection away with an answer, and with it what postgres.js asks at once of a statement with
    // values behind it. In a transaction it does not.
    const use = !this.#preparing.statements && values.length === 0 ? "flight" : "statement";
    const found = this.#pool.take(use);
    const line = found instanceof Promise ? await found : found;
    try {
      // With the first statement, by which a store sees that its database is there.
      if (this.#looks) await this.#look(line);
      if (this.#arrays === undefined) await this.#learn(line);
      return await line.ask(text, values, prepares(values, this.#preparing.statements));
    } catch (error) {
      if (isReadOnly(error)) line.readOnly = true;
      throw error;
    } finally {
      this.#pool.release(line, use);
    }
  }

  /**
   * Between a pooler and a client, what is prepared may be behind another connection than what runs it, and postgres.js
   * then waits for answers that never come.
   *
   * @throws {ConfigurationError} if it was said to prepare, and the pooler does not keep it
   */
  async #look(line: Line): Promise<void> {
    if (await isPooled(line)) {
      this.#pool.relayed();
      if (this.#told) await this.#check(line.sql);
      else {
        this.#preparing.statements = this.#preparing.names = false;
        Object.assign(line.sql.options, { prepare: false }); // read at each statement
      }
    }
    this.#looks = false;
  }

  async #check(sql: Sql): Promise<void> {
    const { clock, where } = this.#patience;
    const other = this.#dial({ max: 1, idle_timeout: 0, max_lifetime: null });
    const { shares, keepsPrepared } = await lookAtPooler(sql, other, clock).finally(() => other.end({ timeout: 0 }));
    if (!keepsPrepared) {
      throw new ConfigurationError(
        `Cannot use { prepare: true }: the pooler before "${where}" shares connections by transaction, and keeps no ` +
          `prepared statements. Leave { prepare } out, or have it keep them (PgBouncer ≥ 1.21, max_prepared_statements)`,
      );
    }
    // Those that SQL prepares by name no pooler keeps.
    if (shares) this.#preparing.names = false;
  }

  async #learn(line: Line): Promise<void> {
    registerArrays(line.sql, this.#arrays = arrayTypesOf(await line.ask(arrayTypesQuery, [], false)));
  }

  join(tx: TransactionSql): JoinedSession {
    checkTransaction(tx);
    const ask = async (text: string, values: readonly SqlValue[], may: boolean): Promise<readonly SqlRow[]> => {
      const prepare = prepares(values, may);
      return await tx.unsafe<Row[]>(text, [...values] as (string | number | null)[], { prepare }).values();
    };
    const query: SqlSession["query"] = (text, values = []) => ask(text, values, this.#preparing.statements);
    // A unit's own takes nothing once it has ended, and no savepoint in a text.
    return this.#deferred.has(tx) ? { query } : { query, script: (text) => ask(text, [], false) };
  }

  defer(use: UseTransaction<TransactionSql>): TransactionSql {
    const tx = deferredSql(use, this.#helpers);
    this.#deferred.add(tx);
    return tx;
  }

  async listen(channel: string, heard: (payload: string) => void): Promise<() => Promise<void>> {
    const sql = this.#listenDial({ max: 1, idle_timeout: 0, max_lifetime: null });
    const end = () => {
      // It listens by a client that it makes itself, which may be about to connect again.
      const listening: Sql | undefined = Reflect.get(sql.listen, "sql");
      if (listening !== undefined) dialNoMore(listening);
      return sql.end({ timeout: 0 });
    };
    try {
      // Told once more whenever it listens again: what was said meanwhile was not heard.
      await sql.listen(channel, heard, () => heard(""));
      return end;
    } catch (error) {
      await end().catch(() => {});
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

/** What is written with the client itself is in no transaction, and stays where one is rolled back. */
function checkTransaction(tx: unknown): void {
  const is = (name: string): boolean => tx instanceof Object && typeof Reflect.get(tx, name) === "function";
  if (is("unsafe") && !is("begin")) return;
  throw new ConfigurationError(
    `Cannot join this { tx }: it is ${
      is("begin") ? "the client itself, and no transaction" : "none of postgres.js"
    }. ` +
      `Give what the client's begin() hands to its function, as in sql.begin((tx) => bus.publish(…, { tx }))`,
  );
}

/** Where rows come behind another statement's end, the client gives a list of results. */
function lastOf(found: readonly SqlRow[]): readonly SqlRow[] {
  const last = found.at(-1);
  return last !== undefined && "command" in last ? last as readonly unknown[] as readonly SqlRow[] : found;
}

/** Without values, each text may be another. */
function prepares(values: readonly SqlValue[], may: boolean): boolean {
  return may && values.length > 0;
}
