/** Commits of units that something has joined. @module */
import type { Clock } from "../../src/spi/clock.ts";
import { explainCommit, isLost } from "./errors.ts";
import { Flights, type Job } from "./flights.ts";
import type { JoinedRows, OwnRows } from "./joined_rows.ts";
import type { Alike, Joined, Together } from "./joining.ts";
import type { SqlRow } from "./sql_client.ts";
import type { Statement } from "./statement.ts";

/** A unit that may be written with others. */
export interface JoinedWrite {
  readonly rows: OwnRows;
  readonly alike: Alike;
  readonly joined: readonly Joined[];
  readonly bytes: number;
  /** As {@linkcode Job.begin}. */
  begin(): void;
}

interface JoinedJob extends JoinedWrite, Job {
  /** Whether it is written. */
  readonly resolve: (written: boolean) => void;
}

/**
 * Writes units with what has joined them, all that are ready in one statement, and so in one transaction without a BEGIN.
 * It is refused where anything of it is, and then tells not what: each has to go alone. One whose message another process
 * handles at the same time under another place waits for that one, and who shares its commit waits as well.
 */
export class JoinedCommits {
  readonly #ask: (statement: Statement) => Promise<readonly SqlRow[]>;
  readonly #where: string;
  readonly #rows: JoinedRows;
  readonly #flights: Flights<JoinedJob>;

  /**
   * @param ask runs a statement; rejects as the driver does
   * @param where the database, as errors say it
   */
  constructor(
    ask: (statement: Statement) => Promise<readonly SqlRow[]>,
    where: string,
    rows: JoinedRows,
    clock: Clock,
  ) {
    this.#ask = ask;
    this.#where = where;
    this.#rows = rows;
    this.#flights = new Flights((jobs) => this.#carry(jobs), clock);
  }

  /**
   * Writes all of a unit; false: nothing of it is written, and it has to go alone.
   *
   * @throws {OutcomeUnknownError} if nobody knows
   */
  async write(unit: JoinedWrite): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#flights.add({ ...unit, resolve, reject });
    return await promise;
  }

  async #carry(jobs: readonly JoinedJob[]): Promise<void> {
    const byKind = new Map<Alike, JoinedJob[]>();
    for (const job of jobs) {
      const some = byKind.get(job.alike);
      if (some === undefined) byKind.set(job.alike, [job]);
      else some.push(job);
    }
    await Promise.all([...byKind].map(([alike, some]) => this.#together(alike, some)));
  }

  async #together(alike: Alike, jobs: readonly JoinedJob[]): Promise<void> {
    let together: Together | undefined;
    let found: readonly SqlRow[] | undefined;
    try {
      together = alike.together(jobs.flatMap(({ joined }) => joined));
      const statement = together && this.#rows.write(jobs.map(({ rows }) => rows), together);
      found = statement && await this.#ask(statement);
    } catch (error) {
      if (isLost(error)) {
        together?.undone();
        for (const { reject } of jobs) reject(explainCommit(error, this.#where));
        return;
      }
    }
    if (found === undefined) together?.undone();
    else together?.committed(found);
    for (const { resolve } of jobs) resolve(found !== undefined);
  }
}
