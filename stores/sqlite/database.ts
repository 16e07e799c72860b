/** A file and this process' connections to it. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { shown } from "../../src/errors/shown.ts";
import { KeyedLocks } from "../../src/values/keyed_locks.ts";
import { Checkpoints, type Log, type LoggedFile, wantedPages } from "./checkpoints.ts";
import { explain, explainOwn, isBusy } from "./errors.ts";
import { type Patience, patiently } from "./patience.ts";
import type { SqliteValue } from "./value.ts";
import { makeWritable } from "./writable.ts";

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
interface NativeDatabase {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}
type NativeConstructor = new (path: string, options: { readonly timeout: number }) => NativeDatabase;

/** More statements than this of one connection are forgotten. */
const maxStatements = 500;

/** SQLite's own. */
const pageBytes = 4_096;
/** After so many commits the event loop turns. */
const commitsPerTurn = 32;
/** Whoever writes holds the lock of this name. */
export const writerLock = "writer";

/** A connection that knows its statements. */
export class Connection {
  readonly #database: NativeDatabase;
  readonly #statements = new Map<string, Statement>();

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
   * @throws {ConfigurationError} if it is more than one
   */
  prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      refuseMore(sql.slice(statement.sourceSQL.length));
      if (this.#statements.size >= maxStatements) this.#statements.clear();
      this.#statements.set(sql, statement);
    }
    return statement;
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

/** SQLite prepares the first of several statements, and says nothing of the others. */
function refuseMore(rest: string): void {
  if (/^(?:\s|;|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))*$/.test(rest)) return;
  throw new ConfigurationError(
    `Cannot run several SQL statements at once: SQLite would run the first alone, and not ${shown(rest.trim())}. ` +
      "Run them one after the other",
  );
}

/** Whoever waits for rows, or is told of them. */
export type Listener = (table: string, bus: string, at: number) => void;

/** Runs something in so many milliseconds; gives what takes that back. */
export type Soon = (ms: number, run: () => void) => () => void;

/** A file as this process has it open: one connection that writes, one that reads what is committed. */
export class File implements LoggedFile {
  readonly path: string;
  readonly writer: Connection;
  readonly reader: Connection;
  readonly #checkpoints: Checkpoints | undefined;
  /** Lets the event loop turn. */
  readonly turn: () => Promise<void>;
  /** Runs something later, whatever clock the store has. */
  readonly soon: Soon;
  /** Commits since the event loop has turned. */
  #commits = 0;
  readonly #closing = new AbortController();
  /** Of the writer, of inbox keys and of sagas. */
  readonly locks: KeyedLocks = new KeyedLocks();
  readonly listeners = new Set<Listener>();
  /** Whether what is committed is to outlive a power cut. */
  #lasting = false;
  /** Whether the writer waits for the disk at each commit, as it is now. */
  #waits = false;

  /**
   * @param turn lets the event loop turn
   * @param soon runs something later
   */
  constructor(path: string, writer: Connection, reader: Connection, turn: () => Promise<void>, soon: Soon) {
    this.path = path;
    this.turn = turn;
    this.soon = soon;
    this.writer = writer;
    this.reader = reader;
    const own = knowsLog(writer);
    if (own) this.#checkpoints = new Checkpoints(this);
    // With our own ones, SQLite is to do only what they have not kept up with.
    writer.exec(`PRAGMA wal_autocheckpoint = ${own ? 3 * wantedPages : wantedPages / 2}`);
  }

  /** Whether what is committed is to outlive a power cut. */
  get lasting(): boolean {
    return this.#lasting;
  }

  /** From now on what is committed outlives a power cut. */
  last(): void {
    this.#lasting = true;
  }

