/** The one that writes. @module */
import { HeroError } from "../../src/errors/hero_error.ts";
import { OutcomeUnknownError, WriterHeldError } from "../../src/errors/store.ts";
import { Along } from "./along.ts";
import type { Connection } from "./connection.ts";
import { explainOwn, isBusy, isOutcomeUnknown, storeName } from "./errors.ts";
import type { File } from "./file.ts";
import { Job, type Work } from "./job.ts";
import { type Patience, patiently } from "./patience.ts";
import type { Holder, Limit } from "./writer_lock.ts";

/** More than this share no commit, so that the process is not held up. */
const maxJobs = 256;

type Outcome = { readonly result: unknown } | { readonly error: unknown };

/** Writes in transactions, one at a time. Work that is ready together shares one commit. */
export class Writer {
  readonly #file: File;
  readonly #patience: Patience;
  readonly #limit: Limit;
  readonly #jobs: Job[] = [];
  readonly #along: Along;
  #flushing = false;
  /** Whether its turn has been waited for: what comes now waits from now on. */
  #waits = false;

  constructor(file: File, patience: Patience) {
    this.#file = file;
    this.#patience = patience;
    this.#limit = { clock: patience.time, lockTimeoutMs: patience.lockTimeoutMs };
    this.#along = new Along(patience, file.soon, (jobs) => this.#writeOwn(jobs));
  }

  /**
   * Writes in a transaction that it may share with other work. Resolves when it is committed; rejects with what `work`
   * threw, or with the signal's reason if that aborts before it is its turn.
   */
  write<Result>(work: Work<Result>, signal: AbortSignal = this.#patience.signal): Promise<Result> {
    return this.#write(work, signal, false);
  }

  /**
   * The same of what may be undone by a power cut, until something that must not is written: by itself it does not wait
   * for the disk.
   */
  writeLax<Result>(work: Work<Result>): Promise<Result> {
    return this.#write(work, this.#patience.signal, true);
  }

