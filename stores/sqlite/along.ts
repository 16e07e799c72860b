/** What goes along with another's commit. @module */
import type { Connection } from "./connection.ts";
import type { Soon } from "./file.ts";
import type { Job } from "./job.ts";
import type { Patience } from "./patience.ts";

/** What nobody waits for has waited for a commit to go along with for so long. */
const soonMs = 4;
/** So much waits at most until nobody waits for the writer. */
const most = 32;

/** What has gone along with a commit that is still to come, and what it gave. */
export type Done = readonly [job: Job, result: unknown];

/** Work that nobody waits for: it goes along with the next commit, or has one of its own some milliseconds later. */
export class Along {
  readonly #patience: Patience;
  readonly #soon: Soon;
  readonly #writeOwn: (jobs: readonly Job[]) => void;
  #jobs: Job[] = [];
  /** Ends the wait for a commit. */
  #hurry: (() => void) | undefined;

  /** @param writeOwn gives work a commit of its own */
  constructor(patience: Patience, soon: Soon, writeOwn: (jobs: readonly Job[]) => void) {
    this.#patience = patience;
    this.#soon = soon;
    this.#writeOwn = writeOwn;
    patience.signal.addEventListener("abort", () => this.#hurry?.(), { once: true });
  }

  add(job: Job): void {
    this.#jobs.push(job);
    this.#time();
  }

  get size(): number {
    return this.#jobs.length;
  }
  /** Whether it waits no longer for those who wait for the writer. */
  get isMuch(): boolean {
    return this.#jobs.length >= most;
  }

  /** Does all of it in the open transaction. What fails is done in one of its own. */
  take(connection: Connection): Done[] {
    const done: Done[] = [];
    const jobs = this.#jobs.splice(0);
    for (const [at, job] of jobs.entries()) {
      try {
        done.push([job, job.work(connection)]);
      } catch (error) {
        this.#writeOwn([job]);
        if (connection.inTransaction) continue;
        this.#jobs = jobs.slice(at + 1);
        this.leave(done);
        throw error;
      }
    }
    return done;
  }

  /** It was not committed: it waits for the next one. */
  leave(done: readonly Done[]): void {
    this.#jobs.unshift(...done.map(([job]) => job));
    this.#time();
  }

  #time(): void {
    if (this.#hurry !== undefined) return;
    const { clock } = this.#patience;
    const hurry = (): void => {
      this.#hurry = undefined;
      for (const cancel of cancels) cancel();
      const jobs = this.#jobs.splice(0);
      if (jobs.length > 0) this.#writeOwn(jobs);
    };
    // By the clock, as leases end by it; and whatever it does: that of a test may stand still.
    const cancels = [clock.at(clock.now() + soonMs, hurry), this.#soon(soonMs, hurry)];
    this.#hurry = hurry;
  }
}