  /**
   * How the writer's next transaction is committed; to be said before each begins.
   *
   * @param lax it need not outlive a power cut by itself: the next one that does takes it along
   */
  commits(lax: boolean): void {
    const waits = this.#lasting && !lax;
    if (waits === this.#waits) return;
    // Not prepared: it does its work when it is compiled.
    this.writer.exec(`PRAGMA synchronous = ${waits ? "FULL" : "NORMAL"}`);
    this.#waits = waits;
  }

  /** To be said after each commit. */
  committed(): void {
    this.#commits++;
    this.#checkpoints?.committed(this.#waits);
  }

  /**
   * To be awaited before a transaction begins, holding the lock: SQLite answers within the call, so that a process with
   * much to write would hear of nothing else.
   */
  async breathe(): Promise<void> {
    await this.turn();
    this.#commits = 0;
  }

  /** Whether it is time to {@linkcode File.breathe}. */
  get breathless(): boolean {
    return this.#commits >= commitsPerTurn;
  }

  /** Reads what is committed. Rejects with an error of the library where it knows what SQLite's means. */
  read<Result>(work: (reader: Connection) => Result, patience: Patience): Promise<Result> {
    try {
      return Promise.resolve(work(this.idle));
    } catch (error) {
      const again = isBusy(error) ? patiently(() => work(this.idle), this.path, patience) : Promise.reject(error);
      return again.catch((thrown) => {
        throw explainOwn(thrown, this.path);
      });
    }
  }

  /**
   * The connection that reads what is committed, now. The writer's where nothing is open there: what it has written is
   * in its cache, while a commit makes the other one forget all of its own.
   */
  get idle(): Connection {
    return this.writer.inTransaction ? this.reader : this.writer;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#checkpoints?.close();
    this.reader.close();
    this.writer.close();
  }

  /** As {@linkcode LoggedFile.measure}. */
  measure(): Log {
    return this.writer.prepare("PRAGMA wal_checkpoint(NOOP)").get() as Log; // two of its three columns
  }

  /** As {@linkcode LoggedFile.checkpoint}. */
  async checkpoint(): Promise<number> {
    await this.locks.acquire(writerLock, this.#closing.signal);
    try {
      const begin = performance.now();
      this.writer.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
      return performance.now() - begin;
    } finally {
      this.locks.release(writerLock);
    }
  }
}

/** Whether SQLite says how long its log is; before 3.51 it would do a checkpoint instead. */
function knowsLog(connection: Connection): boolean {
  const { version } = connection.prepare("SELECT sqlite_version() AS version").get() as { readonly version: string };
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}

/** The files that a process has open. */
export class Files {
  readonly #open = new Map<string, { readonly file: File; users: number }>();

  /** Opens a file, or shares it with who has it open. To be given back. */
  async acquire(path: string, synchronous: "full" | "normal", patience: Patience): Promise<File> {
    const native = await load();
    const { clearTimeout, setImmediate, setTimeout } = await import("node:timers");
    const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
    const soon: Soon = (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    };
    try {
      return await patiently(() => this.#acquire(native, path, synchronous, turn, soon), path, patience);
    } catch (error) {
      throw explain(error, path);
    }
  }

  /** Gives a file back; the last one closes it. */
  async release(file: File): Promise<void> {
    const shared = this.#open.get(file.path);
    if (shared === undefined || --shared.users > 0) return;
    this.#open.delete(file.path);
    await file.close();
  }

  #acquire(
    native: NativeConstructor,
    path: string,
    synchronous: "full" | "normal",
    turn: () => Promise<void>,
    soon: Soon,
  ): File {
    const writer = new native(path, { timeout: 0 });
    let reader: NativeDatabase | undefined;
    try {
      // Older ones do not tell when SQLite has ended a transaction by itself.
      if (typeof writer.isTransaction !== "boolean") throw tooOld();
      // As SQLite knows it: the same for every way to name it.
      const [main] = writer.prepare("PRAGMA database_list").all() as readonly { readonly file: string }[];
      // A URI can say so, in several ways.
      if (!main?.file) throw lastsNot(path);
      const name = main.file;
      let shared = this.#open.get(name);
      if (shared !== undefined) writer.close();
      else {
        makeWritable(writer, path);
        writer.exec("PRAGMA synchronous = NORMAL");
        // What a reader that held a snapshot for long has made of the log is given back to the disk.
        writer.exec(`PRAGMA journal_size_limit = ${2 * wantedPages * pageBytes}`);
        reader = new native(path, { timeout: 0 });
        reader.exec("PRAGMA query_only = 1");
        shared = { file: new File(name, new Connection(writer), new Connection(reader), turn, soon), users: 0 };
        this.#open.set(name, shared);
      }
      shared.users++;
      // What one store asks for, all on the file get.
      if (synchronous === "full") shared.file.last();
      return shared.file;
    } catch (error) {
      reader?.close();
      writer.close();
      throw error;
    }
  }
}

async function load(): Promise<NativeConstructor> {
  try {
    const { DatabaseSync } = await import("node:sqlite");
    return DatabaseSync;
  } catch (error) {
    throw tooOld(error);
  }
}

function lastsNot(path: string): ConfigurationError {
  return new ConfigurationError(
    `Cannot use the SQLite file "${path}": it is none, but a database in memory. ` +
      `Name a file, or use memoryStore() and memory() where nothing is to last`,
  );
}

function tooOld(cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `Cannot use a SQLite store: this runtime has no node:sqlite, or too old a one. ` +
      `Use Deno ≥ 2.9, Node ≥ 22.18, or a Bun that has it`,
    { cause },
  );
}