  /**
   * The same of what nobody waits for, and what may be undone by a power cut: it goes along with the next commit that
   * others do not wait for, or has one of its own some milliseconds later. It must not refuse, and what it did before it
   * failed may stay.
   */
  writeAlong<Result>(work: Work<Result>): Promise<Result> {
    const { signal } = this.#patience;
    return new Promise<Result>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      this.#along.add(new Job(work, true, resolve as Job["resolve"], reject)); // it gives what this very work gave
    });
  }

  #writeOwn(jobs: readonly Job[]): void {
    this.#jobs.push(...jobs);
    if (!this.#flushing) void this.#flush();
  }

  #write<Result>(work: Work<Result>, signal: AbortSignal, lax: boolean): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      // When the writer's own aborts, whoever waits for the lock is told, and with it all that wait here.
      const job = new Job(work, lax, resolve as Job["resolve"], reject); // it gives what this very work gave
      if (signal !== this.#patience.signal) job.listen(signal, this.#jobs);
      if (this.#waits) job.since = this.#limit.clock.now();
      this.#jobs.push(job);
      if (!this.#flushing) void this.#flush();
    });
  }

  /** Writes alone and at once; `undefined`: somebody else writes, in this process or another. */
  writeAtOnce<Result>(work: Work<Result>): { readonly result: Result } | undefined {
    const connection = this.#openAtOnce();
    if (connection === undefined) return undefined;
    try {
      const result = work(connection);
      this.#commit();
      return { result };
    } catch (error) {
      if (isBusy(error)) return undefined;
      throw explainOwn(error, this.#file.path);
    } finally {
      this.rollback();
    }
  }

  /** The same where nobody waits for the event loop to turn, and the disk is not waited for, which others could share. */
  writeSoon<Result>(work: Work<Result>): { readonly result: Result } | undefined {
    const { lasting, breathless } = this.#file;
    return lasting || breathless ? undefined : this.writeAtOnce(work);
  }

  /** As {@linkcode Writer.open}, with no promise; `undefined`: something has to be waited for. */
  openNow(holder: Holder): Connection | undefined {
    if (this.#file.breathless) return undefined;
    const connection = this.#openAtOnce();
    if (connection !== undefined) this.#file.writing.holdFor(holder);
    return connection;
  }

  #openAtOnce(): Connection | undefined {
    const { writer, writing, path } = this.#file;
    if (!writing.tryAcquire()) return undefined;
    try {
      this.#file.commits(false);
      writer.prepare("BEGIN IMMEDIATE").run();
      return writer;
    } catch (error) {
      this.rollback();
      if (isBusy(error)) return undefined;
      throw explainOwn(error, path);
    }
  }

  /**
   * Opens a transaction for one alone, which ends it with `commit` or `rollback`.
   *
   * @throws {WriterHeldError} where another such has kept it for too long
   */
  async open(signal: AbortSignal, holder: Holder): Promise<Connection> {
    const { writing } = this.#file;
    await writing.acquire(signal, this.#limit);
    try {
      await this.#begin(signal, false);
      writing.holdFor(holder);
    } catch (error) {
      writing.release();
      throw explainOwn(error, this.#file.path);
    }
    return this.#file.writer;
  }

  /** Commits what `open` opened, and lets the next one in, whatever comes of it. */
  commit(): void {
    try {
      this.#commit();
    } finally {
      this.rollback();
    }
  }

  /** Undoes what `open` opened, as far as SQLite has not, and lets the next one in. */
  rollback(): void {
    try {
      this.#file.writer.rollback();
    } finally {
      this.#file.writing.release();
    }
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    try {
      while (this.#jobs.length > 0) {
        // What becomes ready in the same turn comes along.
        for (let ready = 0; ready < this.#jobs.length;) {
          ready = this.#jobs.length;
          for (let hops = 0; hops < 4; hops++) await undefined;
        }
        await this.#turn();
      }
    } finally {
      this.#flushing = false;
    }
  }

  async #turn(): Promise<void> {
    let jobs: Job[] = [];
    try {
      await this.#acquire();
      this.#waits = false;
    } catch (error) {
      this.#waits = false;
      const { clock, lockTimeoutMs } = this.#limit;
      const late = clock.now() - lockTimeoutMs;
      // What has come since may not have waited for as long.
      const next = error instanceof WriterHeldError ? this.#jobs.findIndex(({ since = late }) => since > late) : -1;
      for (const job of this.#jobs.splice(0, next === -1 ? this.#jobs.length : next)) job.reject(error);
      return;
    }
    let outcomes: readonly Outcome[];
    try {
      if (this.#jobs.length === 0) return; // all given up meanwhile
      const lax = this.#jobs.every((job) => job.lax);
      await this.#begin(this.#patience.signal, lax);
      // What came while another process had the lock, and must last, is next.
      const lasting = lax ? this.#jobs.findIndex((job) => !job.lax) : -1;
      jobs = this.#jobs.splice(0, lasting === -1 ? maxJobs : Math.min(lasting, maxJobs));
      outcomes = await this.#together(jobs, lax);
    } catch (error) {
      const reason = explainOwn(error, this.#file.path);
      for (const job of [...jobs, ...this.#jobs.splice(0)]) job.reject(reason);
      return;
    } finally {
      this.#file.writing.release();
    }
    for (const [at, job] of jobs.entries()) {
      const outcome = outcomes[at]!; // one each
      if ("error" in outcome) job.reject(explainOwn(outcome.error, this.#file.path));
      else job.resolve(outcome.result);
    }
  }

  /** Waits for the lock for as long as the first job may wait. */
  async #acquire(): Promise<void> {
    const { writing } = this.#file;
    const { signal } = this.#patience;
    signal.throwIfAborted();
    if (writing.tryAcquire()) return;
    this.#waits = true;
    const since = this.#jobs[0]?.since;
    await writing.acquire(signal, since === undefined ? this.#limit : { ...this.#limit, since });
  }

  /** All in the open transaction; each alone if that fails. */
  async #together(jobs: readonly Job[], lax: boolean): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    try {
      for (const { work } of jobs) outcomes.push(this.#attempt(work));
      this.#commit();
      return outcomes;
    } catch (error) {
      this.#file.writer.rollback();
      if (jobs.length === 1 || error instanceof OutcomeUnknownError) return jobs.map(() => ({ error }));
    }
    const alone: Outcome[] = [];
    for (const { work } of jobs) {
      try {
        await this.#begin(this.#patience.signal, lax);
        const outcome = this.#attempt(work);
        this.#commit();
        alone.push(outcome);
      } catch (error) {
        this.#file.writer.rollback();
        alone.push({ error });
      }
    }
    return alone;
  }

  /** A refusal has written nothing, so others may go on; any other error is thrown. */
  #attempt(work: Work<unknown>): Outcome {
    try {
      return { result: work(this.#file.writer) };
    } catch (error) {
      if (error instanceof HeroError) return { error };
      throw error;
    }
  }

  async #begin(signal: AbortSignal, lax: boolean): Promise<void> {
    if (this.#file.breathless) await this.#file.breathe();
    signal.throwIfAborted();
    this.#file.commits(lax);
    // IMMEDIATE: a transaction that reads first and writes then could not go on where another wrote meanwhile.
    await patiently(() => void this.#file.writer.prepare("BEGIN IMMEDIATE").run(), this.#file.path, {
      ...this.#patience,
      signal,
    });
  }

  #commit(): void {
    const along = this.#takesAlong ? this.#along.take(this.#file.writer) : undefined;
    try {
      this.#file.writer.prepare("COMMIT").run();
      this.#file.committed();
    } catch (error) {
      if (along !== undefined) this.#along.leave(along);
      if (isOutcomeUnknown(error)) throw new OutcomeUnknownError(storeName, { cause: error });
      throw error;
    }
    if (along !== undefined) { for (const [job, result] of along) job.resolve(result); }
  }

  /** Whoever waits for the writer comes first: what is done at once for many costs less for each. */
  get #takesAlong(): boolean {
    const { size, isMuch } = this.#along;
    return isMuch || (size > 0 && this.#jobs.length === 0 && !this.#file.writing.isAwaited);
  }
}
