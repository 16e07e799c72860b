/** Commits of units that have no more than an inbox record, a change of an instance, and messages. @module */
import { ConflictError, DuplicateError } from "../../src/errors/store.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { explainCommit, isLost, stateOf, uniqueViolation } from "./errors.ts";
import { Flights, type Job } from "./flights.ts";
import type { FreeUnit } from "./free_rows.ts";
import type { SqlRow } from "./sql_client.ts";
import { refused, type Statement } from "./statement.ts";
import type { Tables } from "./tables.ts";

interface UnitJob extends Job {
  readonly unit: FreeUnit;
  readonly resolve: (found: readonly SqlRow[]) => void;
}

/**
 * Writes units, each a single statement and so a transaction without a BEGIN. Those that become ready while others are on
 * their way share the next one, of which each is told its own outcome. One whose message is being handled by another
 * process waits for that one, and who shares its commit waits as well; who shares it with an instance that others have
 * locked does not.
 */
export class SharedCommits {
  readonly #ask: (statement: Statement) => Promise<readonly SqlRow[]>;
  readonly #where: string;
  readonly #rows: Tables["free"];
  readonly #fresh: Tables["fresh"];
  readonly #flights: Flights<UnitJob>;

  /**
   * @param ask runs a statement; rejects as the driver does
   * @param where the database, as errors say it
   */
  constructor(
    ask: (statement: Statement) => Promise<readonly SqlRow[]>,
    where: string,
    { free, fresh }: Pick<Tables, "free" | "fresh">,
    clock: Clock,
  ) {
    this.#ask = ask;
    this.#where = where;
    this.#rows = free;
    this.#fresh = fresh;
    this.#flights = new Flights((jobs) => this.#carry(jobs), clock);
  }

  /**
   * Writes all of a unit; gives the rows as `FreeRows` says.
   *
   * @param begin as {@linkcode Job.begin}
   * @throws {DuplicateError} if the message was handled
   * @throws {ConflictError} if its instance is not as it was loaded
   */
  async write(unit: FreeUnit, begin: () => void): Promise<readonly SqlRow[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly SqlRow[]>();
    let bytes = unit.change?.after?.data.byteLength ?? 0;
    for (const { frame } of unit.rows) bytes += frame.body.byteLength;
    this.#flights.add({ unit, bytes, begin, resolve, reject });
    return await promise;
  }

  async #carry(jobs: readonly UnitJob[]): Promise<void> {
    const [only, ...others] = jobs;
    if (only !== undefined && others.length === 0) await this.#alone(only);
    else await this.#together(jobs);
  }

  async #together(jobs: readonly UnitJob[]): Promise<void> {
    const units = jobs.map(({ unit }) => unit);
    try {
      const outcomes = await this.#written(units);
      for (const [at, { unit, resolve, reject }] of jobs.entries()) {
        const written = outcomes[at];
        if (written === undefined) reject(duplicate(unit));
        else resolve(written);
      }
    } catch (error) {
      // Of a commit that got lost nobody knows; any other has written nothing, and one of them may be to blame.
      if (isLost(error)) { for (const { reject } of jobs) reject(explainCommit(error, this.#where)); }
      else await Promise.all(jobs.map((job) => this.#alone(job)));
    }
  }

  async #written(units: readonly FreeUnit[]): Promise<readonly (readonly SqlRow[] | undefined)[]> {
    const fresh = this.#fresh.write(units);
    if (fresh !== undefined) {
      try {
        return this.#fresh.outcomes(units, await this.#ask(fresh));
      } catch (error) {
        // One was handled, or a row is there.
        if (stateOf(error) !== uniqueViolation) throw error;
      }
    }
    const statement = this.#rows.share(units);
    return this.#rows.outcomes(units, statement, await this.#ask(statement));
  }

  async #alone({ unit, resolve, reject }: UnitJob): Promise<void> {
    const statement = this.#rows.write(unit);
    try {
      const [written] = this.#rows.outcomes([unit], statement, await this.#ask(statement));
      if (written === undefined) reject(duplicate(unit));
      else resolve(written);
    } catch (error) {
      reject(
        this.#rows.isHandled(error, unit)
          ? duplicate(unit)
          : refused(error, "conflict") === undefined
          ? explainCommit(error, this.#where)
          : conflict(unit),
      );
    }
  }
}

/** Of one that has a key. */
function duplicate({ key }: FreeUnit): DuplicateError {
  return new DuplicateError(key?.endpoint ?? "", key?.messageId ?? "");
}

/** Of one that changes an instance. */
function conflict({ change }: FreeUnit): ConflictError {
  const row = change?.before ?? change?.after;
  return new ConflictError(`saga ${row?.saga} "${row?.id}"`);
}
