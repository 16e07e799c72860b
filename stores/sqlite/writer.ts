/** The one that writes. @module */
import { HeroError } from "../../src/errors/hero_error.ts";
import { OutcomeUnknownError } from "../../src/errors/store.ts";
import { type Connection, type File, writerLock } from "./database.ts";
import { explainOwn, isBusy, isOutcomeUnknown, storeName } from "./errors.ts";
import { type Patience, patiently } from "./patience.ts";

/** More than this share no commit, so that the process is not held up. */
const maxJobs = 256;

/** What nobody waits for has waited for a commit to go along with for so long. */
const soonMs = 4;
/** So much waits at most until nobody waits for the writer. */
const maxAlong = 32;

/** What is written in one go: it reads and refuses with a `HeroError` first, and writes then. May be done again. */
type Work<Result> = (connection: Connection) => Result;

/** No literal: V8 may come to make those of a place in its old generation, and keeps what they refer to. */
class Job {
  readonly work: Work<unknown>;
  readonly lax: boolean;
  resolve: (result: unknown) => void;
  reject: (reason: unknown) => void;

  constructor(work: Job["work"], lax: boolean, resolve: Job["resolve"], reject: Job["reject"]) {
    this.work = work;
    this.lax = lax;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** Gives it up when a signal aborts, while it waits. */
  listen(signal: AbortSignal, waiting: Job[]): void {
    const { resolve, reject } = this;
    const abort = (): void => {
      const at = waiting.indexOf(this);
      if (at === -1) return; // its turn has come
      waiting.splice(at, 1);
      reject(signal.reason);
    };
    // Not assigned as they are made: V8 makes such functions in the old generation, where they keep the job's work.
    const resolveAndForget: Job["resolve"] = (result) => {
      signal.removeEventListener("abort", abort);
      resolve(result);
    };
    const rejectAndForget: Job["reject"] = (reason) => {
      signal.removeEventListener("abort", abort);
      reject(reason);
    };
    this.resolve = resolveAndForget;
    this.reject = rejectAndForget;
    signal.addEventListener("abort", abort, { once: true });
  }
}
/** What has gone along with a commit that is still to come, and what it gave. */
type Done = readonly [job: Job, result: unknown];
type Outcome = { readonly result: unknown } | { readonly error: unknown };

/** Writes in transactions, one at a time. Work that is ready together shares one commit. */
export class Writer {
  readonly #file: File;
  readonly #patience: Patience;
  readonly #jobs: Job[] = [];
  #flushing = false;
  /** What goes along with the next commit. */
  #along: Job[] = [];
  /** Ends the wait for one. */
  #hurry: (() => void) | undefined;

  constructor(file: File, patience: Patience) {
    this.#file = file;
    this.#patience = patience;
    patience.signal.addEventListener("abort", () => this.#hurry?.(), { once: true });
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
   * The same of what nobody waits for: it goes along with the next commit that others do not wait for, or has one of its
   * own some milliseconds later. It must not refuse, and what it did before it failed may stay.
   */
  writeAlong<Result>(work: Work<Result>): Promise<Result> {
    const { signal } = this.#patience;
    return new Promise<Result>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      this.#along.push(new Job(work, false, resolve as Job["resolve"], reject)); // it gives what this very work gave
      this.#timeAlong();
    });
  }

  #timeAlong(): void {
    if (this.#hurry !== undefined) return;
    const { clock } = this.#patience;
    const hurry = (): void => {
      this.#hurry = undefined;
      for (const cancel of cancels) cancel();
      this.#writeOwn(this.#along.splice(0));
    };
    // By the clock, as leases end by it; and whatever it does: that of a test may stand still.
    const cancels = [clock.at(clock.now() + soonMs, hurry), this.#file.soon(soonMs, hurry)];
    this.#hurry = hurry;
  }

  #writeOwn(jobs: readonly Job[]): void {
    if (jobs.length === 0) return;
    this.#jobs.push(...jobs);
    if (!this.#flushing) void this.#flush();
  }

  #write<Result>(work: Work<Result>, signal: AbortSignal, lax: boolean): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      // When the writer's own aborts, whoever waits for the lock is told, and with it all that wait here.
      const job = new Job(work, lax, resolve as Job["resolve"], reject); // it gives what this very work gave
      if (signal !== this.#patience.signal) job.listen(signal, this.#jobs);
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
  openNow(): Connection | undefined {
    return this.#file.breathless ? undefined : this.#openAtOnce();
  }

  #openAtOnce(): Connection | undefined {
    const { writer, locks, path } = this.#file;
    if (!locks.tryAcquire(writerLock)) return undefined;
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

  /** Opens a transaction for one alone, which ends it with `commit` or `rollback`. */
  async open(signal: AbortSignal): Promise<Connection> {
    await this.#file.locks.acquire(writerLock, signal);
    try {
      await this.#begin(signal, false);
    } catch (error) {
      this.#file.locks.release(writerLock);
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
      this.#file.locks.release(writerLock);
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
      await this.#file.locks.acquire(writerLock, this.#patience.signal);
    } catch (error) {
      for (const job of this.#jobs.splice(0)) job.reject(error);
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
      this.#file.locks.release(writerLock);
    }
    for (const [at, job] of jobs.entries()) {
      const outcome = outcomes[at]!; // one each
      if ("error" in outcome) job.reject(explainOwn(outcome.error, this.#file.path));
      else job.resolve(outcome.result);
    }
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
    const along = this.#takesAlong ? this.#takeAlong() : undefined;
    try {
      this.#file.writer.prepare("COMMIT").run();
      this.#file.committed();
    } catch (error) {
      if (along !== undefined) this.#leave(along);
      if (isOutcomeUnknown(error)) throw new OutcomeUnknownError(storeName, { cause: error });
      throw error;
    }
    if (along !== undefined) { for (const [job, result] of along) job.resolve(result); }
  }

  /** Whoever waits for the writer comes first: what is done at once for many costs less for each. */
  get #takesAlong(): boolean {
    const { length } = this.#along;
    return length >= maxAlong || (length > 0 && this.#jobs.length === 0 && !this.#file.locks.isAwaited(writerLock));
  }

  /** In the open transaction. What fails of it is done in one of its own. */
  #takeAlong(): Done[] {
    const { writer } = this.#file;
    const done: Done[] = [];
    const along = this.#along.splice(0);
    for (const [at, job] of along.entries()) {
      try {
        done.push([job, job.work(writer)]);
      } catch (error) {
        this.#writeOwn([job]);
        if (writer.inTransaction) continue;
        this.#along = along.slice(at + 1);
        this.#leave(done);
        throw error;
      }
    }
    return done;
  }

  /** They are not committed. */
  #leave(along: readonly Done[]): void {
    this.#along.unshift(...along.map(([job]) => job));
    this.#timeAlong();
  }
}
