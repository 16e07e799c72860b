/** When what is committed is brought from the write-ahead log into the file. @module */

/** The log is brought in when so many of its pages are not: 32 MB. It grows on until that is done. */
export const wantedPages = 8_000;
/** No fewer than these are worth the waits that each checkpoint has, however many there are. */
const fewestPages = 2_000;
/** A checkpoint is to hold up the process for no longer: more than a disk that is merely busy takes for any number. */
const longestMs = 50;
/** After so many pages the disk is asked on the way: 2 MB. */
const pagesPerSync = 500;
/** So often the disk is asked before: while it takes what there is, a busy writer adds, less each time. */
const syncs = 3;
/** After so many commits it looks how many pages there are, in 1.5 µs. One may have a thousand pages. */
const commitsPerLook = 4;

/** What SQLite says of the log, in pages. */
export interface Log {
  readonly log: number;
  /** How many of them are brought in. */
  readonly checkpointed: number;
}

/** The log of a file. */
export interface LoggedFile {
  /** Its own path. */
  readonly path: string;
  /** How much there is of it. */
  measure(): Log;
  /**
   * Brings it in, as far as readers let it, while nobody writes: only then the log can begin anew. Gives the milliseconds
   * for which that held up the process.
   */
  checkpoint(): Promise<number>;
}

/** What is used of `node:fs`. */
export interface FileSystem {
  open(path: string, flags: string, done: (error: unknown, descriptor: number) => void): void;
  fdatasync(descriptor: number, done: (error: unknown) => void): void;
  close(descriptor: number, done: (error: unknown) => void): void;
}

/**
 * Checkpoints at a time of our own. One that SQLite does within a commit waits for the disk to take the whole log, tens
 * of milliseconds in which the process stands still. The system can be asked for the same without waiting, beforehand:
 * then a millisecond or two are left. And it is asked on the way: all of it at once would keep disk and processors busy
 * for 10 ms, in which the process is put aside again and again. It is no more than a beginning made early, so whatever
 * fails is left to SQLite, which brings the log in by itself where it has grown too far.
 *
 * Only the log is opened for this: that a process closes any descriptor of another of SQLite's files takes SQLite's
 * locks of it away.
 */
export class Checkpoints {
  readonly #file: LoggedFile;
  readonly #mostPages: number;
  #wantedPages: number;
  #commits = 0;
  /** So many pages, of those that are to be brought in, the disk has been asked to take. */
  #taken = 0;
  #running: Promise<void> | undefined;
  #asking: Promise<void> | undefined;
  #system: FileSystem | undefined;
  #descriptor: Promise<number> | undefined;
  #closed = false;

  /**
   * @param pages how many are to be there when the log is brought in
   * @param system the runtime's own
   */
  constructor(file: LoggedFile, pages: number = wantedPages, system?: FileSystem) {
    this.#file = file;
    this.#system = system;
    this.#mostPages = pages;
    this.#wantedPages = pages;
  }

  /** Whether it has begun to bring the log in. */
  get underWay(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Something was committed. Throws nothing.
   *
   * @param taken the disk has taken all that there is, as SQLite has waited for it
   */
  committed(taken: boolean = false): void {
    if (++this.#commits < commitsPerLook || this.#running !== undefined || this.#closed) return;
    this.#commits = 0;
    const pages = this.#pages();
    // SQLite does it, or says in a commit what is wrong.
    if (pages >= this.#wantedPages) {
      this.#taken = 0;
      this.#running = this.#bringIn().catch(() => {}).finally(() => this.#running = undefined);
    } else if (taken || pages < this.#taken) this.#taken = pages; // a checkpoint may have been another's
    else if (pages >= this.#taken + pagesPerSync && this.#asking === undefined) {
      this.#taken = pages;
      this.#asking = this.#sync().catch(() => {}).finally(() => this.#asking = undefined);
    }
  }

  /** Does nothing from now on. Resolves when nothing is under way and the log need not be waited for. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#asking;
    const descriptor = await this.#descriptor?.catch(() => undefined);
    if (descriptor === undefined) return;
    await this.#sync(); // the last one to close a file brings its log in
    this.#descriptor = undefined;
    await new Promise<void>((resolve) => this.#system?.close(descriptor, () => resolve()));
  }

  /** How many are to be brought in. */
  #pages(): number {
    try {
      const { log, checkpointed } = this.#file.measure();
      return log - checkpointed;
    } catch {
      return 0; // as with what fails later
    }
  }

  async #bringIn(): Promise<void> {
    for (let times = 0; times < syncs; times++) await this.#sync();
    if (!this.#closed) this.#adapt(await this.#file.checkpoint());
  }

  /** Pages that lie apart in a large file take the disk 10 µs each, which is waited for; others next to nothing. */
  #adapt(tookMs: number): void {
    if (tookMs > longestMs) this.#wantedPages = Math.max(this.#wantedPages / 2, Math.min(fewestPages, this.#mostPages));
    else if (tookMs < longestMs / 4) this.#wantedPages = Math.min(this.#wantedPages * 2, this.#mostPages);
  }

  async #open(): Promise<number> {
    const system = this.#system ??= await import("node:fs");
    return await new Promise((resolve, reject) =>
      system.open(`${this.#file.path}-wal`, "r+", (error, descriptor) => {
        if (!error) return resolve(descriptor);
        this.#descriptor = undefined; // the next one may have more luck
        reject(error);
      })
    );
  }

  /** Has the disk take the log. What fails here fails in SQLite, too. */
  async #sync(): Promise<void> {
    const descriptor = await (this.#descriptor ??= this.#open());
    await new Promise<void>((resolve) => {
      if (this.#system === undefined) resolve();
      else this.#system.fdatasync(descriptor, () => resolve());
    });
  }
}
