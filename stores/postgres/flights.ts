/** What becomes ready together is carried together. @module */
import type { Clock } from "../../src/spi/clock.ts";

/** So many are on their way at once: while the disk writes for one, the server works for the next. */
const mostFlights = 2;
/** Whoever is on its way for longer waits for another process, and no longer counts: what comes later goes by. */
const longestFlightMs = 20;
/** So many jobs share a flight. */
const mostJobs = 64;
/** The most bytes of one flight, unless it has one job. */
export const mostBytes: number = 2 ** 20;

/** Something to be written. */
export interface Job {
  /** About how much it writes. */
  readonly bytes: number;
  /** It is on its way from now on. Throws if it has been given up. */
  begin(): void;
  readonly reject: (reason: unknown) => void;
}

/** Carries jobs: those that become ready while others are on their way share the next flight. */
export class Flights<Each extends Job> {
  readonly #carry: (jobs: readonly Each[]) => Promise<void>;
  readonly #clock: Clock;
  #jobs: Each[] = [];
  #flights = 0;
  #gathering = false;

  /** @param carry writes some, and tells each; never rejects */
  constructor(carry: (jobs: readonly Each[]) => Promise<void>, clock: Clock) {
    this.#carry = carry;
    this.#clock = clock;
  }

  add(job: Each): void {
    this.#jobs.push(job);
    if (!this.#gathering && this.#flights < mostFlights) void this.#gather();
  }

  /** What becomes ready in the same turn comes along. */
  async #gather(): Promise<void> {
    this.#gathering = true;
    for (let ready = 0; ready < this.#jobs.length;) {
      ready = this.#jobs.length;
      for (let hops = 0; hops < 4; hops++) await undefined;
    }
    this.#gathering = false;
    while (this.#flights < mostFlights && this.#jobs.length > 0) {
      const jobs = this.#next();
      if (jobs.length > 0) void this.#fly(jobs); // else all were given up
    }
  }

  #next(): readonly Each[] {
    let count = 0;
    let bytes = 0;
    // As many flights as there may be: while this process works on what one of them has done, the server does another.
    const most = Math.min(mostJobs, Math.ceil(this.#jobs.length / (mostFlights - this.#flights)));
    for (const job of this.#jobs) {
      bytes += job.bytes;
      if (count > 0 && (bytes > mostBytes || count >= most)) break;
      count++;
    }
    return this.#jobs.splice(0, count).filter(begins);
  }

  async #fly(jobs: readonly Each[]): Promise<void> {
    this.#flights++;
    let counts = true;
    const land = (): void => {
      if (!counts) return;
      counts = false;
      this.#flights--;
      if (!this.#gathering && this.#jobs.length > 0) void this.#gather();
    };
    const cancel = this.#clock.at(this.#clock.now() + longestFlightMs, land);
    await this.#carry(jobs);
    cancel();
    land();
  }
}

function begins(job: Job): boolean {
  try {
    job.begin();
    return true;
  } catch (error) {
    job.reject(error);
    return false;
  }
}
