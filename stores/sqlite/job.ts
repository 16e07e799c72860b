/** What is to be written. @module */
import type { Connection } from "./connection.ts";

/** What is written in one go: it reads and refuses with a `HeroError` first, and writes then. May be done again. */
export type Work<Result> = (connection: Connection) => Result;

/** Work, and who waits for it. No literal: V8 may come to make those of a place in its old generation, and keeps what they refer to. */
export class Job {
  readonly work: Work<unknown>;
  /** Whether a power cut may undo it. */
  readonly lax: boolean;
  /** Since when it waits, by the clock of the time that passes; `undefined`: since its turn is waited for. */
  since: number | undefined;
  resolve: (result: unknown) => void;
  reject: (reason: unknown) => void;

  /** @param lax whether a power cut may undo it */
  constructor(work: Job["work"], lax: boolean, resolve: Job["resolve"], reject: Job["reject"]) {
    this.work = work;
    this.lax = lax;
    this.since = undefined;
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
