/** A file, and this process' connections to it. @module */
import { KeyedLocks } from "../../src/values/keyed_locks.ts";
import { Checkpoints, type Log, type LoggedFile, wantedPages } from "./checkpoints.ts";
import type { Connection } from "./connection.ts";
import { explainOwn, isBusy } from "./errors.ts";
import type { FileIdentity } from "./file_identity.ts";
import { type Patience, patiently } from "./patience.ts";
import { WriterLock } from "./writer_lock.ts";

/** After so many commits the event loop turns. */
const commitsPerTurn = 32;

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
  /** Of inbox keys and of sagas. */
  readonly locks: KeyedLocks = new KeyedLocks();
  /** Whoever writes has it. */
  readonly writing: WriterLock;
  readonly listeners = new Set<Listener>();
  /** Whether it is still the file of its name. */
  readonly identity: FileIdentity;
  /** Whether what is committed is to outlive a power cut. */
  #lasting = false;
  /** Whether the writer waits for the disk at each commit, as it is now. */
  #waits = false;

  /**
   * @param turn lets the event loop turn
   * @param soon runs something later
   */
  constructor(
    path: string,
    writer: Connection,
    reader: Connection,
    turn: () => Promise<void>,
    soon: Soon,
    identity: FileIdentity,
  ) {
    this.path = path;
    this.writing = new WriterLock(path);
    this.turn = turn;
    this.soon = soon;
    this.identity = identity;
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
    this.writing.close();
    await this.identity.close();
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
    await this.writing.acquire(this.#closing.signal);
    try {
      const begin = performance.now();
      this.writer.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
      return performance.now() - begin;
    } finally {
      this.writing.release();
    }
  }
}

/** Whether SQLite says how long its log is; before 3.51 it would do a checkpoint instead. */
function knowsLog(connection: Connection): boolean {
  const { version } = connection.prepare("SELECT sqlite_version() AS version").get() as { readonly version: string };
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}
