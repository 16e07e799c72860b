/** The file, as any other program sees it: the views of the queues, and the table of what is done. */
import { DatabaseSync } from "node:sqlite";
import { errorQueue, queue } from "./jobs.ts";

/** How far it is. */
export interface Progress {
  readonly waiting: number;
  /** With a worker. */
  readonly active: number;
  /** Comes again later. */
  readonly delayed: number;
  readonly givenUp: number;
  readonly done: number;
  /** How many each worker has done. */
  readonly byWorker: ReadonlyMap<string, number>;
}

/** A row of what is done. */
export interface Done {
  readonly job: number;
  readonly worker: string;
  readonly attempt: number;
}

/** Reads the file. No bus, no lock: readers of a SQLite file hinder nobody. */
export class Ledger {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 10_000 });
    this.#database.exec("PRAGMA journal_mode = WAL");
    // No constraint hinders a second row: the balance shows it.
    this.#database.exec("CREATE TABLE IF NOT EXISTS done (job INTEGER, worker TEXT, attempt INTEGER)");
  }

  progress(): Progress {
    const { waiting, active, delayed } = this.#overview(queue);
    const rows = this.#database.prepare("SELECT worker, count(*) AS jobs FROM done GROUP BY worker").all();
    const byWorker = new Map(rows.map(({ worker, jobs }) => [String(worker), Number(jobs)]));
    const done = [...byWorker.values()].reduce((sum, jobs) => sum + jobs, 0);
    return { waiting, active, delayed, givenUp: this.#overview(errorQueue).waiting, done, byWorker };
  }

  done(): readonly Done[] {
    return this.#database.prepare("SELECT job, worker, attempt FROM done").all().map((row) => ({
      job: Number(row["job"]),
      worker: String(row["worker"]),
      attempt: Number(row["attempt"]),
    }));
  }

  /** The ids of what lies in the error queue. */
  givenUp(): readonly string[] {
    return this.#database.prepare("SELECT message_id FROM hero_queue_message_overview WHERE queue = ?").all(errorQueue)
      .map((row) => String(row["message_id"]));
  }

  close(): void {
    this.#database.close();
  }

  #overview(name: string): { readonly waiting: number; readonly active: number; readonly delayed: number } {
    const row = this.#database.prepare("SELECT waiting, active, delayed FROM hero_queue_overview WHERE queue = ?")
      .get(name);
    return {
      waiting: Number(row?.["waiting"] ?? 0),
      active: Number(row?.["active"] ?? 0),
      delayed: Number(row?.["delayed"] ?? 0),
    };
  }
}
