/** Commits of units that have no more than an inbox record, a change of an instance, and messages. @module */
import { ConflictError, DuplicateError } from "../../src/errors/store.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { explainCommit, isLost, stateOf, uniqueViolation } from "./errors.ts";
import type { FreeUnit } from "./free_rows.ts";
import type { SqlRow } from "./sql_client.ts";
import { refused, type Statement } from "./statement.ts";
import type { Tables } from "./tables.ts";

/** So many are on their way at once: while the disk writes for one, the server works for the next. */
const mostFlights = 2;
/** Whoever is on its way for longer waits for another process, and no longer counts: what comes later goes by. */
const longestFlightMs = 20;
/** So many units share a commit, and so many bytes. */
const mostUnits = 64;
const mostBytes = 2 ** 20;

interface Job {
  readonly unit: FreeUnit;
  readonly signal: AbortSignal;
  readonly resolve: (found: readonly SqlRow[]) => void;
  readonly reject: (reason: unknown) => void;
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
  readonly #clock: Clock;
  #jobs: Job[] = [];
  #flights = 0;
  #gathering = false;

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
    this.#clock = clock;
  }

  /**
   * Writes all of a unit; gives the rows as `FreeRows` says.
   *
   * @param signal gives up what is not on its way yet
   * @throws {DuplicateError} if the message was handled
   * @throws {ConflictError} if its instance is not as it was loaded
   */
  async write(unit: FreeUnit, signal: AbortSignal): Promise<readonly SqlRow[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly SqlRow[]>();
    this.#jobs.push({ unit, signal, resolve, reject });
    if (!this.#gathering && this.#flights < mostFlights) void this.#gather();
    return await promise;
  }

  /** What becomes ready in the same turn comes along. */
  async #gather(): Promise<void> {
    this.#gathering = true;
    for (let ready = 0; ready < this.#jobs.length;) {
      ready = this.#jobs.length;
      for (let hops = 0; hops < 4; hops++) await undefined;
    }
    this.#gathering = false;
    while (this.#flights < mostFlights) {
      const jobs = this.#next();
      if (jobs.length === 0) return;
      void this.#fly(jobs);
    }
  }

  #next(): readonly Job[] {
    let units = 0;
    let bytes = 0;
    // As many flights as there may be: while this process works on what one of them has done, the server does another.
    const most = Math.min(mostUnits, Math.ceil(this.#jobs.length / (mostFlights - this.#flights)));
    for (const { unit } of this.#jobs) {
      for (const { frame } of unit.rows) bytes += frame.body.byteLength;
      if (units > 0 && (bytes > mostBytes || units >= most)) break;
      units++;
    }
    return this.#jobs.splice(0, units).filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
  }

  async #fly(jobs: readonly Job[]): Promise<void> {
    this.#flights++;
    let counts = true;
    const land = (): void => {
      if (!counts) return;
      counts = false;
      this.#flights--;
      if (!this.#gathering && this.#jobs.length > 0) void this.#gather();
    };
    const cancel = this.#clock.at(this.#clock.now() + longestFlightMs, land);
    const [only, ...others] = jobs;
    if (only !== undefined && others.length === 0) await this.#alone(only);
    else await this.#together(jobs);
    cancel();
    land();
  }

  async #together(jobs: readonly Job[]): Promise<void> {
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

  async #alone({ unit, resolve, reject }: Job): Promise<void> {
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
